"""What a publisher keeps of a record, and who sends it."""

from __future__ import annotations

import abc
from collections import deque
from typing import TypeAlias

from streams.broker.answers import Answer

NEVER_S = float("inf")


class Route:
    """One subject, and who sends its records now; None as long as nobody was asked."""

    __slots__ = ("bare", "full", "sender", "subject")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.sender: Sender | None = None
        self.full = Way(self, b"HPUB %b " % subject.encode())
        self.bare = Way(self, b"PUB %b " % subject.encode())


class Way:
    """
    How records of a route are written: in `full`, or `bare` when they have no id and so no header.

    Attributes:
        head: How each of their lines begins.
    """

    __slots__ = ("head", "route")

    def __init__(self, route: Route, head: bytes) -> None:
        self.route = route
        self.head = head


# How it is written, and the tail of its line: see `wire`.
Record: TypeAlias = tuple[Way, bytes]


def size(tail: bytes) -> int:
    """Return the bytes of header and payload that the line of a record tells: see `wire`."""
    return int(tail[: tail.index(b"\r")].rpartition(b" ")[2])


class Sender(abc.ABC):
    """
    Attributes:
        key: The first token of its answers' subjects, after the inbox.
        ways, tails: Of the records that were not written yet. Two lists, because as many pairs
            would have Python's garbage collector run over all of them, again and again.
        due_s: When there will be something to do although nothing happened.
        linger_s: How long the least patient of those may wait for others.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.ways: deque[Way] = deque()
        self.tails: deque[bytes] = deque()
        self.due_s = NEVER_S
        self.linger_s = 0.0

    def take_waiting(self) -> list[Record]:
        waiting = list(zip(self.ways, self.tails, strict=True))
        self.ways.clear()
        self.tails.clear()
        return waiting

    def drop_waiting(self, longest: int) -> list[Record]:
        """Remove and return those of the waiting records that have more bytes than this."""
        waiting = self.take_waiting()
        for way, tail in waiting:
            if size(tail) <= longest:
                self.ways.append(way)
                self.tails.append(tail)
        return [record for record in waiting if size(record[1]) > longest]

    @abc.abstractmethod
    def drop_written(self, longest: int) -> list[Record]:
        """Remove and return those that were written and have more bytes than this."""

    @abc.abstractmethod
    def work(self, now_s: float) -> bytes:
        """Return what is to be written now."""

    def next_s(self) -> float:
        """Return when there is something to do, after something happened; 0 for now."""
        return 0.0

    @abc.abstractmethod
    def answered(self, tokens: list[str], answer: Answer, now_s: float) -> None:
        """
        Take an answer.

        Args:
            tokens: Of its subject, those after the inbox.
        """

    @abc.abstractmethod
    def on_new_link(self) -> None:
        """Prepare to begin again: what was in flight may be lost."""

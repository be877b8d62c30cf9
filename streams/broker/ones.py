"""Records that each have an answer of their own to come, and what all senders have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.broker import wire
from streams.broker.ledger import Ledger
from streams.broker.records import Record, Sender, size

# An answer to one record alone is waited for so long at first: to ask again is cheap.
ASK_S = 0.3


class Terms(NamedTuple):
    """
    What all senders of one publisher have in common.

    Attributes:
        inbox: The prefix of every reply subject, with its last dot.
        keys: For senders and batches; no other publisher has the same.
        window: Records of one stream written and not yet acknowledged, at most.
        ack_s: After so long without an answer, none is expected any more.
        awaiting: Who takes the answers whose subject has this token after the inbox.
        stir: Have a sender looked at soon.
    """

    ledger: Ledger
    inbox: bytes
    keys: Iterator[str]
    window: int
    ack_s: float
    dice: Callable[[], float]
    awaiting: dict[str, Sender]
    stir: Callable[[Sender], None]


class Ones:
    """
    In the order in which they were submitted.

    After trouble the oldest goes `alone`: if the stream is not ready, one record is refused, and
    not a hole punched into the middle of many. Its answer makes the stream `proven`.
    """

    __slots__ = ("_number", "_prefix", "_records", "_unwritten", "_written_s", "alone", "proven")

    def __init__(self, prefix: bytes) -> None:
        """
        Args:
            prefix: The reply subject up to the number, with the dot.
        """
        self._prefix = prefix
        self._number = 0
        self._records: dict[int, Record] = {}
        self._written_s: dict[int, float] = {}
        self._unwritten: dict[int, None] = {}
        self.alone = self.proven = False

    def __len__(self) -> int:
        return len(self._records)

    @property
    def unwritten(self) -> int:
        """How many are to be written again."""
        return len(self._unwritten)

    @property
    def oldest_written_s(self) -> float:
        return self._written_s[next(iter(self._records))]

    def get(self, number: int) -> Record | None:
        return self._records.get(number)

    def keep(self, record: Record) -> None:
        """Take a record that was written, perhaps in vain, and is to be written again."""
        self._number += 1
        self._records[self._number] = record
        self._unwritten[self._number] = None
        self.alone = self.proven = False

    def lose(self) -> None:
        """Have all of them written again."""
        self._unwritten = dict.fromkeys(self._records)
        self._written_s.clear()
        self.alone = self.proven = False

    def write(self, record: Record, now_s: float) -> bytes:
        """Return the message of a new record."""
        self._number += 1
        self._records[self._number] = record
        return self._written(self._number, now_s)

    def write_oldest(self, now_s: float) -> bytes:
        """Return the message of the oldest, which goes alone."""
        self.lose()
        self.alone = True
        oldest = next(iter(self._records))
        del self._unwritten[oldest]
        return self._written(oldest, now_s)

    def write_rest(self, now_s: float) -> bytes:
        """Return the messages of all that are to be written again."""
        numbers, self._unwritten = self._unwritten, {}
        return b"".join([self._written(number, now_s) for number in numbers])

    def settle(self, number: int) -> None:
        del self._records[number]
        # It may be an answer to an earlier copy.
        self._written_s.pop(number, None)
        self._unwritten.pop(number, None)
        if self.alone:
            self.alone, self.proven = False, True

    def drop(self, longest: int) -> list[Record]:
        """Remove and return those that have more bytes than this."""
        large = [n for n, record in self._records.items() if size(record[1]) > longest]
        found = [self._records[number] for number in large]
        for number in large:
            self.settle(number)
        return found

    def take_all(self) -> list[Record]:
        records = list(self._records.values())
        self._records.clear()
        self.lose()
        return records

    def _written(self, number: int, now_s: float) -> bytes:
        self._written_s[number] = now_s
        return wire.single(self._records[number], b"%b%d" % (self._prefix, number))

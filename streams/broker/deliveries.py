"""One message in the hands of a consumer, and the answers that go back joined."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.core import deliveries
from streams.core.deliveries import Place

logger = logging.getLogger(__name__)

# Each write is a system call and wakes the server: 256 answers in one cost as much as one.
JOINED = 256
JOIN_S = 0.005


class Owner(Protocol):
    """Who takes a message's answer to JetStream."""

    def settle(self, delivery: Delivery, word: str) -> bool: ...

    def answer(self, reply: str, word: str) -> None: ...


class Delivery:
    """
    One message. It is settled once: by the first of `ack`, `nak` and `term`.

    Attributes:
        headers: None when there are none.
        reply: The subject that acknowledges it.
    """

    __slots__ = ("_owner", "_place", "data", "headers", "reply", "settled", "subject")

    def __init__(self, msg: Msg, owner: Owner) -> None:
        self.subject: str = msg.subject
        self.data: bytes = msg.data
        self.headers: Mapping[str, str] | None = msg.headers
        self.reply: str = msg.reply
        self.settled = False
        self._owner = owner
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """Where it stands: its sequences, how often it was delivered, when it was stored."""
        if self._place is None:
            self._place = deliveries.place(self.reply)
        return self._place

    @property
    def stream_seq(self) -> int:
        return self.place.stream_seq

    @property
    def stored_ns(self) -> int:
        return self.place.stored_ns

    @property
    def deliveries(self) -> int:
        return self.place.deliveries

    def ack(self) -> bool:
        """Say that it is done; return whether that was not said before."""
        return self._owner.settle(self, deliveries.ACK)

    def nak(self, delay_s: float = 0.0) -> bool:
        """Give it back: it comes again, here or elsewhere, no earlier than after the delay."""
        return self._owner.settle(self, deliveries.given_back(delay_s))

    def term(self, reason: str = "") -> bool:
        """Say that it shall never come again."""
        return self._owner.settle(self, deliveries.terminated(reason))

    def in_progress(self) -> None:
        """Ask for as much time again as the consumer gives to begin with."""
        if not self.settled:
            self._owner.answer(self.reply, deliveries.IN_PROGRESS)


class Answers:
    """
    Acknowledgements and their like, written many at a time.

    Kept while the link is away: they are good on the next one too.
    """

    def __init__(self, client: Client, *, joined: int = JOINED, join_s: float = JOIN_S) -> None:
        self._client = client
        self._joined = joined
        self._join_s = join_s
        self._commands: list[str] = []
        self._upto: tuple[int, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._commands) + (self._upto is not None)

    def add(self, reply: str, word: str) -> None:
        self._commands.append(f"PUB {reply} {len(word.encode())}\r\n{word}\r\n")
        if len(self._commands) >= self._joined:
            self.write()
        elif self._timer is None:
            self._set()

    def acknowledge(self, reply: str) -> None:
        """Acknowledge one message."""
        self._commands.append(f"PUB {reply} 4\r\n+ACK\r\n")
        if len(self._commands) >= self._joined:
            self.write()
        elif self._timer is None:
            self._set()

    def acknowledge_upto(self, stream_seq: int, reply: str) -> None:
        """Acknowledge a message and, as the consumer has it so, all before it."""
        # One that came again may be done after those that follow it in the stream.
        if self._upto is None or stream_seq > self._upto[0]:
            self._upto = (stream_seq, reply)
        if self._timer is None:
            self._set()

    def write(self) -> bool:
        """Hand what there is to the socket; return whether there is nothing left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._upto is None and not self._commands:
            return True
        if not self._client.is_connected:
            return False
        commands = self._commands
        if self._upto is not None:
            commands = [*commands, f"PUB {self._upto[1]} 4\r\n+ACK\r\n"]
        if not written(self._client, "".join(commands).encode()):
            return False
        self._commands, self._upto = [], None
        return True

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._join_s, self.write)


class Upto:
    """
    Acknowledges where one acknowledgement is for all before it, and never what was given back.

    Until that comes again and is done, what follows it is not acknowledged: were it, JetStream
    would take the other for done, too.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        # By stream sequence, until when it is waited for.
        self._back: dict[int, float] = {}
        # The last that is done and could not be told.
        self._done: Delivery | None = None

    def waits_for(self, stream_seq: int) -> bool:
        return stream_seq in self._back

    def refused(self, stream_seq: int, until_s: float | None) -> None:
        """Note that it comes again, by then or never; None means that it will not."""
        self._back.pop(stream_seq, None)
        if until_s is not None:
            self._back[stream_seq] = until_s

    def acknowledge(self, delivery: Delivery) -> None:
        if not self._back and self._done is None:
            self._answers.acknowledge_upto(delivery.stream_seq, delivery.reply)
            return
        self._back.pop(delivery.stream_seq, None)
        if self._done is None or delivery.stream_seq > self._done.stream_seq:
            self._done = delivery
        self.tell()

    def tell(self) -> None:
        """Acknowledge what is done, as far as nothing that was given back goes with it."""
        if self._done is None:
            return
        now_s, upto = asyncio.get_running_loop().time(), self._done.stream_seq
        self._back = {seq: until_s for seq, until_s in self._back.items() if until_s > now_s}
        if all(seq > upto for seq in self._back):
            self._answers.acknowledge_upto(upto, self._done.reply)
            self._done = None


def written(client: Client, commands: bytes) -> bool:
    """
    Hand whole commands to the socket at once; return whether there is one.

    Past the client's own buffer and the task that empties it, which cost more than an answer does.
    What is written now and then is small, so nobody waits for the socket to take it.
    """
    transport = client._transport  # noqa: SLF001 - pinned by tests
    if transport is None or not client.is_connected:
        return False
    try:
        transport.write(commands)
    except (OSError, RuntimeError) as e:
        # The client finds out by itself and comes back.
        logger.debug("consumer: write failed: %s", e)
        return False
    return True


class Straight:
    """
    Stands in for the queue between the client's reader and a subscription's task.

    Each message is handed on in the reader's own turn: a queue, a task and a coroutine less for
    every one of them, and a handler that is slow slows the socket down instead of filling memory.
    """

    def __init__(self, take: Callable[[Msg], None]) -> None:
        """
        Args:
            take: Must not raise: the client would stop reading.
        """
        self.put_nowait = take

    def empty(self) -> bool:
        return True

    def qsize(self) -> int:
        return 0

    async def join(self) -> None:
        return None

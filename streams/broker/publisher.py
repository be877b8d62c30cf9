"""
Bytes in without awaiting, acknowledged storage in JetStream out.

Every record goes out with a reply subject of its own under one private inbox and with the header
Nats-Msg-Id. What is not acknowledged is kept and sent again, in order; the stream's duplicate
window drops what it had already stored. After any trouble the oldest record goes alone first: if
the stream is not ready, one record is refused, and not a hole punched into the middle of a window.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.core import subjects
from streams.core.counters import PublishCounters
from streams.core.errors import BadSubject, BrokerAway, TooLarge

logger = logging.getLogger(__name__)

WINDOW = 2_000
MAX_WAITING = 50_000
MAX_BYTES = 32 * 1024 * 1024
ACK_S = 5.0

# How late a time-out or a new link may be noticed.
TICK_S = 0.1
BACKOFF_S = 0.1
BACKOFF_CAP_S = 2.0
SAY_AGAIN_S = 10.0

# A message larger than the stream's own limit. Asking again cannot help, and while it is asked
# nothing behind it is stored: that one is given up, counted and named.
REFUSED_FOR_GOOD = frozenset({10054})


class _Refusal(msgspec.Struct):
    err_code: int = 0
    description: str = "refused"


class _Answer(msgspec.Struct):
    stream: str = ""
    duplicate: bool = False
    error: _Refusal | None = None


_answer = msgspec.json.Decoder(_Answer)


class _Record:
    __slots__ = ("number", "sent_s", "wire")

    def __init__(self, number: int, wire: bytes) -> None:
        self.number = number
        self.wire = wire
        self.sent_s = 0.0


class Publisher:
    """
    A window of unacknowledged records over one connection, and behind it a bounded buffer.

    `run` must be running for anything to be written; when it raises, publishing is over.
    """

    def __init__(  # noqa: PLR0913
        self,
        client: Client,
        *,
        window: int = WINDOW,
        max_waiting: int = MAX_WAITING,
        max_bytes: int = MAX_BYTES,
        ack_s: float = ACK_S,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            window: Records written and not yet acknowledged, at most.
            max_waiting, max_bytes: From here on there is no room: records that wait to be
                written, and bytes of all that are kept.
            ack_s: Without an answer for so long, a record is sent again.
        """
        self._client = client
        self._window = window
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._ack_s = ack_s
        self._dice = dice

        self._inbox = client.new_inbox() + "."
        self._reply = self._inbox.encode()
        self._numbers = itertools.count(1)
        self._waiting: deque[_Record] = deque()
        # In the order they were submitted: a dict keeps it.
        self._in_flight: dict[int, _Record] = {}
        self._bytes = 0

        self._wake: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._settled = asyncio.Event()
        self._settled.set()

        self._link = 0
        self._told_refused = False
        self._say_refused_s = 0.0

        self._submitted = self._acknowledged = self._duplicates = 0
        self._resent = self._refused = self._rejected = 0

    def submit(self, subject: str, payload: bytes, msg_id: str) -> bool:
        """
        Take one record; return whether there is room for more.

        False means accepted too, but stop reading until `room()` returns.

        Raises:
            BadSubject: The subject is not concrete, or the id holds a control character.
            TooLarge: The server would close the connection over it.
        """
        if not msg_id.isprintable():
            raise BadSubject(f"{msg_id!r} cannot be a message id")
        header = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % msg_id.encode()
        size = len(header) + len(payload)
        if size > self._client.max_payload:
            raise TooLarge(subject, size, self._client.max_payload)
        number = next(self._numbers)
        wire = b"HPUB %b %b%d %d %d\r\n%b%b\r\n" % (
            _encoded(subject), self._reply, number, len(header), size, header, payload,
        )  # fmt: skip
        self._waiting.append(_Record(number, wire))
        self._bytes += len(wire)
        self._submitted += 1
        self._settled.clear()
        self._stir()
        if len(self._waiting) < self._max_waiting and self._bytes < self._max_bytes:
            return True
        self._room.clear()
        return False

    async def room(self) -> None:
        """Return when half of the buffer is free again."""
        await self._room.wait()

    async def drain(self, within_s: float) -> bool:
        """Return whether everything submitted so far was acknowledged in time."""
        try:
            async with asyncio.timeout(within_s):
                await self._settled.wait()
        except TimeoutError:
            return False
        return True

    def counters(self) -> PublishCounters:
        return PublishCounters(
            submitted=self._submitted,
            acknowledged=self._acknowledged,
            duplicates=self._duplicates,
            resent=self._resent,
            refused=self._refused,
            rejected=self._rejected,
            in_flight=len(self._in_flight),
            waiting=len(self._waiting),
        )

    async def run(self) -> None:
        """
        Write what is submitted until cancelled.

        Raises:
            BrokerAway: The connection was closed for good, for example by a wrong password.
        """
        await self._listen()
        while True:
            if self._in_trouble():
                await self._recover()
            elif self._waiting and len(self._in_flight) < self._window:
                await self._write(self._next_records())
                self._make_room()
            else:
                await self._pause(TICK_S)

    async def _listen(self) -> None:
        await self._client.subscribe(self._inbox + "*", cb=self._on_answer)
        _end_if_cancelled()
        # The subscription must be at the server before the first record asks for an answer.
        while True:
            self._refuse_closed()
            try:
                await self._client.flush()
                _end_if_cancelled()
            except (OSError, TimeoutError, nats.errors.Error):
                await asyncio.sleep(TICK_S)
            else:
                break
        self._link = self._client.stats["reconnects"]

    def _next_records(self) -> list[_Record]:
        count = min(len(self._waiting), self._window - len(self._in_flight))
        records = [self._waiting.popleft() for _ in range(count)]
        self._in_flight.update((record.number, record) for record in records)
        return records

    def _in_trouble(self) -> bool:
        """Return whether records in flight can be lost: a new link, a refusal, no answer."""
        self._refuse_closed()
        if self._told_refused or not self._on_this_link():
            return True
        oldest = next(iter(self._in_flight.values()), None)
        return (
            oldest is not None and asyncio.get_running_loop().time() - oldest.sent_s > self._ack_s
        )

    async def _recover(self) -> None:
        for attempt in itertools.count():
            await self._until_connected()
            self._told_refused = False
            oldest = next(iter(self._in_flight.values()), None)
            if oldest is None:
                return
            self._resent += 1
            await self._write([oldest])
            if await self._acknowledges(oldest.number):
                break
            ceiling_s = min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(attempt, 16))
            await asyncio.sleep(ceiling_s * (0.5 + self._dice() / 2))
        rest = list(self._in_flight.values())
        logger.info("publisher: going on; %d records sent again", len(rest) + 1)
        self._resent += len(rest)
        await self._write(rest)

    async def _until_connected(self) -> None:
        while not self._client.is_connected:
            self._refuse_closed()
            await asyncio.sleep(TICK_S)
        self._link = self._client.stats["reconnects"]

    async def _acknowledges(self, number: int) -> bool:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._ack_s
        while number in self._in_flight:
            if self._told_refused or not self._on_this_link() or loop.time() > deadline_s:
                return False
            await self._pause(TICK_S)
        return True

    async def _write(self, records: Sequence[_Record]) -> None:
        if not records:
            return
        now_s = asyncio.get_running_loop().time()
        for record in records:
            record.sent_s = now_s
        # Past nats-py's own buffer, on purpose: it would write what it still holds in front of
        # our older records after a reconnect, and so change their order. What the dead link
        # swallowed is in `_in_flight`.
        transport = self._client._transport  # noqa: SLF001
        if transport is None or not self._on_this_link():
            return
        try:
            transport.write(b"".join([record.wire for record in records]))
            await transport.drain()  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as e:
            # The client finds out by itself and comes back; then all of it is sent again.
            logger.debug("publisher: write failed: %s", e)

    def _on_this_link(self) -> bool:
        return self._client.is_connected and self._client.stats["reconnects"] == self._link

    def _refuse_closed(self) -> None:
        if self._client.is_closed:
            raise BrokerAway(f"the connection to NATS was closed: {self._client.last_error}")

    async def _on_answer(self, msg: Msg) -> None:
        record = self._in_flight.get(int(msg.subject[len(self._inbox) :]))
        if record is None:
            return  # Sent twice, answered twice.
        if msg.headers and msg.headers.get("Status") == "503":
            self._note_refusal("no stream takes it (503)")
            return
        try:
            answer = _answer.decode(msg.data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as e:
            self._note_refusal(f"an answer that is no acknowledgement: {e}")
            return
        if answer.error is None:
            self._acknowledged += 1
            self._duplicates += answer.duplicate
        elif answer.error.err_code in REFUSED_FOR_GOOD:
            self._reject(record, answer.error)
        else:
            self._note_refusal(f"{answer.error.description} ({answer.error.err_code})")
            return
        self._forget(record)

    def _forget(self, record: _Record) -> None:
        del self._in_flight[record.number]
        self._bytes -= len(record.wire)
        self._make_room()
        if self._waiting:
            self._stir()
        elif not self._in_flight:
            self._settled.set()
            self._stir()

    def _reject(self, record: _Record, refusal: _Refusal) -> None:
        self._rejected += 1
        subject = record.wire.split(b" ", 2)[1].decode()
        logger.error(
            "publisher: lost for good, the stream does not take it: %s: %s (%d)",
            subject, refusal.description, refusal.err_code,
        )  # fmt: skip

    def _note_refusal(self, reason: str) -> None:
        self._refused += 1
        self._told_refused = True
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._say_refused_s:
            self._say_refused_s = now_s + SAY_AGAIN_S
            logger.warning("publisher: refused, will be tried again: %s", reason)
        self._stir()

    def _make_room(self) -> None:
        if (
            not self._room.is_set()
            and len(self._waiting) <= self._max_waiting // 2
            and self._bytes <= self._max_bytes // 2
        ):
            self._room.set()

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _pause(self, at_most_s: float) -> None:
        """Return when something happened that `run` should look at."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(at_most_s, self._stir)
        try:
            await self._wake
        finally:
            timer.cancel()
            self._wake = None


def _end_if_cancelled() -> None:
    """nats-py swallows a cancellation that meets it while it flushes."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@lru_cache(maxsize=65_536)
def _encoded(subject: str) -> bytes:
    subjects.tokens(subject)
    return subject.encode()

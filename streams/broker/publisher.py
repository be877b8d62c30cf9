"""
Bytes in without awaiting, acknowledged storage in JetStream out.

A record goes from `submit` into the waiting list of its stream's lane (`lanes`), and from there,
many at once, in fast batches to the server. Which stream takes a subject is learnt from the first
acknowledgement (`learning`): it needs no permission but to publish. What is not acknowledged is
kept and sent again; the header Nats-Msg-Id has the stream drop what it had already stored.

Records of one subject are stored in their order, whatever happens; records of one stream are, too,
unless the stream refuses some.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.transport import Transport

from streams.broker.deliveries import Straight
from streams.broker.dispatch import TICK_S, Dispatch
from streams.broker.jetstream import end_if_cancelled, refuse_closed
from streams.broker.lanes import FLUSH
from streams.broker.ledger import Ledger
from streams.broker.pause import Pause
from streams.core.counters import PublishCounters

logger = logging.getLogger(__name__)

WINDOW = 4 * FLUSH
MAX_WAITING = 50_000
MAX_BYTES = 32 * 1024 * 1024
ACK_S = 1.5


class Lingering:
    """Submits records that may wait; see `Publisher.lingering`."""

    def __init__(self, publisher: Publisher, dispatch: Dispatch, linger_s: float) -> None:
        self._submit = dispatch.submit
        self._linger_s = linger_s
        self.room = publisher.room

    def submit(self, subject: str, payload: bytes, msg_id: str) -> bool:
        """See `Publisher.submit`."""
        return self._submit(subject, payload, msg_id, self._linger_s)


class Publisher:
    """
    Takes records and has them stored, over one connection.

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
            window: Records of one stream written and not yet acknowledged, at most.
            max_waiting, max_bytes: From here on there is no room: records that wait to be
                written, and bytes of all that are kept.
            ack_s: Without an answer for so long, records are sent again.
        """
        self._client = client
        # Short, because every record carries it. Eight characters are 48 bits of chance.
        mark = secrets.token_urlsafe(6)
        self._inbox = f"{client.new_inbox().rpartition('.')[0]}.{mark}."
        self._ledger = Ledger(max_waiting, max_bytes)
        self._dispatch = Dispatch(
            self._ledger,
            inbox=self._inbox,
            mark=mark,
            window=window,
            ack_s=ack_s,
            dice=dice,
            on_news=self._stir,
        )
        self._dispatch.max_payload = client.max_payload
        self._pause: Pause | None = None
        self._bug: Exception | None = None
        self._link = 0

    def submit(self, subject: str, payload: bytes, msg_id: str) -> bool:
        """
        Take one record; return whether there is room for more.

        False means accepted too, but stop reading until `room()` returns.

        Args:
            msg_id: Empty for none: then what is sent again after trouble may be stored twice.

        Raises:
            BadSubject: The subject is not concrete, or the id holds a control character.
            TooLarge: The server would close the connection over it.
        """
        return self._dispatch.submit(subject, payload, msg_id)

    def lingering(self, linger_s: float) -> Lingering:
        """
        Return who submits records that may wait so long for others, to go with them.

        They do not wait after a silence, nor where one comes that does not linger, and their order
        stays. Without lingering it is 2 ms; waiting longer spares processor time, here and at the
        server.
        """
        return Lingering(self, self._dispatch, linger_s)

    async def room(self) -> None:
        """Return when a good part of the buffer is free again, half of it at most."""
        await self._ledger.room.wait()

    async def drain(self, within_s: float) -> bool:
        """Return whether everything submitted so far was acknowledged in time."""
        try:
            async with asyncio.timeout(within_s):
                await self._ledger.until_settled()
        except TimeoutError:
            return False
        return True

    def counters(self) -> PublishCounters:
        return self._ledger.counters()

    async def run(self) -> None:
        """
        Write what is submitted until cancelled.

        Raises:
            BrokerAway: The connection was closed for good, for example by a wrong password.
            Exception: A bug of ours in taking an answer.
        """
        await self._listen()
        loop = asyncio.get_running_loop()
        while True:
            refuse_closed(self._client)
            if self._bug is not None:
                raise self._bug
            if not self._on_this_link():
                await self._until_connected()
                self._dispatch.on_new_link(self._client.max_payload)
            await self._write(self._dispatch.work(loop.time()))
            if not self._dispatch.news:
                await self._rest(min(self._dispatch.due_s, loop.time() + TICK_S))

    async def _listen(self) -> None:
        subscription = await self._client.subscribe(self._inbox + ">", pending_bytes_limit=0)
        end_if_cancelled()
        # Pinned by tests; nats-py puts each message that it has read into this queue.
        subscription._pending_queue = cast(Any, Straight(self._on_answer))  # noqa: SLF001
        # The subscription must be at the server before the first record asks for an answer.
        while True:
            refuse_closed(self._client)
            try:
                await self._client.flush()
                end_if_cancelled()
            except (OSError, TimeoutError, nats.errors.Error):
                await asyncio.sleep(TICK_S)
            else:
                break
        self._link = self._client.stats["reconnects"]

    async def _until_connected(self) -> None:
        while not self._client.is_connected:
            refuse_closed(self._client)
            await asyncio.sleep(TICK_S)
        self._link = self._client.stats["reconnects"]

    async def _write(self, blobs: list[bytes]) -> None:
        transport = self._write_now(blobs)
        if transport is None:
            return
        try:
            await transport.drain()  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as e:
            logger.debug("publisher: write failed: %s", e)

    def _write_now(self, blobs: list[bytes]) -> Transport | None:
        # Past nats-py's own buffer, on purpose: it would write what it still holds in front of
        # our older records after a reconnect, and so change their order. What the dead link
        # swallowed is still in flight.
        transport = self._client._transport  # noqa: SLF001
        if not blobs or transport is None or not self._on_this_link():
            return None
        try:
            transport.write(blobs[0] if len(blobs) == 1 else b"".join(blobs))
        except (OSError, RuntimeError) as e:
            # The client finds out by itself and comes back; then all of it is sent again.
            logger.debug("publisher: write failed: %s", e)
            return None
        return transport

    def _on_this_link(self) -> bool:
        return self._client.is_connected and self._client.stats["reconnects"] == self._link

    def _on_answer(self, msg: Msg) -> None:
        """Take what the client has read. Must not raise."""
        try:
            status = msg.headers.get("Status") if msg.headers else None
            now_s = asyncio.get_running_loop().time()
            # What it makes possible is written in this turn: with many records to be taken, the
            # next turn is some milliseconds away, and the server would wait.
            pause, self._pause = self._pause, None
            self._dispatch.answered(msg.subject, msg.data, status, now_s)
            if pause is not None:
                self._pause = pause
                self._write_now(self._dispatch.work(now_s))
                pause.end_at(self._dispatch.due_s)
        except Exception as e:  # noqa: BLE001 - it is `run` that raises it
            # Here it would end the client's reading and look like a lost connection. Logged only,
            # records would be sent again and again, and nobody would know why.
            self._bug = self._bug or e

    def _stir(self, due_s: float) -> None:
        """Have `run` look at what there is, once it is time."""
        if self._pause is not None:
            self._pause.end_at(due_s)

    async def _rest(self, until_s: float) -> None:
        """Return when something happened that `run` should look at, or at this time."""
        self._pause = pause = Pause(asyncio.get_running_loop(), until_s)
        try:
            await pause.ended
        finally:
            pause.close()
            self._pause = None

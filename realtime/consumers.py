"""One browser's WebSocket: reads its commands, writes what the hub delivers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from realtime import services
from realtime.core import protocol
from realtime.core.errors import Overrun, Refused
from realtime.core.protocol import Frame, Ping, Subscribe, Unsubscribe
from realtime.core.session import Session
from realtime.hub import time_ms
from realtime.outbox import Outbox

CLOSE_SIGN_IN = 4401
CLOSE_SLOW = 4008

# How long a client that does not read has to hear why it is closed.
FAREWELL_S = 10.0


class TopicConsumer(AsyncWebsocketConsumer):
    """
    Speaks `realtime.core.protocol` with one signed-in client.

    Only inbound commands go through Channels' dispatch. What the hub delivers goes to the outbox
    by a plain call, and from there one writer sends it.
    """

    # Not configured, on purpose: with a channel of its own, every connection would have a second
    # task, and a thread-pool hop per message and recipient.
    channel_layer_alias = "none"

    async def __call__(
        self,
        scope: Any,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.hub = await services.hub()
        self.outbox = Outbox()
        self.user = scope["user"]
        templates = self.hub.templates
        allowed = partial(services.can_subscribe, self.user, templates=templates)
        self.session = Session(allowed, templates)
        self._conversation = asyncio.current_task()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = self._hung_up = False
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self._hung_up or not self._conversation:
                raise
            self._conversation.uncancel()  # It was `_hang_up`.
        finally:
            self.hub.leave(self)
            for task in self._tasks:
                task.cancel()

    async def connect(self) -> None:
        await self.accept()
        self._writer = self._start(self._write())
        if not self.user.is_authenticated:
            # After accept: a browser cannot see why a handshake was refused.
            await self.close(CLOSE_SIGN_IN, "sign in first")
            return
        hello = protocol.hello(
            epoch=self.hub.epoch, heartbeat_s=self.hub.heartbeat_s, time_ms=time_ms()
        )
        self.deliver(hello)
        self.hub.join(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            asked = self.session.command(text_data, time.monotonic())
        except Refused as e:
            self.deliver(protocol.error(e))
            return
        match asked:
            case Subscribe():
                newest = await self.hub.subscribe(self, asked.topics)
                self.deliver(protocol.subscribed(asked))
                for frame in newest:
                    self.deliver(frame)
            case Unsubscribe():
                self.hub.unsubscribe(self, asked.topics)
                self.deliver(protocol.unsubscribed(asked))
            case Ping():
                self.deliver(protocol.pong(asked, time_ms()))

    def deliver(self, frame: Frame) -> None:
        """Take one frame for this client; see `realtime.hub.Listener`."""
        if self._ended:
            return
        try:
            self.outbox.put(frame)
        except Overrun as e:
            self._ended = True
            self.hub.leave(self)
            self.hub.counts["slow_closed"] += 1
            self._start(self._bid_farewell(str(e)))

    async def _write(self) -> None:
        try:
            while True:
                await self.send(text_data=await self.outbox.take())
        except (OSError, RuntimeError):
            # The server has given the connection up. It does not always say so to `receive`:
            # a peer that stops reading never completes the close.
            self._hang_up()

    async def _bid_farewell(self, reason: str) -> None:
        """Close a connection whose client does not read; end it when even that is not read."""
        self._writer.cancel()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self.close(CLOSE_SLOW, reason)
        except (OSError, RuntimeError):  # TimeoutError is an OSError.
            self._hang_up()

    def _hang_up(self) -> None:
        self._ended = self._hung_up = True
        if self._conversation:
            self._conversation.cancel()

    def _start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

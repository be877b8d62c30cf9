"""
The usual link: every rule of the protocol is checked, by `picows.websockets`.

Two things it leaves to us. A message in very many fragments stays below its cap of bytes and still
fills memory; and a peer that pings without end and reads nothing makes the answers pile up.

A message that comes alone is handed on at once. By way of the library's queue and of the task that
reads it, each would cost another turn of the event loop. Whatever is special about a frame, the
library sees to it.
"""

from __future__ import annotations

import asyncio
import logging
import time

from picows import (
    WSCloseCode,
    WSFrame,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
)
from picows.websockets import ClientConnection, Request, Response, WebSocketException

from pipeline.receive.silence import Silence
from pipeline.receive.stages import Line
from pipeline.receive.unsent import answer_ping

CLOSE_S = 1.0
MAX_MESSAGE = 1024 * 1024
MAX_FRAGMENTS = 1024
# Frames that wait for us; beyond that the socket is not read.
MAX_QUEUE = 16
WRITE_LIMIT = 32 * 1024
# Of messages that are there already, before others have their turn: the publisher above all.
AT_ONCE = 16


class CheckedLink(ClientConnection):
    """One link that hands on whole messages."""

    def __init__(
        self,
        line: Line,
        request: WSUpgradeRequest,
        response: WSUpgradeResponse,
        logger: logging.Logger,
    ) -> None:
        super().__init__(
            request=Request.from_picows(request),
            response=Response.from_picows(response),
            subprotocol=None,
            permessage_deflate=None,
            # Silence is measured on messages. A ping would only end links whose reading we paused.
            ping_interval=None,
            ping_timeout=None,
            # A peer that hangs does not answer our close either.
            close_timeout=CLOSE_S,
            max_queue=MAX_QUEUE,
            write_limit=WRITE_LIMIT,
            max_message_size=MAX_MESSAGE,
            max_frame_size=MAX_MESSAGE,
            logger=logger,
        )
        self._line = line
        self._silence: Silence | None = None
        # Messages in the library's queue: what comes after them waits there, too.
        self._queued = 0
        self._full = False
        self._bug: BaseException | None = None
        self._fragments = 0
        self._wire: WSTransport | None = None
        self._over = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._wire = transport
        super().on_ws_connected(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._over:
            return  # What was still in the buffer: each would be another error to the library.
        kind = frame.msg_type
        if kind == _PING:
            answer_ping(transport, frame)
            return
        silence = self._silence
        if (
            silence is not None
            and kind == _TEXT
            and frame.fin
            and frame.last_in_buffer
            and not (self._queued or self._fragments or self._full or frame.rsv1)
            and frame.payload_size <= MAX_MESSAGE
        ):
            self._hand_on(transport, frame.get_payload_as_bytes(), silence)
            return
        try:
            if not frame.fin:
                self._count_fragment()
            elif kind in _DATA:
                self._fragments = 0
                self._queued += 1
            super().on_ws_frame(transport, frame)
        except WSProtocolError:
            self._over = True
            raise

    def _count_fragment(self) -> None:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def _hand_on(self, transport: WSTransport, message: bytes, silence: Silence) -> None:
        received_ns = time.time_ns()
        silence.broken()
        try:
            self._full = not self._line.accept(message, received_ns)
        except BaseException as e:  # noqa: BLE001 - `read` raises it; the library would log it
            self._bug = e
            self._over = True
            transport.disconnect(graceful=False)

    async def read(self, silence: Silence) -> None:
        """
        Hand on messages, in order.

        Raises:
            WebSocketException: The link is closed.
        """
        self._silence = silence
        try:
            await self._read_queue(silence)
        except WebSocketException:
            if self._bug is not None:
                raise self._bug from None
            raise

    async def _read_queue(self, silence: Silence) -> None:
        line = self._line
        taken = 0
        while True:
            message = await self.recv(decode=False)
            received_ns = time.time_ns()
            taken += 1
            if not taken % AT_ONCE:
                await asyncio.sleep(0)
            if self._full:
                # Not reading is what slows the peer down.
                with silence.excused():
                    await line.room()
            assert isinstance(message, bytes)  # decode=False
            silence.broken()
            self._full = not line.accept(message, received_ns)
            self._queued -= 1

    async def say(self, text: bytes) -> None:
        await self.send(text, text=True)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        try:
            await super().close(code, reason)
        except asyncio.CancelledError:
            # Nobody waits for the peer any longer. Left alone, its socket would stay open.
            if self._wire is not None:
                self._wire.disconnect(graceful=False)
            await self.wait_closed()
            raise


_TEXT, _PING = WSMsgType.TEXT, WSMsgType.PING
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)

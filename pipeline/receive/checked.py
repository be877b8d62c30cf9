"""
The usual link: every rule of the protocol is checked, by `picows.websockets`.

Two things it leaves to us. A message in very many fragments stays below its cap of bytes and still
fills memory; and a peer that pings without end and reads nothing makes the answers pile up.
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
from picows.websockets import ClientConnection, Request, Response

from pipeline.receive.silence import Silence
from pipeline.receive.stages import Line
from pipeline.receive.unsent import answer_ping

CLOSE_S = 1.0
MAX_MESSAGE = 1024 * 1024
MAX_FRAGMENTS = 1024
# Frames that wait for us; beyond that the socket is not read.
MAX_QUEUE = 16
WRITE_LIMIT = 32 * 1024


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
        if kind == WSMsgType.PING:
            answer_ping(transport, frame)
            return
        try:
            if not frame.fin:
                self._count_fragment()
            elif self._fragments and kind in _DATA:
                self._fragments = 0
            super().on_ws_frame(transport, frame)
        except WSProtocolError:
            self._over = True
            raise

    def _count_fragment(self) -> None:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, "too many fragments")

    async def read(self, silence: Silence) -> None:
        """
        Hand on messages, in order.

        Raises:
            WebSocketException: The link is closed.
        """
        line = self._line
        while True:
            message = await self.recv(decode=False)
            received_ns = time.time_ns()
            assert isinstance(message, bytes)  # decode=False
            silence.broken()
            if not line.accept(message, received_ns):
                # Not reading is what slows the peer down.
                with silence.excused():
                    await line.room()

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


_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)

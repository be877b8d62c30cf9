"""
The link to a feed of one's own: each frame is handed on where it lies, without copying it.

No check but size and order of fragments. Nothing is ever raised into the library: it would close
the link and log a traceback for every frame that it still holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport

from pipeline.core.errors import LinkLost
from pipeline.receive.silence import Silence
from pipeline.receive.stages import Line
from pipeline.receive.unsent import answer_ping, has_room
from pipeline.receive.words import said

CLOSE_S = 1.0
MAX_MESSAGE = 1024 * 1024
# As many tiny ones as fit into a message would keep the other sources waiting.
MAX_FRAGMENTS = 1024


class RawLink(WSListener):
    """One link that hands on views of the read buffer; they die when `accept` returns."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._transport: WSTransport | None = None
        self._pieces = bytearray()
        self._fragments = 0
        self._within = False
        self._news = asyncio.Event()
        self._error: BaseException | None = None
        self._ended = False
        self._full = False
        self._silence: Silence | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._ended:
            return
        try:
            self._take(transport, frame)
        except BaseException as e:  # noqa: BLE001 - `read` raises it
            self._end(transport, e)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._ended = True
        self._news.set()

    async def read(self, silence: Silence) -> None:
        """
        Return when the link is closed.

        Raises:
            LinkLost: A message was too big, or broken into pieces that do not fit, or the library
                objected to a frame.
        """
        self._silence = silence
        while not self._ended:
            await self._news.wait()
            self._news.clear()
            if self._full and not self._ended:
                with silence.excused():
                    await self._line.room()
                self._full = False
                assert self._transport is not None
                self._transport.underlying_transport.resume_reading()
        if self._error is not None:
            raise self._error
        assert self._transport is not None
        try:
            # What the library objected to, it tells only whoever asks.
            await self._transport.wait_disconnected()
        except WSError as e:
            raise LinkLost(f"closed: {said(e)}") from e

    async def say(self, text: bytes) -> None:
        if self._transport is None or self._transport.is_disconnected:
            return  # `read` says so.
        if not has_room(self._transport):
            raise LinkLost("the peer does not read")
        self._transport.send(WSMsgType.TEXT, text)

    async def close(self) -> None:
        self._ended = True  # What still comes is nobody's.
        transport = self._transport
        if transport is None:
            return
        if not transport.is_disconnected:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        try:
            # Also of a link that is closed: what the library objected to waits to be asked for.
            with contextlib.suppress(TimeoutError, OSError, WSError):
                async with asyncio.timeout(CLOSE_S):
                    await transport.wait_disconnected()
        finally:
            if not transport.is_disconnected:
                transport.disconnect(graceful=False)

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        # The library objects too, and hands it on all the same.
        if frame.payload_size > MAX_MESSAGE:
            raise LinkLost("closed: a message too big")
        if kind in (WSMsgType.TEXT, WSMsgType.BINARY) and frame.fin and not self._within:
            self._hand_on(transport, frame.get_payload_as_memoryview())
        elif kind in _DATA:
            self._add(transport, frame, follows=kind == WSMsgType.CONTINUATION)
        elif kind == WSMsgType.PING:
            answer_ping(transport, frame)
        elif kind == WSMsgType.CLOSE:
            # Not the peer's own code: it need not have one, and what the library then says is none.
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def _add(self, transport: WSTransport, frame: WSFrame, *, follows: bool) -> None:
        if follows is not self._within:
            raise LinkLost("closed: fragments in no order")
        if len(self._pieces) + frame.payload_size > MAX_MESSAGE:
            raise LinkLost("closed: a message too big")
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            raise LinkLost("closed: too many fragments")
        self._pieces += frame.get_payload_as_memoryview()
        self._within = not frame.fin
        if frame.fin:
            whole, self._pieces = self._pieces, bytearray()
            self._fragments = 0
            self._hand_on(transport, memoryview(whole))

    def _hand_on(self, transport: WSTransport, message: memoryview) -> None:
        received_ns = time.time_ns()
        if self._silence is not None:
            self._silence.broken()
        # What is still in the read buffer comes although we pause; there is little of it.
        if not self._line.accept(message, received_ns) and not self._full:
            self._full = True
            transport.underlying_transport.pause_reading()
            self._news.set()

    def _end(self, transport: WSTransport, error: BaseException) -> None:
        self._error = error
        self._ended = True
        self._news.set()
        transport.disconnect(graceful=False)


_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)

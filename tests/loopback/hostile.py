"""
Peers that mean harm, over real sockets, and an honest one beside them.

A peer is a TCP server that writes the bytes of its attack by hand: no library would let it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

MB = 1024 * 1024
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HONEST = "HONESTUSDT"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(  # noqa: PLR0913
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    fin: bool = True,
    rsv1: bool = False,
    size: int | None = None,
    mask: bytes | None = None,
) -> bytes:
    """
    Return one frame.

    Args:
        size: What it declares instead of its size.
        mask: Four bytes; a server must not.
    """
    size = len(payload) if size is None else size
    first = opcode | 0x80 * fin | 0x40 * rsv1
    masked = 0x80 if mask else 0
    if size < 126:
        head = bytes([first, size | masked])
    elif size < 65536:
        head = bytes([first, 126 | masked]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 127 | masked]) + size.to_bytes(8, "big")
    if mask:
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return head + (mask or b"") + payload


def trade(number, symbol="BTCUSDT", at_ms=1):
    data = {
        "e": "trade", "E": at_ms, "s": symbol, "t": number, "p": "1.5", "q": "2", "T": at_ms,
        "m": True,
    }  # fmt: skip
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": data}).encode()


@lru_cache(maxsize=1)
def bomb(megabytes=200):
    """Return a few hundred kB that unfold into this much."""
    zipped = zlib.compressobj(9, wbits=-15)
    parts = [zipped.compress(b"0" * MB) for _ in range(megabytes)]
    return b"".join([*parts, zipped.flush(zlib.Z_SYNC_FLUSH)])[:-4]


class Link:
    """One client of a hostile peer; its request has been read."""

    def __init__(self, reader, writer, request):
        self._reader = reader
        self._writer = writer
        self.request = request

    async def send(self, *parts):
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()

    async def accept(self, *headers):
        (key,) = [
            line.partition(b":")[2].strip()
            for line in self.request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        ]
        proof = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 - RFC 6455
        lines = [
            b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + proof, *headers, b"", b"",
        ]  # fmt: skip
        await self.send(b"\r\n".join(lines))

    async def pause(self, seconds):
        await asyncio.sleep(seconds)

    async def hear(self):
        """Return what the client says next; b"" when it has closed."""
        return await self._reader.read(MB)

    async def gone(self):
        """Return when the client has closed; what it says is read and forgotten."""
        while await self._reader.read(MB):
            pass


Deed = Callable[[Link], Awaitable[None]]


@asynccontextmanager
async def peer(deed: Deed):
    """Serve this to every client; yield `host:port`."""
    talks: list[Any] = []

    async def talk(reader, writer):
        talks.append(asyncio.current_task())
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await deed(Link(reader, writer, await reader.readuntil(b"\r\n\r\n")))
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def says(*frames, again=False):
    """Return the deed of a peer that shakes hands, says this, and waits."""

    async def deed(link):
        await link.accept()
        await link.send(*frames)
        while again:
            await link.send(*frames)
        await link.gone()

    return deed


def answers(*parts, again=False):
    """Return the deed of a peer that answers the handshake with this, and waits."""

    async def deed(link):
        await link.send(*parts)
        while again:
            await link.send(*parts)
        await link.gone()

    return deed


class Honest:
    """
    Says a trade every few milliseconds, with the time when it is said; their numbers go on over
    all its links.
    """

    def __init__(self):
        self.sent = self.links = 0

    async def __call__(self, link):
        self.links += 1
        await link.accept()
        while True:
            self.sent += 1
            await link.send(frame(trade(self.sent, HONEST, time.time_ns() // 1_000_000)))
            await asyncio.sleep(0.005)

"""Peers that mean harm, byte by byte: what they send must fill no memory and crash nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import resource
import struct
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest

from pipeline.core.errors import LinkLost
from pipeline.core.spec import SourceSpec
from pipeline.receive import websocket
from tests.loopback.test_websocket import Pages

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, PING = 0x0, 0x1, 0x9
MB = 1024 * 1024


def frame(opcode, payload=b"", *, fin=True, size=None, rsv1=False):
    head = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode
    length = len(payload) if size is None else size
    if length < 126:
        return bytes([head, length]) + payload
    return bytes([head, 127]) + struct.pack(">Q", length) + payload


@contextmanager
def closing_at_once(writer):
    try:
        yield
    finally:
        writer.transport.abort()


@asynccontextmanager
async def peer(talk):
    """A server that shakes hands, then does what `talk` does with the bare connection."""
    talks: list[Any] = []

    async def serve(reader, writer):
        talks.append(asyncio.current_task())
        # The stream's own callback takes a cancelled task for a bug.
        with (
            suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError),
            closing_at_once(writer),
        ):
            head = await reader.readuntil(b"\r\n\r\n")
            key = head.lower().partition(b"sec-websocket-key: ")[2].partition(b"\r\n")[0]
            at = head.lower().index(key)
            digest = hashlib.sha1(head[at : at + len(key)] + GUID).digest()  # noqa: S324
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                + base64.b64encode(digest)
                + b"\r\n\r\n"
            )
            await talk(reader, writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def hold(port, *, trusted, silence_s=3.0):
    line = Pages()
    line.url = f"ws://127.0.0.1:{port}/"
    spec = SourceSpec(
        source_id="a", protocol="websocket", endpoint=line.url, venue="binance",
        silence_s=silence_s, trusted=trusted,
    )  # fmt: skip
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LinkLost) as caught:
        await websocket.hold(spec, line, None)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 40 * 1024
    return line.frames, str(caught.value)


def endlessly(chunk):
    async def talk(reader, writer):
        while True:
            writer.write(chunk)
            await writer.drain()

    return talk


def once(data):
    async def talk(reader, writer):
        writer.write(data)
        await writer.drain()
        await reader.read()

    return talk


EMPTY_FRAGMENTS = frame(CONTINUATION, fin=False) * 10_000
WITH_PINGS = (frame(CONTINUATION, fin=False) + frame(PING)) * 5_000


@pytest.mark.parametrize("more", [EMPTY_FRAGMENTS, WITH_PINGS], ids=["bare", "with pings"])
async def test_fragments_without_end_fill_no_memory(more):
    async def talk(reader, writer):
        writer.write(frame(TEXT, b"x", fin=False))
        await endlessly(more)(reader, writer)

    async with peer(talk) as port:
        frames, said = await hold(port, trusted=False)

    assert frames == []
    assert "closed" in said


async def test_pings_without_end_whose_answers_nobody_reads_fill_no_memory():
    async with peer(endlessly(frame(PING, b"x" * 125) * 1_000)) as port:
        for trusted in (False, True):
            frames, said = await hold(port, trusted=trusted, silence_s=1.0)
            assert frames == []
            assert "silent" in said


@pytest.mark.parametrize("trusted", [False, True], ids=["checked", "raw"])
@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, size=64 * MB) + b"x" * MB,
        (frame(TEXT, b"x" * 600_000, fin=False) + frame(CONTINUATION, b"x" * 600_000)),
        frame(CONTINUATION, b"no beginning"),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"not the end"),
        frame(0x3, b"reserved"),
        bytes([0x81, 0x81]) + b"maskx",
        frame(TEXT, b"half", size=100),
    ],
    ids=[
        "64 MB", "two big pieces", "no beginning", "no end", "reserved", "masked", "half a frame",
    ],
)  # fmt: skip
async def test_what_breaks_the_protocol_ends_the_link_and_reaches_nobody(data, trusted):
    async with peer(once(data)) as port:
        frames, _ = await hold(port, trusted=trusted, silence_s=1.0)

    assert frames == []


async def test_compression_that_nobody_asked_for_is_not_taken():
    async with peer(once(frame(TEXT, b"\x00", rsv1=True))) as port:
        frames, said = await hold(port, trusted=False)

    assert frames == []
    assert "closed" in said

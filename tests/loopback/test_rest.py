from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import zlib
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from pipeline.core.errors import LinkLost, Throttled
from pipeline.receive.rest import Rest

MB = 1024 * 1024


@asynccontextmanager
async def host(*parts, status="200 OK", headers=(), pause_s=0.0, asked=None):
    """An HTTP server that answers everything with these bytes, part by part, then closes."""

    talks: list[Any] = []

    async def talk(reader, writer):
        talks.append(asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = await reader.readuntil(b"\r\n\r\n")
                if asked is not None:
                    asked.append(head.decode())
                lines = [f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]
                writer.write("\r\n".join(lines).encode())
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause_s)
        finally:
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@pytest.fixture
async def rest():
    found = Rest(None)
    yield found
    await found.close()


async def test_a_body_comes_whole(rest):
    asked: list[str] = []
    async with host(b'{"a":', b" 1}", asked=asked) as url:
        assert await rest.get(url + "/api/v3/depth?symbol=BTCUSDT") == b'{"a": 1}'

    assert asked[0].startswith("GET /api/v3/depth?symbol=BTCUSDT HTTP/1.1")


async def test_a_body_in_gzip_is_unfolded(rest):
    async with host(gzip.compress(b"x" * 100_000), headers=["Content-Encoding: gzip"]) as url:
        assert await rest.get(url) == b"x" * 100_000


def bomb(size):
    """Return a small gzip body that unfolds into `size` bytes."""
    zipped = zlib.compressobj(9, wbits=31)
    return b"".join([*(zipped.compress(bytes(MB)) for _ in range(size // MB)), zipped.flush()])


async def test_a_bomb_goes_off_in_nobodys_memory(rest):
    body = bomb(150 * MB)
    assert len(body) < MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async with host(body, headers=["Content-Encoding: gzip"]) as url:
        with pytest.raises(LinkLost, match="more than 8388608 bytes"):
            await rest.get(url)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # kB


async def test_more_than_allowed_is_not_read(rest):
    async with host(*[bytes(MB)] * 64) as url:
        with pytest.raises(LinkLost, match="more than 1000 bytes"):
            await rest.get(url, 1000)


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        ("429 Too Many Requests", ["Retry-After: 7"], 7),
        ("418 I'm a teapot", ["Retry-After: 999999999999"], 3600),
        ("429 Too Many Requests", ["Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"], 60),
        ("429 Too Many Requests", ["Retry-After: -5"], 60),
        ("429 Too Many Requests", ["Retry-After: 0"], 1),
        ("418 I'm a teapot", [], 60),
    ],
)
async def test_too_many_calls_say_how_long_to_wait(rest, status, headers, wait_s):
    async with host(status=status, headers=headers) as url:
        with pytest.raises(Throttled) as caught:
            await rest.get(url)

    assert caught.value.wait_s == wait_s


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        ("500 Oops", [], b""),
        ("302 Found", ["Location: http://127.0.0.1:1/"], b""),
        ("200 OK", ["Content-Encoding: gzip"], b"no gzip"),
        ("200 OK", ["Content-Encoding: gzip"], gzip.compress(b"x" * 1000)[:-9]),
        ("200 OK", ["Content-Encoding: br"], b"x"),
        ("200 OK", ["Content-Length: 10"], b"short"),
        ("two hundred", [], b""),
        ("200 OK", ["Transfer-Encoding: chunked"], b"zz\r\n"),
    ],
)
async def test_whatever_else_it_answers_is_a_lost_link(rest, status, headers, body):
    async with host(body, status=status, headers=headers) as url:
        with pytest.raises(LinkLost, match="REST"):
            await rest.get(url)


async def test_a_body_that_drips_is_given_up(rest):
    async with host(*[b"x"] * 1000, pause_s=0.01) as url:
        with pytest.raises(LinkLost, match=r"within 0\.3 s"):
            await rest.get(url, within_s=0.3)


async def test_nobody_there_is_a_lost_link(rest):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        with pytest.raises(LinkLost, match="REST"):
            await rest.get(f"http://127.0.0.1:{unused.getsockname()[1]}/")

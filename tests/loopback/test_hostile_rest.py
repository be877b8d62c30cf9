"""
REST that means harm, or fails, beside a WebSocket that works: trades flow, another source is not
touched, memory is bounded, and once the answers are good the books are whole.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import resource
import zlib
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pipeline.core.status import State
from pipeline.simulate import simulating
from streams.core.proto.market_pb2 import FLAG_SNAPSHOT
from tests.loopback.hostile import MB
from tests.loopback.supervised import house, spec

TICK_S = 0.03
# A bomb of 300 MB, a body without end: nothing of that is kept.
MOST_GROWN_MB = 80


@lru_cache(maxsize=1)
def bomb(megabytes=300):
    zipped = zlib.compressobj(9, wbits=31)
    return b"".join([*(zipped.compress(bytes(MB)) for _ in range(megabytes)), zipped.flush()])


class Host:
    """
    A REST host that answers calls for `what` by `deed` until it is `good`, then as the exchange.

    Attributes:
        asked: The paths, with their queries.
    """

    def __init__(self, exchange, deed, what="depth"):
        self.exchange = exchange
        self.what = what
        self.deed = deed
        self.good = False
        self.asked: list[str] = []
        self._talks: list[Any] = []

    @asynccontextmanager
    async def serving(self):
        async with await asyncio.start_server(self._talk, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for task in self._talks:
                task.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader, writer):
        self._talks.append(asyncio.current_task())
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
                    self.asked.append(path)
                    await self._answer(path, writer)
        finally:
            writer.transport.abort()

    async def _answer(self, path, writer):
        if not self.good and self.what in path:
            await self.deed(path, writer)
            return
        parts = urlsplit(path)
        found = self.exchange.mouth.rest(parts.path, dict(parse_qsl(parts.query)), 0)
        writer.write(_head(f"Content-Length: {len(found.body)}") + found.body)
        await writer.drain()


def _head(*headers, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def says(body=b"", *headers, status="200 OK"):
    """Return the deed of a host that answers with this."""

    async def deed(path, writer):
        writer.write(_head(*headers, f"Content-Length: {len(body)}", status=status) + body)
        await writer.drain()

    return deed


def pours(part, *headers, again=10_000, pause_s=0.0):
    """Return the deed of a host whose answer does not end."""

    async def deed(path, writer):
        writer.write(_head(*headers))
        for _ in range(again):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return deed


async def _hangs_up(path, writer):
    writer.transport.abort()


async def _elsewhere(path, writer):
    address = writer.get_extra_info("sockname")
    target = f"Location: http://127.0.0.1:{address[1]}/stolen"
    writer.write(_head(target, "Content-Length: 0", status="302 Found"))
    await writer.drain()


LEVELS = b",".join(b'["%d","1"]' % number for number in range(1, 700_000))

# What the host does, and which reason is counted of an answer that came, if any.
ATTACKS = {
    "a bomb of 300 MB": (
        lambda: says(bomb(), "Content-Encoding: gzip"), "",
    ),
    "a body without end": (lambda: pours(b"x" * MB), ""),
    "chunks without end": (
        lambda: pours(b"100000\r\n" + b"x" * MB + b"\r\n", "Transfer-Encoding: chunked"), "",
    ),
    "damaged gzip": (lambda: says(gzip.compress(b"{}")[:-9], "Content-Encoding: gzip"), ""),
    "an encoding that nobody asked for": (lambda: says(b"x", "Content-Encoding: br"), ""),
    "500": (lambda: says(b"oops", status="500 Oops"), ""),
    "a status that is none": (lambda: says(status="two hundred"), ""),
    "elsewhere": (lambda: _elsewhere, ""),
    "hanging up": (lambda: _hangs_up, ""),
    "no JSON": (lambda: says(b"<html>"), "json"),
    "bad UTF-8": (lambda: says(b'{"lastUpdateId":5,"bids":[["\xff","1"]],"asks":[]}'), "text"),
    "another shape": (lambda: says(b"[1]"), "shape"),
    "nothing": (says, "json"),
    "an error in JSON": (lambda: says(b'{"code":-1121,"msg":"Invalid symbol."}'), "shape"),
    "NaN": (lambda: says(b'{"lastUpdateId":5,"bids":[["NaN","1"]],"asks":[]}'), "number"),
    "1e400": (lambda: says(b'{"lastUpdateId":5,"bids":[["1e400","1"]],"asks":[]}'), "number"),
    "nesting": (lambda: says(b"[" * 100_000), "json|shape|nesting"),
    "a number below 0": (lambda: says(b'{"lastUpdateId":-5,"bids":[],"asks":[]}'), "shape"),
    "too large a number": (
        lambda: says(b'{"lastUpdateId":%d,"bids":[],"asks":[]}' % 2**64), "shape",
    ),
    "seven hundred thousand levels": (
        lambda: says(b'{"lastUpdateId":5,"bids":[' + LEVELS + b'],"asks":[]}'), "",
    ),
}  # fmt: skip


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@asynccontextmanager
async def beside_a_good_host(deeds):
    """
    Yield a house, its hostile hosts by name, and its specs, each source of a name of its own; the
    source `honest` has an exchange of its own.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        one = (await enter(simulating("binance", tick_s=TICK_S))).exchanges["binance"]
        other = (await enter(simulating("binance-usdm", tick_s=TICK_S))).exchanges["binance-usdm"]
        hosts = {name: Host(one, deed) for name, deed in deeds.items()}
        specs = [
            spec(one, "BTCUSDT", source_id=name, rest_endpoint=await enter(host.serving()))
            for name, host in hosts.items()
        ]
        here = await enter(house())
        await here.run(spec(other, "BTCUSDT", source_id="honest"), *specs)
        yield here, hosts

        seen = here.status("honest").by_type["orderbook"]
        await here.until(lambda: here.status("honest").by_type["orderbook"] > seen + 5)
        honest = here.status("honest")
        assert (honest.state, honest.gaps, honest.undecodable) == (State.RUNNING, 0, 0)
        assert sum("depth" in call.path for call in other.calls) == 1


async def test_bad_answers_are_asked_for_again_until_they_are_good():
    deeds = {name: make() for name, (make, _) in ATTACKS.items()}
    before_mb = peak_mb()
    async with beside_a_good_host(deeds) as (here, hosts):
        await here.until(lambda: all(len(host.asked) > 1 for host in hosts.values()), 40)
        grown_mb = peak_mb() - before_mb
        for name, (_, reason) in ATTACKS.items():
            status = here.status(name)
            assert (status.state, status.disconnects) == (State.RUNNING, 0), name
            assert status.by_type["trade"] > 0, name
            assert "orderbook" not in status.by_type, name
            if reason:
                assert re.fullmatch(reason, *status.problems), name
            else:
                assert status.problems == {}, name
            assert not any("stolen" in path for path in hosts[name].asked)
            hosts[name].good = True

        await here.until(
            lambda: all(here.status(name).by_type.get("orderbook", 0) > 3 for name in hosts), 60
        )
        controls = here.controls()

    assert controls == []
    assert grown_mb < MOST_GROWN_MB
    books = [m for s, found in here.messages().items() if "orderbook" in s for m in found]
    # All tell of the same exchange, and each begins with its own snapshot.
    assert sum(book.flags & FLAG_SNAPSHOT for book in books) == len(ATTACKS) + 1


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        ("429 Too Many Requests", "31536000"),
        ("429 Too Many Requests", "soon"),
        ("418 I am a teapot", "9" * 4_000),
        ("418 I am a teapot", "-1"),
    ],
)
async def test_who_is_told_to_wait_waits_and_its_trades_flow(status, retry):
    deed = says(b"{}", f"Retry-After: {retry}", status=status)
    async with beside_a_good_host({"throttled": deed}) as (here, hosts):
        await here.until(lambda: hosts["throttled"].asked)
        seen = here.count("trade")
        await here.until(lambda: here.count("trade") > seen + 20)

        found = here.status("throttled")
        assert len(hosts["throttled"].asked) == 1
        assert (found.state, found.undecodable, found.disconnects) == (State.RUNNING, 0, 0)
        assert "orderbook" not in found.by_type


async def test_an_answer_about_another_symbol_is_not_taken():
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        coinm = (await enter(simulating("binance-coinm", tick_s=TICK_S))).exchanges["binance-coinm"]
        symbol, other = coinm.symbols[:2]

        async def mistakes(path, writer):
            found = coinm.mouth.rest("/dapi/v1/depth", {"symbol": other, "limit": "1000"}, 0)
            await says(found.body)(path, writer)

        host = Host(coinm, mistakes)
        at = await enter(host.serving())
        here = await enter(house())
        await here.run(spec(coinm, symbol, rest_endpoint=at))
        await here.until(lambda: len(host.asked) > 1)

        assert list(here.status().problems) == ["shape"]
        assert "orderbook" not in here.status().by_type
        host.good = True
        await here.until(lambda: here.status().by_type.get("orderbook", 0) > 3)


async def test_a_list_of_symbols_beyond_all_measure_opens_no_links():
    many = b",".join(
        b'{"symbol":"A%d","status":"TRADING","baseAsset":"A","quoteAsset":"B",'
        b'"isSpotTradingAllowed":true,"filters":[]}' % number
        for number in range(30_000)
    )
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        binance = (await enter(simulating("binance", tick_s=TICK_S))).exchanges["binance"]
        host = Host(binance, says(b'{"symbols":[' + many + b"]}"), "exchangeInfo")
        at = await enter(host.serving())
        here = await enter(house())
        await here.run(spec(binance, "*", types=("trade",), rest_endpoint=at))
        await here.until(lambda: host.asked)
        await asyncio.sleep(0.5)

        assert (here.status().links, binance.links, binance.heard) == (0, 0, [])
        assert "symbols" in here.status().last_error

"""
A real worker among hostile peers: it lives, it does not grow, and its honest source misses nothing.

Each attack comes over a link that checks the protocol and over one that trusts its peer, all at
the same time; the peers come again as soon as they are let.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.broker.connect import connect
from streams.core.market import decoded
from tests.integration.pipeline.worker import make_stream, spec, stored, worker
from tests.loopback.attacks import FRAMES, HANDSHAKES
from tests.loopback.hostile import MB, Honest, Link, frame, peer, trade

pytestmark = pytest.mark.integration

# What a worker of these many links may take beyond what it has with one.
MOST_GROWN_MB = 100
# And among those that flood it with books and symbols, of which it keeps up to a bound.
FLOODED_MB = 300
FOR_S = 6.0
LOGIN = {"username": "reader", "password": "hush-hush"}


def memory_mb(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(what))
    return int(line.split()[1]) / 1024


class Hostile:
    """A worker, the pid of which is watched, and hostile sources by name."""

    def __init__(self, running, at, honest):
        self.running = running
        self.at = at
        self.honest = honest
        self.own = spec(f"ws://{at['honest']}/ws", "honest")

    def order(self, *specs):
        self.running.order(self.own, *specs)

    def spec(self, name, *, trusted=False, **more):
        kind = "trusted" if trusted else "checked"
        url = f"ws://{self.at[name]}/ws"
        return spec(url, f"{name}, {kind}", trusted=trusted, **{"reconnect_interval": 0.2} | more)

    def status(self, source_id):
        return self.running.source(source_id)


@asynccontextmanager
async def among(nats, deeds: dict[str, Callable[[Link], Awaitable[None]]], most_mb=MOST_GROWN_MB):
    """
    Yield a worker whose honest source runs; afterwards prove that this one was not touched, that
    the worker lives, and that it grew by so much at most.
    """
    honest = Honest()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        running = await enter(worker(nats.url, log_level="ERROR"))
        client = await connect(nats.url, name="test", patience_s=10)
        stack.push_async_callback(client.close)
        await make_stream(client)
        at = {name: await enter(peer(deed)) for name, deed in deeds.items()}
        at["honest"] = await enter(peer(honest))
        here = Hostile(running, at, honest)
        here.order()
        await running.until(lambda: here.status("honest")["received"] > 100)
        before_mb = memory_mb(running.process.pid, "VmRSS:")

        yield here

        seen = here.status("honest")["received"]
        await running.until(lambda: here.status("honest")["received"] > seen + 100)
        grown_mb = memory_mb(running.process.pid, "VmHWM:") - before_mb
        assert running.process.returncode is None
        sent = honest.sent
        assert await running.stop() == 0
        complaints = (await running.process.stderr.read()).decode()
        assert "Traceback" not in complaints
        assert "hush-hush" not in complaints
        assert grown_mb < most_mb, f"{grown_mb:.0f} MB"
        own = here.status("honest")
        assert (own["gaps"], own["undecodable"], honest.links) == (0, 0, 1)
        # Of the honest one all is stored, in its order, and it was never kept waiting.
        found: list[Any] = [
            decoded("trade", payload)
            for subject, payload in await stored(client)
            if subject == "market.binance.HONESTUSDT.trade"
        ]
        trades = [m for m in found if m.trade_id]
        assert [int(m.trade_id) for m in trades] == list(range(1, len(trades) + 1))
        assert len(trades) >= sent - 20  # Some were on their way.
        waits_ms = [(trade.received_ns - trade.event_ns) / 1e6 for trade in trades]
        assert max(waits_ms) < 2_000, f"{max(waits_ms):.0f} ms"
        figures = f"grown by {grown_mb:.0f} MB from {before_mb:.0f}; kept waiting "
        figures += f"{statistics.median(waits_ms):.1f} ms, {max(waits_ms):.0f} at most"
        print(figures)  # noqa: T201 - shown when it fails


async def test_no_attack_on_a_link_ends_the_worker_or_fills_its_memory(own_nats):
    attacks = FRAMES | HANDSHAKES
    deeds = {name: attack.deed for name, attack in attacks.items()}
    async with among(own_nats, deeds) as here:
        names = [(name, trusted) for name in attacks for trusted in (False, True)]
        here.order(
            *[
                here.spec(
                    name, trusted=trusted, silence_s=attacks[name].silence_s, credentials=LOGIN
                )
                for name, trusted in names
            ]
        )
        await asyncio.sleep(FOR_S)

        sources = [here.spec(name, trusted=trusted)["source_id"] for name, trusted in names]
        # Each was tried, and none is anything else than what a source can be.
        for source_id in sources:
            found = here.status(source_id)
            assert found["state"] in ("connecting", "running", "reconnecting", "degraded")
            assert found["last_error"].isprintable()
            assert "hush-hush" not in found["last_error"]
        ended = [source_id for source_id in sources if here.status(source_id)["last_error"]]
        assert len(ended) > len(sources) * 0.8


def says_without_end(make):
    """Return the deed of a peer that says these frames, each made anew, as fast as it is read."""

    async def deed(link):
        await link.accept()
        for number in itertools.count():
            await link.send(make(number))

    return deed


def other_symbols(number):
    return b"".join(frame(trade(1, f"A{number}B{n}USDT")) for n in range(200))


def other_books(number):
    symbol = f"A{number}USDT"
    return frame(depth(symbol, 1, 2, [[str(price), "1"] for price in range(1, 2_000)]))


def absurd_numbers(number):
    last = (2**63 - 1, 0, 1, 2**62, 5)[number % 5]
    return frame(depth("BTCUSDT", max(last - number, 0), last, [["1.0", "1"]]))


def depth(symbol, first, last, bids):
    data = {
        "e": "depthUpdate", "E": 1, "s": symbol, "U": first, "u": last, "b": bids, "a": [],
    }  # fmt: skip
    return json.dumps({"stream": f"{symbol.lower()}@depth", "data": data}).encode()


def a_million_levels(number):
    """The book of OKX, which begins with a snapshot of its channel and so is kept."""
    prices = [f"{number * 1_000 + n}" for n in range(1_000)]
    data = {
        "bids": [[price, "1", "0", "1"] for price in prices],
        "asks": [[f"9{price}", "1", "0", "1"] for price in prices],
        "ts": "1", "seqId": number + 1, "prevSeqId": number or -1,
    }  # fmt: skip
    arg = {"channel": "books", "instId": "BTC-USDT"}
    action = "update" if number else "snapshot"
    return frame(json.dumps({"arg": arg, "action": action, "data": [data]}).encode())


def okx_symbols(number):
    """Each with prices of its own, which its decoder remembers."""
    levels = [[f"{n}.{number}", f"{n}", "0", "1"] for n in range(1, 1_000)]
    data = {"bids": levels, "asks": [], "ts": "1", "seqId": 1, "prevSeqId": -1}
    arg = {"channel": "books", "instId": f"A{number}-USDT"}
    return frame(json.dumps({"arg": arg, "action": "snapshot", "data": [data]}).encode())


def long_names(number):
    return frame(json.dumps({"stream": "x" * 500_000 + str(number), "data": {}}).encode())


def long_channels(number):
    params = {"channel": "quote." + "x" * 500_000 + str(number), "data": {}}
    return frame(json.dumps({"method": "subscription", "params": params}).encode())


def nesting(number):
    return frame(b"[" * (MB - 1))


# What is said without end, and by which exchange.
FLOODS = {
    "symbols": (other_symbols, "binance"),
    "books": (other_books, "binance"),
    "absurd numbers": (absurd_numbers, "binance"),
    "a million levels": (a_million_levels, "okx"),
    "books of okx": (okx_symbols, "okx"),
    "names of half a megabyte": (long_names, "binance"),
    "channels of half a megabyte": (long_channels, "deribit"),
    "nesting": (nesting, "binance"),
}


async def test_no_flood_of_words_ends_the_worker_or_fills_its_memory(own_nats):
    deeds = {name: says_without_end(make) for name, (make, _) in FLOODS.items()}
    async with among(own_nats, deeds, FLOODED_MB) as here:
        here.order(
            *[
                here.spec(name, trusted=trusted, venue=venue)
                for name, (_, venue) in FLOODS.items()
                for trusted in (False, True)
            ],
            # Of whom all that comes was asked for: nothing else is taken.
            here.spec("symbols", venue="binance") | ASKED,
        )
        flooded = [f"{name}, {kind}" for name in FLOODS for kind in ("checked", "trusted")]
        await here.running.until(
            lambda: all(here.status(one)["received"] > 10 for one in flooded), 60
        )
        await asyncio.sleep(FOR_S / 2)

        for one in flooded:
            found = here.status(one)
            assert (found["state"], found["disconnects"]) == ("running", 0), found
        for name in ("names of half a megabyte", "channels of half a megabyte", "nesting"):
            found = here.status(f"{name}, checked")
            assert found["undecodable"] == found["received"]
        asked = here.status("asked")
        assert (asked["unasked"], asked["published"]) == (asked["received"], 0)


ASKED = {"source_id": "asked", "types": ["trade"], "symbols": ["BTCUSDT"], "silence_s": 60.0}

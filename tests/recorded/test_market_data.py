"""Recorded frames through the real replay server, worker and nats-server, compared one to one."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal

import pytest

from streams.broker.connect import connect
from streams.core.proto.market_pb2 import Aggressor, Kline, OrderBook, Ticker, Trade
from tests.integration.pipeline.worker import ROOT, make_stream, spec, stored, worker

pytestmark = [pytest.mark.integration, pytest.mark.recorded]

MESSAGES = {"trade": Trade, "ticker": Ticker, "orderbook": OrderBook, "kline": Kline}


def hftbacktest_frames(path):
    with gzip.open(path, "rb") as file:
        frames = [json.loads(line.partition(b" ")[2]) for line in file]
    return [frame for frame in frames if "stream" in frame]


def cryptofeed_frames(path):
    lines = path.read_bytes().splitlines()
    return [json.loads(line.partition(b": ")[2]) for line in lines if line[:1].isdigit()]


def expected(frame):
    """Return (subject, what the message must say) by the slow way."""
    data = frame["data"]
    channel = frame["stream"].split("@", 1)[1]
    if channel in ("trade", "aggTrade"):
        return f"market.binance.{data['s']}.trade", {
            "symbol": data["s"],
            "event_ns": data["E"] * 10**6,
            "trade_ns": data["T"] * 10**6,
            "trade_id": str(data["t"] if channel == "trade" else data["a"]),
            "price": Decimal(data["p"]),
            "quantity": Decimal(data["q"]),
            "aggressor": "AGGRESSOR_SELLER" if data["m"] else "AGGRESSOR_BUYER",
        }
    if channel == "bookTicker":
        return f"market.binance.{data['s']}.ticker", {
            "symbol": data["s"],
            "event_ns": 0,
            "last_seq": data["u"],
            "bid": (Decimal(data["b"]), Decimal(data["B"])),
            "ask": (Decimal(data["a"]), Decimal(data["A"])),
        }
    if channel == "kline_1m":
        candle = data["k"]
        return f"market.binance.{data['s']}.kline.1m", {
            "symbol": data["s"],
            "event_ns": data["E"] * 10**6,
            "open_ns": candle["t"] * 10**6,
            "prices": [Decimal(candle[name]) for name in "ohlc"],
            "volume": Decimal(candle["v"]),
            "trades": candle["n"],
            "closed": candle["x"],
        }
    return f"market.binance.{data['s']}.orderbook", {
        "symbol": data["s"],
        "event_ns": data["E"] * 10**6,
        "first_seq": data["U"],
        "last_seq": data["u"],
        "bids": [(Decimal(p), Decimal(q)) for p, q in data["b"]],
        "asks": [(Decimal(p), Decimal(q)) for p, q in data["a"]],
    }


def said(subject, payload):
    """Return what a stored message says, in the words of `expected`."""
    kind = subject.split(".")[3]
    message = MESSAGES[kind]()
    message.ParseFromString(payload)
    assert message.venue == "binance"
    assert 0 < message.received_ns <= message.published_ns

    def price(number):
        return Decimal(number).scaleb(message.price_exponent)

    def quantity(number):
        return Decimal(number).scaleb(message.quantity_exponent)

    def levels(prices, quantities):
        return [(price(p), quantity(q)) for p, q in zip(prices, quantities, strict=True)]

    found = {"symbol": message.symbol, "event_ns": message.event_ns}
    if kind == "trade":
        return found | {
            "trade_ns": message.trade_ns,
            "trade_id": message.trade_id,
            "price": price(message.price),
            "quantity": quantity(message.quantity),
            "aggressor": Aggressor.Name(message.aggressor),
        }
    if kind == "ticker":
        return found | {
            "last_seq": message.last_seq,
            "bid": (price(message.bid_price), quantity(message.bid_quantity)),
            "ask": (price(message.ask_price), quantity(message.ask_quantity)),
        }
    if kind == "kline":
        return found | {
            "open_ns": message.open_ns,
            "prices": [
                price(number) for number in (message.open, message.high, message.low, message.close)
            ],
            "volume": quantity(message.volume),
            "trades": message.trades,
            "closed": message.closed,
        }
    return found | {
        "first_seq": message.first_seq,
        "last_seq": message.last_seq,
        "bids": levels(message.bid_prices, message.bid_quantities),
        "asks": levels(message.ask_prices, message.ask_quantities),
    }


async def replayed(path, nats, within_s):
    """Return (what the replay says it sent, the worker's last status, everything stored)."""
    replay = await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", "replay", str(path),
        "--speed", "max", "--once", "--json", "--port", "0",
        stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert replay.stdout
    client = await connect(nats.url, name="test", patience_s=10)
    try:
        await make_stream(client)
        async with asyncio.timeout(within_s):
            url = json.loads(await replay.stdout.readline())["url"]
            async with worker(nats.url) as running:
                running.order(spec(url))
                report = json.loads(await replay.stdout.readline())
                assert await replay.wait() == 0
                assert await running.stop() == 0
            return report, running.latest, await stored(client)
    finally:
        if replay.returncode is None:
            replay.kill()
        await client.close()


def by_subject(pairs):
    found = defaultdict(list)
    for subject, value in pairs:
        found[subject].append(value)
    return found


async def test_every_recorded_frame_arrives_equal_and_in_order(own_nats, recorded_data):
    path = recorded_data / "hftbacktest" / "spot_btcusdt_20240808.gz"
    frames = hftbacktest_frames(path)
    assert len(frames) == 41_248

    report, status, messages = await replayed(path, own_nats, within_s=90)

    assert report["frames"] == 41_248
    assert len(messages) == 41_248
    wanted = by_subject(expected(frame) for frame in frames)
    found = by_subject((subject, said(subject, payload)) for subject, payload in messages)
    assert {subject: len(values) for subject, values in found.items()} == {
        "market.binance.BTCUSDT.ticker": 28_040,
        "market.binance.BTCUSDT.trade": 9_757,
        "market.binance.BTCUSDT.orderbook": 3_451,
    }
    for subject, values in wanted.items():
        assert found[subject] == values
    (source,) = status["sources"]
    assert (source["received"], source["published"]) == (41_248, 41_248)
    assert (source["ignored"], source["undecodable"]) == (0, 0)
    assert status["publisher"]["acknowledged"] == 41_248
    assert status["publisher"]["duplicates"] == 0


async def test_the_other_recording_arrives_too(own_nats, recorded_data):
    path = recorded_data / "cryptofeed" / "BINANCE.ws.1.0"
    frames = cryptofeed_frames(path)
    assert len(frames) == 265

    report, status, messages = await replayed(path, own_nats, within_s=60)

    assert report["frames"] == 265
    assert len(messages) == 265
    wanted = by_subject(map(expected, frames))
    found = by_subject((subject, said(subject, payload)) for subject, payload in messages)
    assert found == wanted
    (source,) = status["sources"]
    assert (source["received"], source["published"]) == (265, 265)
    assert (source["ignored"], source["undecodable"]) == (0, 0)

"""The data of OKX's frames. Numbers are texts without needless zeros; times are milliseconds."""

from __future__ import annotations

import zlib
from itertools import chain, zip_longest
from typing import Any

from pipeline.core.simulate.book import Book, Deal, Top
from pipeline.core.simulate.candles import Candle
from pipeline.core.simulate.instrument import Instrument
from pipeline.core.simulate.journal import Levels, Side
from pipeline.core.simulate.market import FUNDING_MS, Market, funding_time
from pipeline.core.simulate.text import short

CHECKED_LEVELS = 25
RATE_DECIMALS = 8
KINDS = {"spot": "SPOT", "perpetual": "SWAP", "future": "FUTURES"}
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
# Candles of the venue's own time, UTC+8, from six hours on, are not told here.
CANDLES_MS = {
    "candle1s": 1_000,
    "candle1m": MINUTE_MS,
    "candle3m": 3 * MINUTE_MS,
    "candle5m": 5 * MINUTE_MS,
    "candle15m": 15 * MINUTE_MS,
    "candle30m": 30 * MINUTE_MS,
    "candle1H": HOUR_MS,
    "candle2H": 2 * HOUR_MS,
    "candle4H": 4 * HOUR_MS,
    "candle6Hutc": 6 * HOUR_MS,
    "candle12Hutc": 12 * HOUR_MS,
    "candle1Dutc": DAY_MS,
}


def price(instrument: Instrument, ticks: int) -> str:
    return short(ticks, instrument.decimals)


def quantity(instrument: Instrument, lots: int) -> str:
    return short(lots, instrument.lot_decimals)


def side(instrument: Instrument, levels: Side, *, bids: bool) -> list[list[str]]:
    """Return price, quantity, a word of no use, and the number of orders; best first."""
    return [
        [
            price(instrument, ticks),
            quantity(instrument, levels[ticks]),
            "0",
            "1" if levels[ticks] else "0",
        ]
        for ticks in sorted(levels, reverse=bids)
    ]


def book(
    of: Book, levels: Levels, number: int, now_ms: int, most: int | None = None
) -> dict[str, Any]:
    return {
        "asks": side(of.instrument, levels.asks, bids=False)[:most],
        "bids": side(of.instrument, levels.bids, bids=True)[:most],
        "ts": str(now_ms),
        "seqId": number,
    }


def checksum(instrument: Instrument, levels: Levels) -> int:
    """Return the signed CRC-32 of the best levels, bids and asks by turns."""
    bids, asks = (
        [":".join(level[:2]) for level in side(instrument, of, bids=bids)[:CHECKED_LEVELS]]
        for of, bids in ((levels.bids, True), (levels.asks, False))
    )
    text = ":".join(filter(None, chain.from_iterable(zip_longest(bids, asks, fillvalue=""))))
    unsigned = zlib.crc32(text.encode())
    return unsigned - (1 << 32 if unsigned >> 31 else 0)


def best(top: Top) -> dict[str, Any]:
    levels = Levels({top.bid: top.bid_lots}, {top.ask: top.ask_lots})
    return book(top.book, levels, top.number, top.at_ms)


def trade(deal: Deal) -> dict[str, Any]:
    one = deal.book.instrument
    return {
        "instId": one.symbol,
        "tradeId": str(deal.number),
        "px": price(one, deal.price),
        "sz": quantity(one, deal.lots),
        "side": "sell" if deal.seller else "buy",
        "ts": str(deal.at_ms),
    }


def ticker(of: Book, now_ms: int) -> dict[str, Any]:
    one, top, last = of.instrument, of.top(now_ms), of.last
    return {
        "instType": KINDS[one.kind],
        "instId": one.symbol,
        "last": price(one, last.price if last else top.bid),
        "lastSz": quantity(one, last.lots if last else 0),
        "askPx": price(one, top.ask),
        "askSz": quantity(one, top.ask_lots),
        "bidPx": price(one, top.bid),
        "bidSz": quantity(one, top.bid_lots),
        "open24h": price(one, one.price),
        "high24h": price(one, one.price),
        "low24h": price(one, one.price),
        "volCcy24h": "0",
        "vol24h": "0",
        "ts": str(now_ms),
        "sodUtc0": price(one, one.price),
        "sodUtc8": price(one, one.price),
    }


def candle(one: Instrument, found: Candle) -> list[str]:
    volume = quantity(one, found.volume)
    return [
        str(found.open_ms),
        *(price(one, ticks) for ticks in (found.open, found.high, found.low, found.close)),
        volume,
        volume,
        short(found.value, one.decimals + one.lot_decimals),
        "1" if found.closed else "0",
    ]


def funding(of: Book, market: Market, now_ms: int) -> dict[str, Any]:
    following = funding_time(now_ms)
    return {
        "formulaType": "withRate",
        "fundingRate": short(market.funding_rate(of), RATE_DECIMALS),
        "fundingTime": str(following),
        "instId": of.instrument.symbol,
        "instType": "SWAP",
        "method": "current_period",
        "maxFundingRate": "0.00375",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(following + FUNDING_MS),
        "premium": "0.0001",
        "settFundingRate": "0.0001",
        "settState": "settled",
        "ts": str(now_ms),
    }

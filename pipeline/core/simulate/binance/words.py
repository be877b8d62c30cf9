"""The data of Binance's frames. Spot pads every number to 8 decimals; the futures do not."""

from __future__ import annotations

from typing import Any

from pipeline.core.simulate.book import Book, Deal, Top
from pipeline.core.simulate.candles import Candle
from pipeline.core.simulate.instrument import Instrument
from pipeline.core.simulate.journal import Levels, Side
from pipeline.core.simulate.market import Market, funding_time
from pipeline.core.simulate.text import padded

SPOT_DECIMALS = 8
RATE_DECIMALS = 8
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

INTERVALS_MS = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
}


def price(instrument: Instrument, ticks: int) -> str:
    width = SPOT_DECIMALS if instrument.kind == "spot" else instrument.decimals
    return padded(ticks, instrument.decimals, width)


def quantity(instrument: Instrument, lots: int) -> str:
    width = SPOT_DECIMALS if instrument.kind == "spot" else instrument.lot_decimals
    return padded(lots, instrument.lot_decimals, width)


def levels(instrument: Instrument, side: Side, *, bids: bool) -> list[list[str]]:
    """Return a side, best first."""
    return [
        [price(instrument, ticks), quantity(instrument, side[ticks])]
        for ticks in sorted(side, reverse=bids)
    ]


def pair(instrument: Instrument) -> str:
    return instrument.symbol.partition("_")[0]


def trade(deal: Deal, *, futures: bool, inverse: bool) -> dict[str, Any]:
    one = deal.book.instrument
    data: dict[str, Any] = {
        "e": "trade",
        "E": deal.at_ms,
        "s": one.symbol,
        "t": deal.number,
        "p": price(one, deal.price),
        "q": quantity(one, deal.lots),
        "T": deal.at_ms,
        "m": deal.seller,
    }
    return {**data, "X": "MARKET"} if futures else {**data, "M": True}


def aggregate(deal: Deal, *, futures: bool, inverse: bool) -> dict[str, Any]:
    one = deal.book.instrument
    data: dict[str, Any] = {
        "e": "aggTrade",
        "E": deal.at_ms,
        "s": one.symbol,
        "a": deal.number,
        "p": price(one, deal.price),
        "q": quantity(one, deal.lots),
        "f": deal.number,
        "l": deal.number,
        "T": deal.at_ms,
        "m": deal.seller,
    }
    return data if futures else {**data, "M": True}


def best(top: Top, *, futures: bool, inverse: bool) -> dict[str, Any]:
    one = top.book.instrument
    data: dict[str, Any] = {
        "u": top.number,
        "s": one.symbol,
        "b": price(one, top.bid),
        "B": quantity(one, top.bid_lots),
        "a": price(one, top.ask),
        "A": quantity(one, top.ask_lots),
    }
    if futures:
        data = {"e": "bookTicker", **data, "T": top.at_ms, "E": top.at_ms}
    return {**data, "ps": pair(one)} if inverse else data


def depth(  # noqa: PLR0913
    book: Book,
    first: int,
    before: int,
    changed: Levels,
    now_ms: int,
    *,
    futures: bool,
    inverse: bool,
) -> dict[str, Any]:
    one = book.instrument
    data: dict[str, Any] = {"e": "depthUpdate", "E": now_ms}
    if futures:
        data["T"] = now_ms
    data["s"] = one.symbol
    if inverse:
        data["ps"] = pair(one)
    data |= {"U": first, "u": book.number}
    if futures:
        data["pu"] = before
    return {
        **data,
        "b": levels(one, changed.bids, bids=True),
        "a": levels(one, changed.asks, bids=False),
    }


def kline(
    book: Book, interval: str, candle: Candle, now_ms: int, *, futures: bool
) -> dict[str, Any]:
    one = book.instrument
    both = one.decimals + one.lot_decimals
    width = max(SPOT_DECIMALS, both)
    last = book.deal_number if candle.deals else -1
    return {
        "e": "kline",
        "E": now_ms,
        "s": one.symbol,
        "k": {
            "t": candle.open_ms,
            "T": candle.close_ms,
            "s": one.symbol,
            "i": interval,
            "f": last - candle.deals + 1 if candle.deals else -1,
            "L": last,
            "o": price(one, candle.open),
            "c": price(one, candle.close),
            "h": price(one, candle.high),
            "l": price(one, candle.low),
            "v": quantity(one, candle.volume),
            "n": candle.deals,
            "x": candle.closed,
            "q": padded(candle.value, both, width),
            "V": quantity(one, candle.bought),
            "Q": padded(candle.bought_value, both, width),
            "B": "0",
        },
    }


def mark(book: Book, market: Market, now_ms: int) -> dict[str, Any]:
    one = book.instrument
    middle = price(one, (book.top(now_ms).bid + book.top(now_ms).ask) // 2)
    perpetual = one.is_perpetual
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": one.symbol,
        "p": middle,
        "i": middle,
        "P": middle,
        # What expires has no funding, and the exchange says so by an empty text.
        "r": padded(market.funding_rate(book), RATE_DECIMALS, RATE_DECIMALS) if perpetual else "",
        "T": funding_time(now_ms) if perpetual else 0,
    }

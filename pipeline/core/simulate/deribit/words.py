"""The data of Deribit's frames. Numbers are JSON numbers; times are milliseconds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pipeline.core.simulate.book import Book, Deal, Top
from pipeline.core.simulate.candles import Candle
from pipeline.core.simulate.instrument import Instrument
from pipeline.core.simulate.journal import Levels, Side
from pipeline.core.simulate.market import Market
from pipeline.core.simulate.text import binary

RATE_DECIMALS = 8
# What never expires does so in the year 3000.
NEVER_MS = 32_503_708_800_000
MINUTE_MS = 60_000
RESOLUTIONS_MS = {
    **{str(n): n * MINUTE_MS for n in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
    "1D": 1440 * MINUTE_MS,
}


def price(one: Instrument, ticks: int) -> float:
    return binary(ticks, one.decimals)


def amount(one: Instrument, lots: int) -> float:
    return binary(lots, one.lot_decimals)


def side(one: Instrument, levels: Side, before: Collection[int], *, bids: bool) -> list[list[Any]]:
    """Return levels, best first, each with what became of it. `before`: those there were."""
    return [
        [
            "delete" if not levels[ticks] else "change" if ticks in before else "new",
            price(one, ticks),
            amount(one, levels[ticks]),
        ]
        for ticks in sorted(levels, reverse=bids)
    ]


def snapshot(of: Book, levels: Levels, number: int, now_ms: int) -> dict[str, Any]:
    one = of.instrument
    return {
        "type": "snapshot",
        "timestamp": now_ms,
        "instrument_name": one.symbol,
        "change_id": number,
        "bids": side(one, levels.bids, (), bids=True),
        "asks": side(one, levels.asks, (), bids=False),
    }


def change(of: Book, before: int, now_ms: int) -> dict[str, Any]:
    one = of.instrument
    _, changed = of.journal.since(before)
    was = of.journal.at(before)
    # A level that came and went between two tellings is not told.
    bids, asks = (
        {ticks: lots for ticks, lots in now.items() if lots or ticks in then}
        for now, then in ((changed.bids, was.bids), (changed.asks, was.asks))
    )
    return {
        "type": "change",
        "timestamp": now_ms,
        "prev_change_id": before,
        "instrument_name": one.symbol,
        "change_id": of.number,
        "bids": side(one, bids, was.bids, bids=True),
        "asks": side(one, asks, was.asks, bids=False),
    }


def trade(deal: Deal) -> dict[str, Any]:
    one = deal.book.instrument
    return {
        "trade_seq": deal.number,
        "trade_id": f"{one.base}-{deal.number}",
        "timestamp": deal.at_ms,
        "tick_direction": 0,
        "price": price(one, deal.price),
        "mark_price": price(one, deal.price),
        "instrument_name": one.symbol,
        "index_price": price(one, deal.price),
        "direction": "sell" if deal.seller else "buy",
        "amount": amount(one, deal.lots),
    }


def quote(top: Top) -> dict[str, Any]:
    one = top.book.instrument
    return {
        "timestamp": top.at_ms,
        "instrument_name": one.symbol,
        "best_bid_price": price(one, top.bid),
        "best_bid_amount": amount(one, top.bid_lots),
        "best_ask_price": price(one, top.ask),
        "best_ask_amount": amount(one, top.ask_lots),
    }


def ticker(of: Book, market: Market, now_ms: int) -> dict[str, Any]:
    one, last, top = of.instrument, of.last, of.top(now_ms)
    middle = price(one, (top.bid + top.ask) // 2)
    data = {
        **quote(top),
        "state": "open",
        "stats": {"volume": 0.0, "price_change": None, "low": None, "high": None},
        "open_interest": amount(one, 1_000_000),
        "min_price": price(one, top.bid * 9 // 10),
        "max_price": price(one, top.ask * 11 // 10),
        "mark_price": middle,
        "index_price": middle,
        "estimated_delivery_price": middle,
        # None where nobody has traded yet.
        "last_price": price(one, last.price) if last else None,
    }
    if one.is_perpetual:
        rate = binary(market.funding_rate(of), RATE_DECIMALS)
        data |= {"current_funding": rate, "funding_8h": rate}
    return data


def candle(one: Instrument, found: Candle) -> dict[str, Any]:
    return {
        "volume": amount(one, found.volume),
        "tick": found.open_ms,
        "open": price(one, found.open),
        "low": price(one, found.low),
        "high": price(one, found.high),
        "cost": binary(found.value, one.decimals + one.lot_decimals),
        "close": price(one, found.close),
    }


def perpetual(of: Book, market: Market, now_ms: int) -> dict[str, Any]:
    return {
        "timestamp": now_ms,
        "interest": binary(market.funding_rate(of), RATE_DECIMALS),
        "index_price": price(of.instrument, of.top(now_ms).bid),
    }


def volatility(index: str, value: float, now_ms: int) -> dict[str, Any]:
    return {"volatility": value, "timestamp": now_ms, "index_name": index}


def instrument(one: Instrument) -> dict[str, Any]:
    never = one.expiry_ms == 0
    return {
        "instrument_name": one.symbol,
        "kind": "option" if one.kind == "option" else "future",
        "base_currency": one.base,
        "quote_currency": one.quote,
        "counter_currency": "USD",
        "settlement_currency": one.quote if one.quote == "USDC" else one.base,
        "settlement_period": "perpetual" if one.is_perpetual else "month",
        "tick_size": binary(1, one.decimals),
        "tick_size_steps": [],
        "min_trade_amount": amount(one, 1),
        "contract_size": amount(one, 1),
        "expiration_timestamp": NEVER_MS if never else one.expiry_ms,
        "creation_timestamp": 1_534_167_754_000,
        "is_active": True,
        "price_index": index_of(one),
    }


def index_of(one: Instrument) -> str:
    return f"{one.base.lower()}_{'usdc' if one.quote == 'USDC' else 'usd'}"

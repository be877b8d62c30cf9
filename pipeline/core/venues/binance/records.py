"""
What Binance writes -> our records.

Closely, by what reads decimal texts; and plainly, where their points were left out of a frame whose
form is known, so that its symbol is known to be fit, too: see `venues.forms` and `venues.levels`.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, Funding, Kline, OrderBook, Skipped, Ticker, Trade
from pipeline.core.scale import whole
from pipeline.core.venues.binance import shapes
from pipeline.core.venues.binance.channels import SPOT_INTERVALS
from pipeline.core.venues.forms import Known, Read
from pipeline.core.venues.reading import NS_PER_MS, checked_symbol, digest

_BUYER, _SELLER = Aggressor.BUYER, Aggressor.SELLER


def trade(found: shapes.TradeData, price: Read, quantity: Read) -> Trade | Skipped:
    if found.source and found.source != "MARKET":
        # Of the insurance fund, say: at prices that no market had.
        return Skipped.OTHER_KIND
    return fill(found, *traded(found, price, quantity), counted=not found.source)


def plain_trade(found: shapes.TradeData, known: Known[Any], points: int) -> Trade | Skipped:
    if found.source and found.source != "MARKET":
        return Skipped.OTHER_KIND
    return fill(
        found, known.price_exponent, known.quantity_exponent, int(found.p), int(found.q),
        counted=not found.source,
    )  # fmt: skip


def traded(
    found: shapes.TradeData | shapes.AggregateTradeData, price: Read, quantity: Read
) -> tuple[int, int, int, int]:
    checked_symbol(found.s)
    (number,), price_exponent = price((found.p,))
    (size,), quantity_exponent = quantity((found.q,))
    return price_exponent, quantity_exponent, number, size


def fill(  # noqa: PLR0913
    found: shapes.TradeData | shapes.AggregateTradeData,
    price_exponent: int,
    quantity_exponent: int,
    price: int,
    quantity: int,
    *,
    counted: bool = True,
) -> Trade:
    number = found.t
    return Trade(
        found.s,
        found.event_ms * NS_PER_MS,
        price_exponent,
        quantity_exponent,
        str(number),
        number if counted else 0,
        found.trade_ms * NS_PER_MS,
        price,
        quantity,
        # m: the buyer was the maker, so it was the seller who crossed the spread.
        _SELLER if found.m else _BUYER,
    )


def ticker(found: shapes.TickerData, price: Read, quantity: Read) -> Ticker:
    checked_symbol(found.s)
    (bid, ask), price_exponent = price((found.b, found.a))
    (bid_size, ask_size), quantity_exponent = quantity((found.bid_size, found.ask_size))
    return Ticker(
        found.s,
        found.event_ms * NS_PER_MS,
        price_exponent,
        quantity_exponent,
        found.u,
        bid,
        bid_size,
        ask,
        ask_size,
    )


def plain_ticker(found: shapes.TickerData, known: Known[Any], points: int) -> Ticker:
    return Ticker(
        found.s,
        found.event_ms * NS_PER_MS,
        known.price_exponent,
        known.quantity_exponent,
        found.u,
        int(found.b),
        int(found.bid_size),
        int(found.a),
        int(found.ask_size),
    )


def depth(found: shapes.DepthData, price: Read, quantity: Read) -> OrderBook:
    checked_symbol(found.s)
    texts = list(chain.from_iterable(found.b + found.a))
    prices, price_exponent = price(texts[::2])
    quantities, quantity_exponent = quantity(texts[1::2])
    bids = len(found.b)
    return _update(
        found, price_exponent, quantity_exponent, prices[:bids], quantities[:bids],
        prices[bids:], quantities[bids:],
    )  # fmt: skip


def plain_depth(found: shapes.DepthData, known: Known[Any], points: int) -> OrderBook:
    bids = list(map(int, chain.from_iterable(found.b)))
    asks = list(map(int, chain.from_iterable(found.a)))
    if not len(bids) + len(asks) == points > 0:
        raise DecodeError("number", "as many points as numbers are expected")
    return _update(
        found, known.price_exponent, known.quantity_exponent, bids[::2], bids[1::2],
        asks[::2], asks[1::2],
    )  # fmt: skip


def _update(  # noqa: PLR0913, PLR0917
    found: shapes.DepthData,
    price_exponent: int,
    quantity_exponent: int,
    bid_prices: list[int],
    bid_quantities: list[int],
    ask_prices: list[int],
    ask_quantities: list[int],
) -> OrderBook:
    if found.first > found.u:
        raise DecodeError("shape", "an update that ends before it begins")
    return OrderBook(
        found.s,
        found.event_ms * NS_PER_MS,
        price_exponent,
        quantity_exponent,
        found.first,
        found.u,
        bid_prices,
        bid_quantities,
        ask_prices,
        ask_quantities,
        found.pu if isinstance(found, shapes.FuturesDepthData) else -1,
    )


def funding(found: shapes.MarkPriceData, *_: Read) -> Funding | Skipped:
    if not found.r:
        # A contract that is delivered on a day pays none.
        return Skipped.OTHER_KIND
    (rate,), rate_exponent = whole((found.r,))
    prices, price_exponent = whole((found.p, found.i) if found.i else (found.p,))
    return Funding(
        symbol=checked_symbol(found.s),
        event_ns=found.event_ms * NS_PER_MS,
        price_exponent=price_exponent,
        rate=rate,
        rate_exponent=rate_exponent,
        next_ns=found.next_ms * NS_PER_MS,
        mark_price=prices[0],
        index_price=prices[1] if found.i else None,
        digest=digest(f"{found.p} {found.i} {found.r} {found.next_ms}".encode()),
    )


def kline(found: shapes.KlineData, *, in_contracts: bool) -> Kline:
    candle = found.k
    if candle.i not in SPOT_INTERVALS:
        raise DecodeError("shape", "a candle of an unknown interval")
    prices, price_exponent = whole((candle.o, candle.h, candle.l, candle.c))
    (volume, taken), quantity_exponent = whole((candle.v, candle.taker_volume))
    (quote,), quote_exponent = whole((candle.q,))
    opened, high, low, close = prices
    return Kline(
        symbol=checked_symbol(found.s),
        interval=candle.i,
        event_ns=found.event_ms * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        open_ns=candle.t * NS_PER_MS,
        close_ns=candle.close_ms * NS_PER_MS,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        closed=candle.x,
        # COIN-M's volume is in contracts, and what it tells beside is in no quote currency.
        quote_volume=None if in_contracts else quote,
        quote_exponent=0 if in_contracts else quote_exponent,
        taker_volume=taken,
        trades=candle.n,
        # Whoever sends it, and in whatever frame: the last trade in it says all of a candle.
        digest=digest(f"{candle.last_trade} {candle.n} {candle.x}".encode()),
    )

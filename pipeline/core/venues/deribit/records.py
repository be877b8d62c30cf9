"""What Deribit writes -> our records."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from pipeline.core.errors import DecodeError
from pipeline.core.intervals import last_ns
from pipeline.core.messages import (
    Aggressor,
    Funding,
    Kline,
    OrderBook,
    Ticker,
    Trade,
    VolatilityIndex,
)
from pipeline.core.scale import whole
from pipeline.core.venues.deribit import shapes
from pipeline.core.venues.deribit.shapes import text, texts
from pipeline.core.venues.reading import NS_PER_MS, checked_symbol

ZERO = msgspec.Raw(b"0")


def trade(found: shapes.TradeData) -> Trade:
    (price,), price_exponent = whole((text(found.price),))
    (quantity,), quantity_exponent = whole((text(found.amount),))
    happened_ns = found.timestamp * NS_PER_MS
    return Trade(
        symbol=checked_symbol(found.instrument_name),
        event_ns=happened_ns,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        trade_id=checked_symbol(found.trade_id),
        seq=found.trade_seq,
        trade_ns=happened_ns,
        price=price,
        quantity=quantity,
        # The direction is the taker's.
        aggressor=Aggressor.BUYER if found.direction == "buy" else Aggressor.SELLER,
    )


def book(found: shapes.BookData) -> OrderBook:
    snapshot = found.type == "snapshot"
    first_seq, prev_seq = found.change_id, -1
    if not snapshot:
        if found.prev_change_id is UNSET:
            raise DecodeError("shape", "a change that does not say what it follows")
        prev_seq = found.prev_change_id
        first_seq = prev_seq + 1
    levels = found.bids + found.asks
    bids = len(found.bids)
    prices, price_exponent = whole(texts([price for _, price, _ in levels]))
    quantities, quantity_exponent = whole(
        texts([ZERO if action == "delete" else amount for action, _, amount in levels])
    )
    return OrderBook(
        symbol=checked_symbol(found.instrument_name),
        event_ns=found.timestamp * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        first_seq=first_seq,
        last_seq=found.change_id,
        bid_prices=prices[:bids],
        bid_quantities=quantities[:bids],
        ask_prices=prices[bids:],
        ask_quantities=quantities[bids:],
        prev_seq=prev_seq,
        snapshot=snapshot,
    )


def ticker(found: shapes.TickerData, digest: int) -> Ticker:
    (bid, ask, last, mark, index), price_exponent = _told(
        found.best_bid_price,
        found.best_ask_price,
        found.last_price,
        found.mark_price,
        found.index_price,
    )
    (bid_quantity, ask_quantity, open_interest), quantity_exponent = _told(
        found.best_bid_amount, found.best_ask_amount, found.open_interest
    )
    # An empty side is told as null or as 0; a price of 0 alone is one that combinations have.
    if bid is None or not bid_quantity:
        bid = bid_quantity = 0
    if ask is None or not ask_quantity:
        ask = ask_quantity = 0
    return Ticker(
        symbol=checked_symbol(found.instrument_name),
        event_ns=found.timestamp * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        last_seq=0,
        bid_price=bid,
        bid_quantity=bid_quantity,
        ask_price=ask,
        ask_quantity=ask_quantity,
        digest=digest,
        last_price=last,
        mark_price=mark,
        index_price=index,
        open_interest=open_interest,
    )


def kline(symbol: str, interval: str, found: shapes.CandleData, digest: int) -> Kline:
    """
    Return a candle; never a closed one.

    The venue tells a candle again and again while it grows, and never says that it was the last
    time. That the next one has begun says so to whoever sees both: it has a later `open_ns`.
    """
    prices, price_exponent = whole(texts((found.open, found.high, found.low, found.close)))
    (volume,), quantity_exponent = whole((text(found.volume),))
    (cost,), quote_exponent = whole((text(found.cost),))
    open_ns = found.tick * NS_PER_MS
    return Kline(
        symbol=symbol,
        interval=interval,
        event_ns=0,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        open_ns=open_ns,
        close_ns=last_ns(open_ns, interval),
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=volume,
        closed=False,
        quote_volume=cost,
        quote_exponent=quote_exponent,
        digest=digest,
    )


def volatility_index(found: shapes.IndexData, digest: int) -> VolatilityIndex:
    (value,), exponent = whole((text(found.volatility),))
    return VolatilityIndex(
        symbol=checked_symbol(found.index_name),
        event_ns=found.timestamp * NS_PER_MS,
        price_exponent=exponent,
        value=value,
        digest=digest,
    )


def funding(symbol: str, found: shapes.FundingData, digest: int) -> Funding:
    """Return the rate of eight hours; it is paid all the time, so there is no next time."""
    (rate,), rate_exponent = whole((text(found.interest),))
    (index,), price_exponent = _told(found.index_price)
    return Funding(
        symbol=symbol,
        event_ns=found.timestamp * NS_PER_MS,
        price_exponent=price_exponent,
        rate=rate,
        rate_exponent=rate_exponent,
        index_price=index,
        digest=digest,
    )


def _told(*numbers: shapes.Number) -> tuple[list[int] | list[int | None], int]:
    """Return the numbers and their exponent; None for what is null."""
    written = texts(numbers)
    if "null" not in written:
        return whole(written)
    scaled, exponent = whole(["0" if one == "null" else one for one in written])
    return [
        None if one == "null" else number for one, number in zip(written, scaled, strict=True)
    ], exponent

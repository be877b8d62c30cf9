"""
Deribit's frames -> records and replies.

    {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "...", "data": ...}}
    {"jsonrpc": "2.0", "id": 1, "result": [...]}          or "error": {"code": 1, "message": "..."}
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}

Prices and amounts are JSON numbers: `8000.0`, `0.0005`, `1e-06`. They are kept as they are written
(`msgspec.Raw`) and scaled from that text, so no binary fraction ever comes between. Of the exact
ways this is the fastest: a book of 1,000 levels takes 70 µs to be taken apart, with
`decimal.Decimal` fields 240 µs; as floats it would be 62 µs.

Amounts are in the units of the instrument: US dollars for futures and perpetual contracts that
settle in the coin, else coins. Times are milliseconds.

Source: docs.deribit.com, pages "Subscription Channels", "Notifications", "public/set_heartbeat",
"RPC Error Codes"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipeline.core.errors import DecodeError
from pipeline.core.intervals import last_ns
from pipeline.core.messages import (
    Accepted,
    Aggressor,
    Demand,
    Farewell,
    Funding,
    Heard,
    Hearing,
    Kline,
    OrderBook,
    Rejected,
    Skipped,
    Ticker,
    Trade,
    VolatilityIndex,
)
from pipeline.core.scale import whole
from pipeline.core.shown import shortened
from pipeline.core.venues.deribit.channels import INTERVALS, OWN, request
from pipeline.core.venues.reading import (
    NS_PER_MS,
    Milliseconds,
    Sequence,
    Symbol,
    checked_symbol,
    digest,
    parsed,
)

Number: TypeAlias = msgspec.Raw
Level: TypeAlias = tuple[Literal["new", "change", "delete"], Number, Number]

NOTHING = msgspec.Raw(b"null")
ZERO = msgspec.Raw(b"0")
TEST = request("public/test", {}, OWN)

# Too many requests, retry, settlement in progress, matching engine's queue full, too many requests
# at once, maintenance, internal error, temporarily unavailable, timed out.
TEMPORARY = frozenset({10028, 10040, 10041, 10047, 10066, 11051, 11094, 13028, 13888})


class _Params(msgspec.Struct, gc=False):
    # Longer than any there is, and short enough to be remembered.
    channel: Annotated[str, Meta(max_length=128)] = ""
    data: msgspec.Raw = NOTHING
    type: str = ""


class _Head(msgspec.Struct):
    method: str = ""
    params: _Params | UnsetType = UNSET
    id: int | str | None = None
    result: msgspec.Raw | UnsetType = UNSET
    error: _Error | UnsetType = UNSET


class _Error(msgspec.Struct):
    code: int
    message: str
    data: msgspec.Raw = NOTHING


class TradeData(msgspec.Struct, gc=False):
    instrument_name: Symbol
    trade_seq: Sequence
    trade_id: Symbol
    timestamp: Milliseconds
    price: Number
    amount: Number
    direction: Literal["buy", "sell"]


class _BookData(msgspec.Struct, gc=False):
    type: Literal["snapshot", "change"]
    instrument_name: Symbol
    timestamp: Milliseconds
    change_id: Sequence
    bids: list[Level]
    asks: list[Level]
    prev_change_id: Sequence | UnsetType = UNSET


class _TickerData(msgspec.Struct, gc=False):
    instrument_name: Symbol
    timestamp: Milliseconds
    best_bid_price: Number
    best_bid_amount: Number
    best_ask_price: Number
    best_ask_amount: Number
    # A `quote` has none of them, and not every instrument each.
    last_price: Number = NOTHING
    mark_price: Number = NOTHING
    index_price: Number = NOTHING
    open_interest: Number = NOTHING


class _CandleData(msgspec.Struct, gc=False):
    tick: Milliseconds
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    cost: Number


class _IndexData(msgspec.Struct, gc=False):
    index_name: Symbol
    timestamp: Milliseconds
    volatility: Number


class _PerpetualData(msgspec.Struct, gc=False):
    timestamp: Milliseconds
    interest: Number
    index_price: Number = NOTHING


_head = msgspec.json.Decoder(_Head)
_names = msgspec.json.Decoder(tuple[str, ...])
_trades = msgspec.json.Decoder(list[TradeData])
_book = msgspec.json.Decoder(_BookData)
_ticker = msgspec.json.Decoder(_TickerData)
_candle = msgspec.json.Decoder(_CandleData)
_index = msgspec.json.Decoder(_IndexData)
_perpetual = msgspec.json.Decoder(_PerpetualData)


def decode(frame: bytes | memoryview) -> Hearing:
    """
    Return what the frame says; several trades of one notification in their order.

    Raises:
        DecodeError: Not JSON, not of the documented shape, or a number we cannot hold.
    """
    head = parsed(_head, frame)
    params = head.params
    if head.method == "subscription" and params is not UNSET and params.channel:
        read = _reader(params.channel)
        return read(params.data) if read is not None else (Skipped.OTHER_KIND,)
    if head.method == "heartbeat" and params is not UNSET:
        return (Demand(TEST) if params.type == "test_request" else Skipped.REPLY,)
    if head.error is not UNSET:
        return (_rejected(head.id, head.error),)
    if head.result is not UNSET:
        return (_accepted(head.id, head.result),)
    raise DecodeError("shape", "neither a notification, nor a heartbeat, nor a reply")


def texts(numbers: Iterable[Number]) -> list[str]:
    """
    Return JSON values as they were written; what is no number `whole` refuses.

    A list, an object or a string may come out as several texts, the first of which begins with its
    bracket or quotation mark: `whole` refuses that too.
    """
    joined = b",".join(numbers)
    return joined.decode("latin-1").split(",") if joined else []


def text(number: Number) -> str:
    return str(number, "latin-1")


# Replies


def _accepted(number: int | str | None, result: msgspec.Raw) -> Heard:
    # Only subscriptions are answered with a list; what is said to `OWN` requests is no news.
    if not isinstance(number, int) or not text(result).startswith("["):
        return Skipped.REPLY
    names = parsed(_names, result)
    # It lists the channels it knows; an unknown one is merely not there.
    return Accepted(number, names) if names else Rejected(number, "", "no such channel")


def _rejected(number: int | str | None, error: _Error) -> Rejected | Farewell:
    said = error.message if error.data == NOTHING else f"{error.message}: {text(error.data)}"
    if error.code in TEMPORARY:
        # Another link may ask again; on this one the channel would be given up for good.
        return Farewell(shortened(f"{error.code} {said}"))
    return Rejected(number if isinstance(number, int) else OWN, str(error.code), shortened(said))


# Notifications

_Reader: TypeAlias = Callable[[msgspec.Raw], Hearing]

_SPEED = r"(?:100ms|raw|agg2)"
_BOOK = re.compile(rf"book\.[^.]+\.{_SPEED}")
_TRADES = re.compile(rf"trades\.[^.]+\.{_SPEED}")
_TICKER = re.compile(rf"ticker\.[^.]+\.{_SPEED}|quote\.[^.]+")
_CANDLE = re.compile(r"chart\.trades\.([^.]{1,64})\.(\w{1,4})")
_INDEX = re.compile(r"deribit_volatility_index\.[^.]+")
_PERPETUAL = re.compile(rf"perpetual\.([^.]{{1,64}})\.{_SPEED}")

_RESOLUTIONS = {theirs: ours for ours, theirs in INTERVALS.items()}


@lru_cache(maxsize=8_192)
def _reader(channel: str) -> _Reader | None:
    """Return who reads the data of a channel, if anybody does."""
    for pattern, read in _READERS:
        if pattern.fullmatch(channel):
            return read
    if found := _PERPETUAL.fullmatch(channel):
        symbol = checked_symbol(found[1])
        return lambda data: (_funding(symbol, data),)
    found = _CANDLE.fullmatch(channel)
    if found and found[2] in _RESOLUTIONS:
        symbol, interval = checked_symbol(found[1]), _RESOLUTIONS[found[2]]
        return lambda data: (_kline(symbol, interval, data),)
    return None


def _read_trades(data: msgspec.Raw) -> Hearing:
    found = parsed(_trades, data)
    # A notification of no trade would not be documented, and would be no news.
    return [trade(one) for one in found] or (Skipped.OTHER_KIND,)


def trade(found: TradeData) -> Trade:
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


def _read_book(data: msgspec.Raw) -> Hearing:
    found = parsed(_book, data)
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
    return (
        OrderBook(
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
        ),
    )


def _read_ticker(data: msgspec.Raw) -> Hearing:
    found = parsed(_ticker, data)
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
    return (
        Ticker(
            symbol=checked_symbol(found.instrument_name),
            event_ns=found.timestamp * NS_PER_MS,
            price_exponent=price_exponent,
            quantity_exponent=quantity_exponent,
            last_seq=0,
            bid_price=bid,
            bid_quantity=bid_quantity,
            ask_price=ask,
            ask_quantity=ask_quantity,
            digest=digest(data),
            last_price=last,
            mark_price=mark,
            index_price=index,
            open_interest=open_interest,
        ),
    )


def _told(*numbers: Number) -> tuple[list[int] | list[int | None], int]:
    """Return the numbers and their exponent; None for what is null."""
    written = texts(numbers)
    if "null" not in written:
        return whole(written)
    scaled, exponent = whole(["0" if one == "null" else one for one in written])
    return [
        None if one == "null" else number for one, number in zip(written, scaled, strict=True)
    ], exponent


def _kline(symbol: str, interval: str, data: msgspec.Raw) -> Kline:
    """
    Return a candle; never a closed one.

    The venue tells a candle again and again while it grows, and never says that it was the last
    time. That the next one has begun says so to whoever sees both: it has a later `open_ns`.
    """
    found = parsed(_candle, data)
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
        digest=digest(data),
    )


def _read_index(data: msgspec.Raw) -> Hearing:
    found = parsed(_index, data)
    (value,), exponent = whole((text(found.volatility),))
    return (
        VolatilityIndex(
            symbol=checked_symbol(found.index_name),
            event_ns=found.timestamp * NS_PER_MS,
            price_exponent=exponent,
            value=value,
            digest=digest(data),
        ),
    )


def _funding(symbol: str, data: msgspec.Raw) -> Funding:
    """Return the rate of eight hours; it is paid all the time, so there is no next time."""
    found = parsed(_perpetual, data)
    (rate,), rate_exponent = whole((text(found.interest),))
    (index,), price_exponent = _told(found.index_price)
    return Funding(
        symbol=symbol,
        event_ns=found.timestamp * NS_PER_MS,
        price_exponent=price_exponent,
        rate=rate,
        rate_exponent=rate_exponent,
        index_price=index,
        digest=digest(data),
    )


_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (_BOOK, _read_book),
    (_TICKER, _read_ticker),
    (_TRADES, _read_trades),
    (_INDEX, _read_index),
)

"""
Binance spot: trade, best bid and offer, order-book differences.

A frame of a combined stream is `{"stream": "btcusdt@trade", "data": {...}}`; on `/ws/<stream>`
the data come alone. Times are milliseconds. The best bid and offer carry no time at all.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, Hearing, OrderBook, Record, Skipped, Ticker, Trade
from pipeline.core.scale import whole

NS_PER_MS = 1_000_000

Milliseconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // NS_PER_MS)]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Symbol = Annotated[str, Meta(min_length=1, max_length=64)]
Level: TypeAlias = tuple[str, str]

_DEPTH = re.compile(r"depth(?:@\d{1,6}ms)?")

T = TypeVar("T")


class _TradeData(msgspec.Struct, rename={"event_ms": "E", "trade_ms": "T"}):
    e: Literal["trade"]
    event_ms: Milliseconds
    s: Symbol
    t: Sequence
    p: str
    q: str
    trade_ms: Milliseconds
    m: bool


class _TickerData(msgspec.Struct, rename={"bid_size": "B", "ask_size": "A", "event_ms": "E"}):
    u: Sequence
    s: Symbol
    b: str
    bid_size: str
    a: str
    ask_size: str
    event_ms: Milliseconds = 0  # futures only


class _DepthData(msgspec.Struct, rename={"event_ms": "E", "first": "U"}):
    e: Literal["depthUpdate"]
    event_ms: Milliseconds
    s: Symbol
    first: Sequence
    u: Sequence
    b: list[Level]
    a: list[Level]


class _Head(msgspec.Struct):
    stream: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET
    u: int | UnsetType = UNSET
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET


_head = msgspec.json.Decoder(_Head)
_trade = msgspec.json.Decoder(_TradeData)
_ticker = msgspec.json.Decoder(_TickerData)
_depth = msgspec.json.Decoder(_DepthData)


def decode(frame: bytes | memoryview) -> Hearing:
    """
    Return what the frame says.

    Raises:
        DecodeError: Not JSON, not of the documented shape, or a number we cannot hold.
    """
    head = _parsed(_head, frame)
    data: bytes | memoryview | msgspec.Raw = frame
    if head.stream is not UNSET and head.data is not UNSET:
        read, data = _reader(head.stream), head.data
    elif head.result is not UNSET or head.error is not UNSET:
        return (Skipped.REPLY,)
    elif head.e is not UNSET:
        read = _BY_EVENT.get(head.e)
    elif head.u is not UNSET:
        read = _read_ticker
    else:
        raise DecodeError("shape", "neither a stream's frame, nor an event, nor a reply")
    return (read(data) if read is not None else Skipped.OTHER_KIND,)


def _parsed(decoder: msgspec.json.Decoder[T], data: bytes | memoryview | msgspec.Raw) -> T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as e:
        raise DecodeError("shape", str(e)) from None
    except msgspec.DecodeError as e:
        raise DecodeError("json", str(e)) from None
    except UnicodeDecodeError:
        raise DecodeError("text", "not UTF-8") from None
    except RecursionError:
        raise DecodeError("nesting", "nested too deep") from None


_Reader: TypeAlias = Callable[[bytes | memoryview | msgspec.Raw], Record]


@lru_cache(maxsize=8_192)
def _reader(stream: str) -> _Reader | None:
    """Return who reads the frames of a stream such as `btcusdt@depth@100ms`, if anybody does."""
    if stream == "!bookTicker":
        return _read_ticker
    channel = stream.partition("@")[2]
    if _DEPTH.fullmatch(channel):
        return _read_depth
    return _BY_CHANNEL.get(channel)


def _read_trade(data: bytes | memoryview | msgspec.Raw) -> Trade:
    found = _parsed(_trade, data)
    (price,), price_exponent = whole((found.p,))
    (quantity,), quantity_exponent = whole((found.q,))
    return Trade(
        symbol=_checked(found.s),
        event_ns=found.event_ms * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        trade_id=str(found.t),
        seq=found.t,
        trade_ns=found.trade_ms * NS_PER_MS,
        price=price,
        quantity=quantity,
        # m: the buyer was the maker, so it was the seller who crossed the spread.
        aggressor=Aggressor.SELLER if found.m else Aggressor.BUYER,
    )


def _read_ticker(data: bytes | memoryview | msgspec.Raw) -> Ticker:
    found = _parsed(_ticker, data)
    (bid, ask), price_exponent = whole((found.b, found.a))
    (bid_quantity, ask_quantity), quantity_exponent = whole((found.bid_size, found.ask_size))
    return Ticker(
        symbol=_checked(found.s),
        event_ns=found.event_ms * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        last_seq=found.u,
        bid_price=bid,
        bid_quantity=bid_quantity,
        ask_price=ask,
        ask_quantity=ask_quantity,
    )


def _read_depth(data: bytes | memoryview | msgspec.Raw) -> OrderBook:
    found = _parsed(_depth, data)
    if found.first > found.u:
        raise DecodeError("shape", "an update that ends before it begins")
    levels = found.b + found.a
    prices, price_exponent = whole([price for price, _ in levels])
    quantities, quantity_exponent = whole([quantity for _, quantity in levels])
    bids = len(found.b)
    return OrderBook(
        symbol=_checked(found.s),
        event_ns=found.event_ms * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        first_seq=found.first,
        last_seq=found.u,
        bid_prices=prices[:bids],
        bid_quantities=quantities[:bids],
        ask_prices=prices[bids:],
        ask_quantities=quantities[bids:],
    )


def _checked(symbol: str) -> str:
    # It becomes part of a subject and of a header; there are symbols outside ASCII.
    if not symbol.isprintable():
        raise DecodeError("shape", "a symbol with a control character")
    return symbol


_BY_CHANNEL: dict[str, _Reader] = {"trade": _read_trade, "bookTicker": _read_ticker}
_BY_EVENT: dict[str, _Reader] = {
    "trade": _read_trade,
    "depthUpdate": _read_depth,
    "bookTicker": _read_ticker,
}

"""
What Binance writes, stream by stream, as typed structs.

A frame of a combined stream is `{"stream": "btcusdt@trade", "data": {...}}`; on `/ws/<stream>`
the data come alone. Times are milliseconds. The best bid and offer of spot carry no time at all.

Sources: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams and
developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipeline.core.venues.reading import Milliseconds, Sequence, Symbol

Level: TypeAlias = tuple[str, str]

D = TypeVar("D")


class TradeData(msgspec.Struct, rename={"event_ms": "E", "trade_ms": "T", "source": "X"}, gc=False):
    e: Literal["trade"]
    event_ms: Milliseconds
    s: Symbol
    t: Sequence
    p: str
    q: str
    trade_ms: Milliseconds
    m: bool
    source: str = ""  # futures only; MARKET, or what nobody traded in the market


class AggregateTradeData(
    msgspec.Struct, rename={"t": "a", "event_ms": "E", "trade_ms": "T"}, gc=False
):
    e: Literal["aggTrade"]
    event_ms: Milliseconds
    s: Symbol
    t: Sequence
    p: str
    q: str
    trade_ms: Milliseconds
    m: bool


class TickerData(
    msgspec.Struct, rename={"bid_size": "B", "ask_size": "A", "event_ms": "E"}, gc=False
):
    u: Sequence
    s: Symbol
    b: str
    bid_size: str
    a: str
    ask_size: str
    event_ms: Milliseconds = 0  # futures only


class DepthData(msgspec.Struct, rename={"event_ms": "E", "first": "U"}):
    e: Literal["depthUpdate"]
    event_ms: Milliseconds
    s: Symbol
    first: Sequence
    u: Sequence
    b: list[Level]
    a: list[Level]


class FuturesDepthData(DepthData, rename={"event_ms": "E", "first": "U"}):
    pu: Annotated[int, Meta(ge=-1, le=2**63 - 1)]


class Candle(
    msgspec.Struct,
    rename={"close_ms": "T", "last_trade": "L", "taker_volume": "V"},
):
    t: Milliseconds
    close_ms: Milliseconds
    i: str
    last_trade: int
    o: str
    h: str
    l: str  # noqa: E741  # the venue's word
    c: str
    v: str
    n: Sequence
    x: bool
    q: str
    taker_volume: str


class KlineData(msgspec.Struct, rename={"event_ms": "E"}):
    e: Literal["kline"]
    event_ms: Milliseconds
    s: Symbol
    k: Candle


class MarkPriceData(msgspec.Struct, rename={"event_ms": "E", "next_ms": "T"}):
    e: Literal["markPriceUpdate"]
    event_ms: Milliseconds
    s: Symbol
    p: str
    r: str
    i: str = ""
    next_ms: Milliseconds = 0


class Shutdown(msgspec.Struct):
    e: Literal["serverShutdown"]


class Framed(msgspec.Struct, Generic[D], gc=False):
    data: D


class Head(msgspec.Struct):
    # Longer than any there is, and short enough to be remembered.
    stream: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET
    u: int | UnsetType = UNSET
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET
    code: int | UnsetType = UNSET
    id: int | str | None = None


class Error(msgspec.Struct):
    code: int | str = ""
    msg: str = ""


head = msgspec.json.Decoder(Head)
error = msgspec.json.Decoder(Error)

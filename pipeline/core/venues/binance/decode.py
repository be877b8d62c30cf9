"""
Binance's frames -> records and replies.

A frame of a combined stream is `{"stream": "btcusdt@trade", "data": {...}}`; on `/ws/<stream>`
the data come alone. Times are milliseconds. The best bid and offer of spot carry no time at all.

Sources: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams and
developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipeline.core.errors import DecodeError
from pipeline.core.messages import (
    Accepted,
    Aggressor,
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
)
from pipeline.core.scale import whole
from pipeline.core.shown import shortened
from pipeline.core.venues.binance.channels import SPOT_INTERVALS
from pipeline.core.venues.forms import FORM, LONGEST_FORM, Forms, Known, Noting, Read
from pipeline.core.venues.levels import Levels
from pipeline.core.venues.reading import (
    NS_PER_MS,
    Data,
    Milliseconds,
    Sequence,
    Symbol,
    checked_symbol,
    digest,
    parsed,
)

Level: TypeAlias = tuple[str, str]

D = TypeVar("D")


class _TradeData(
    msgspec.Struct, rename={"event_ms": "E", "trade_ms": "T", "source": "X"}, gc=False
):
    e: Literal["trade"]
    event_ms: Milliseconds
    s: Symbol
    t: Sequence
    p: str
    q: str
    trade_ms: Milliseconds
    m: bool
    source: str = ""  # futures only; MARKET, or what nobody traded in the market


class _AggregateTradeData(
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


class _TickerData(
    msgspec.Struct, rename={"bid_size": "B", "ask_size": "A", "event_ms": "E"}, gc=False
):
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


class _FuturesDepthData(_DepthData, rename={"event_ms": "E", "first": "U"}):
    pu: Annotated[int, Meta(ge=-1, le=2**63 - 1)]


class _Candle(
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


class _KlineData(msgspec.Struct, rename={"event_ms": "E"}):
    e: Literal["kline"]
    event_ms: Milliseconds
    s: Symbol
    k: _Candle


class _MarkPriceData(msgspec.Struct, rename={"event_ms": "E", "next_ms": "T"}):
    e: Literal["markPriceUpdate"]
    event_ms: Milliseconds
    s: Symbol
    p: str
    r: str
    i: str = ""
    next_ms: Milliseconds = 0


class _Shutdown(msgspec.Struct):
    e: Literal["serverShutdown"]


class _Framed(msgspec.Struct, Generic[D], gc=False):
    data: D


class _Head(msgspec.Struct):
    # Longer than any there is, and short enough to be remembered.
    stream: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET
    u: int | UnsetType = UNSET
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET
    code: int | UnsetType = UNSET
    id: int | str | None = None


class _Error(msgspec.Struct):
    code: int | str = ""
    msg: str = ""


_head = msgspec.json.Decoder(_Head)
_error = msgspec.json.Decoder(_Error)


def _not_plain(found: object, known: Known[Any], points: int) -> Heard:
    raise DecodeError("shape", "of no known form")


class _Reader(Generic[D]):
    """
    Reads one kind of data, in its frame or alone.

    Attributes:
        parse: Makes of a frame what `plain` takes.
    """

    __slots__ = ("_bare", "_framed", "_learn", "_record", "parse", "plain")

    def __init__(
        self,
        shape: type[D],
        record: Callable[[D, Read, Read], Heard],
        plain: Callable[[D, Known[Any], int], Heard] = _not_plain,
        learn: Callable[[bytes, _Reader[D], Noting, Noting], None] | None = None,
    ) -> None:
        """
        Args:
            plain: Makes the same of data whose points were left out; it is told how many, if the
                form does not say so.
            learn: Called with what may be read so: see `forms` and `levels`.
        """
        self._bare: msgspec.json.Decoder[D] = msgspec.json.Decoder(shape)
        self._framed: msgspec.json.Decoder[_Framed[D]] = msgspec.json.Decoder(
            _Framed[shape]  # type: ignore[valid-type]
        )
        self._record = record
        self._learn = learn
        self.parse = self._framed.decode
        self.plain = plain

    def alone(self, data: Data) -> Heard:
        return self._record(parsed(self._bare, data), whole, whole)

    def framed(self, frame: bytes) -> Heard:
        """Read a frame of a form that is not known, and learn it."""
        found = parsed(self._framed, frame).data
        if self._learn is None:
            return self._record(found, whole, whole)
        price, quantity = Noting(), Noting()
        record = self._record(found, price, quantity)
        self._learn(frame, self, price, quantity)
        return record


class Decoder:
    """
    What one source's frames say.

    Attributes:
        aggregated: Symbols whose trades come summed up, each order's fills at one price as one.
    """

    def __init__(self, *, futures: bool, in_contracts: bool = False) -> None:
        """
        Args:
            in_contracts: Whether quantities count contracts, as those of COIN-M do.
        """
        self.aggregated: set[str] = set()
        self._in_contracts = in_contracts
        self._forms: Forms[_Reader[Any]] = Forms()
        self._levels: Levels[_Reader[Any]] = Levels()
        learn = self._forms.learn
        depth = _FuturesDepthData if futures else _DepthData
        self._by_event: dict[str, _Reader[Any]] = {
            "trade": _Reader(_TradeData, _trade, _plain_trade, learn),
            "aggTrade": _Reader(
                _AggregateTradeData, self._aggregate_trade, self._plain_aggregate_trade, learn
            ),
            "bookTicker": _Reader(_TickerData, _ticker, _plain_ticker, learn),
            "depthUpdate": _Reader(depth, _depth, _plain_depth, self._levels.learn),
            "kline": _Reader(_KlineData, self._kline),
            "serverShutdown": _Reader(_Shutdown, _farewell),
        }
        if futures:
            self._by_event["markPriceUpdate"] = _Reader(_MarkPriceData, _funding)
        # Streams are named by the peer: what is remembered of them has an end.
        self._reader = lru_cache(maxsize=STREAMS)(self._find_reader)

    def decode(self, frame: bytes | memoryview) -> Hearing:
        """
        Return what the frame says.

        Raises:
            DecodeError: Not JSON, not of the documented shape, or a number we cannot hold.
        """
        frame = bytes(frame)
        form = frame.translate(FORM)
        points = 0
        # Few points are left out faster by replacing, many by translating.
        if len(form) <= LONGEST_FORM and (known := self._forms.get(form)) is not None:
            plain = frame.replace(b".", b"")
        else:
            plain = frame.translate(None, b".")
            points = len(frame) - len(plain)
            known = self._levels.get(frame, form, points)
        if known is not None:
            reader = known.reader
            try:
                return (reader.plain(reader.parse(plain).data, known, points),)
            except (DecodeError, ValueError, RecursionError, msgspec.MsgspecError):
                pass  # What is wrong is found by looking closely.
        # The stream's name stands first and says how to read the rest, all at once.
        start = frame[:PEEK]
        if start.startswith(_FRAMED):
            found = self._reader(start[len(_FRAMED) : start.find(b'"', len(_FRAMED))])
            if found is not None:
                return (found.framed(frame),)
        return (self._slowly(frame),)

    def _slowly(self, frame: bytes | memoryview) -> Heard:
        head = parsed(_head, frame)
        if head.stream is not UNSET and head.data is not UNSET:
            reader = self._reader(head.stream.encode(errors="replace"))
            return Skipped.OTHER_KIND if reader is None else reader.alone(head.data)
        if head.result is not UNSET or head.error is not UNSET or head.code is not UNSET:
            return _reply(head, frame)
        # The best bid and offer of spot are of no named kind.
        event = "bookTicker" if head.e is UNSET and head.u is not UNSET else head.e
        if event is UNSET:
            raise DecodeError("shape", "neither a stream's frame, nor an event, nor a reply")
        reader = self._by_event.get(event)
        return Skipped.OTHER_KIND if reader is None else reader.alone(frame)

    def _find_reader(self, stream: bytes) -> _Reader[Any] | None:
        """Return who reads the frames of a stream such as `btcusdt@depth@100ms`, if anybody."""
        if stream in _WHOLE_VENUE:
            return self._by_event[_WHOLE_VENUE[stream]]
        symbol, _, what = stream.partition(b"@")
        found = _WHAT.fullmatch(what)
        event = _EVENTS.get(found[1]) if symbol and found else None
        return self._by_event.get(event) if event else None

    def _aggregate_trade(self, found: _AggregateTradeData, price: Read, quantity: Read) -> Trade:
        trade = _fill(found, *_traded(found, price, quantity))
        if len(self.aggregated) < SYMBOLS:
            self.aggregated.add(found.s)
        return trade

    def _plain_aggregate_trade(
        self, found: _AggregateTradeData, known: Known[Any], points: int
    ) -> Trade:
        if len(self.aggregated) < SYMBOLS:
            self.aggregated.add(found.s)
        return _fill(
            found, known.price_exponent, known.quantity_exponent, int(found.p), int(found.q)
        )

    def _kline(self, found: _KlineData, *_: Read) -> Kline:
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
            quote_volume=None if self._in_contracts else quote,
            quote_exponent=0 if self._in_contracts else quote_exponent,
            taker_volume=taken,
            trades=candle.n,
            # Whoever sends it, and in whatever frame: the last trade in it says all of a candle.
            digest=digest(f"{candle.last_trade} {candle.n} {candle.x}".encode()),
        )


# How to make a record: closely, by what reads decimal texts, and plainly, where their points were
# left out of a frame whose form is known, so that its symbol is known to be fit, too.


def _trade(found: _TradeData, price: Read, quantity: Read) -> Trade | Skipped:
    if found.source and found.source != "MARKET":
        # Of the insurance fund, say: at prices that no market had.
        return Skipped.OTHER_KIND
    return _fill(found, *_traded(found, price, quantity), counted=not found.source)


def _plain_trade(found: _TradeData, known: Known[Any], points: int) -> Trade | Skipped:
    if found.source and found.source != "MARKET":
        return Skipped.OTHER_KIND
    return _fill(
        found, known.price_exponent, known.quantity_exponent, int(found.p), int(found.q),
        counted=not found.source,
    )  # fmt: skip


def _traded(
    found: _TradeData | _AggregateTradeData, price: Read, quantity: Read
) -> tuple[int, int, int, int]:
    checked_symbol(found.s)
    (number,), price_exponent = price((found.p,))
    (size,), quantity_exponent = quantity((found.q,))
    return price_exponent, quantity_exponent, number, size


def _fill(  # noqa: PLR0913
    found: _TradeData | _AggregateTradeData,
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


def _ticker(found: _TickerData, price: Read, quantity: Read) -> Ticker:
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


def _plain_ticker(found: _TickerData, known: Known[Any], points: int) -> Ticker:
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


def _depth(found: _DepthData, price: Read, quantity: Read) -> OrderBook:
    checked_symbol(found.s)
    texts = list(chain.from_iterable(found.b + found.a))
    prices, price_exponent = price(texts[::2])
    quantities, quantity_exponent = quantity(texts[1::2])
    bids = len(found.b)
    return _update(
        found, price_exponent, quantity_exponent, prices[:bids], quantities[:bids],
        prices[bids:], quantities[bids:],
    )  # fmt: skip


def _plain_depth(found: _DepthData, known: Known[Any], points: int) -> OrderBook:
    bids = list(map(int, chain.from_iterable(found.b)))
    asks = list(map(int, chain.from_iterable(found.a)))
    if not len(bids) + len(asks) == points > 0:
        raise DecodeError("number", "as many points as numbers are expected")
    return _update(
        found, known.price_exponent, known.quantity_exponent, bids[::2], bids[1::2],
        asks[::2], asks[1::2],
    )  # fmt: skip


def _update(  # noqa: PLR0913, PLR0917
    found: _DepthData,
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
        found.pu if isinstance(found, _FuturesDepthData) else -1,
    )


def _funding(found: _MarkPriceData, *_: Read) -> Funding | Skipped:
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


def _farewell(*_: object) -> Farewell:
    return Farewell("the server shuts down")


def _reply(head: _Head, frame: Data) -> Heard:
    number = head.id if isinstance(head.id, int) else 0
    if head.error is UNSET and head.code is UNSET:
        # A list is what LIST_SUBSCRIPTIONS answers; null is what the others do.
        done = head.result is not UNSET and bytes(head.result) == b"null"
        return Accepted(number) if number and done else Skipped.REPLY
    error = parsed(_error, frame if head.error is UNSET else head.error)
    return Rejected(number, str(error.code), shortened(error.msg))


_BUYER, _SELLER = Aggressor.BUYER, Aggressor.SELLER

_FRAMED = b'{"stream":"'
# Enough for the longest name of a stream; a longer one is read slowly.
PEEK = 128
STREAMS = 16_384
# As many as the normaliser takes from one source.
SYMBOLS = 50_000

_WHOLE_VENUE = {b"!bookTicker": "bookTicker", b"!serverShutdown": "serverShutdown"}
_WHAT = re.compile(rb"([A-Za-z]+)(?:@\d{1,6}m?s|_\d{1,2}[smhdwM])?")
_EVENTS = {
    b"trade": "trade",
    b"aggTrade": "aggTrade",
    b"bookTicker": "bookTicker",
    b"depth": "depthUpdate",
    b"kline": "kline",
    b"markPrice": "markPriceUpdate",
}

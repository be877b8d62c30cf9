"""
OKX v5: trades, tickers, books, candles, funding, and what the venue says about subscriptions.

    {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "update", "data": [{…}]}
    {"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}}
    pong

Prices, sizes and times are texts; zeros at the end are left out. Times are milliseconds. A size
counts contracts where there are contracts, and the base currency at the spot market.

Source: www.okx.com/docs-v5/en/#order-book-trading-market-data, the pages of the channels,
#overview-websocket and #error-code-websocket
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from pipeline.core.columns import Columns
from pipeline.core.errors import DecodeError
from pipeline.core.intervals import last_ns
from pipeline.core.messages import (
    Accepted,
    Aggressor,
    Farewell,
    Funding,
    Hearing,
    Kline,
    OrderBook,
    Pong,
    Rejected,
    Skipped,
    Ticker,
    Trade,
)
from pipeline.core.scale import MAX, whole
from pipeline.core.shown import shortened
from pipeline.core.venues.okx.channels import CANDLES, CHANGING, OPTIONS
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

T = TypeVar("T")

UPGRADE = "64008"
# Down, busy, asked too often. Another link may ask again; this one would give the channel up.
TEMPORARY = frozenset({"50001", "50011", "50013", "50026", "60014", "64007"})

_INTERVALS = {name: interval for interval, name in CANDLES.items()}
_AGGRESSORS = {"buy": Aggressor.BUYER, "sell": Aggressor.SELLER}
_NUMBER = re.compile(r"[0-9]{1,18}")
# What the venue says of a channel that it does not have.
_NOT_HAD = re.compile(r"channel:\s*([\w-]{1,40}),\s*instId:\s*([^\s,]{1,64})")


class _Arg(msgspec.Struct, rename="camel", gc=False):
    channel: str
    inst_id: Symbol


class _AnyArg(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""


class _Frame(msgspec.Struct, Generic[T]):
    arg: _Arg
    data: Annotated[list[T], Meta(min_length=1)]
    action: Literal["snapshot", "update", ""] = ""


class _Level(msgspec.Struct, array_like=True, gc=False):
    price: str
    quantity: str
    # Two more follow, which we do not need: the number of orders, and one that was given up.


class Book(msgspec.Struct, rename="camel"):
    asks: list[_Level]
    bids: list[_Level]
    ts: Milliseconds
    checksum: Annotated[int, Meta(ge=-(2**31), lt=2**31)] = 0
    seq_id: Sequence | None = None
    prev_seq_id: Annotated[int, Meta(ge=-1, le=MAX)] | None = None


class Deal(msgspec.Struct, rename="camel"):
    """A trade, or in the channel `trades` all of one order at one price: `count` of them."""

    inst_id: Symbol
    trade_id: Annotated[str, Meta(min_length=1, max_length=64)]
    px: str
    sz: str
    side: Literal["buy", "sell"]
    ts: Milliseconds
    count: Annotated[int, Meta(ge=1, le=MAX)] | None = None


class _Ticker(msgspec.Struct, rename="camel"):
    last: str
    last_sz: str
    ask_px: str
    ask_sz: str
    bid_px: str
    bid_sz: str
    ts: Milliseconds


class _Candle(msgspec.Struct, array_like=True):
    open_ms: Milliseconds
    open: str
    high: str
    low: str
    close: str
    volume: str
    volume_in_currency: str
    quote_volume: str = ""
    confirmed: str = "0"


class _Funding(msgspec.Struct, rename="camel"):
    funding_rate: str
    funding_time: Milliseconds
    ts: Milliseconds = 0


class _Head(msgspec.Struct):
    event: str = ""
    arg: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    id: str = ""
    code: str = ""
    msg: str = ""


# Not strict: a time may be a text.
_books = msgspec.json.Decoder(_Frame[Book], strict=False)
_deals = msgspec.json.Decoder(_Frame[Deal], strict=False)
_tickers = msgspec.json.Decoder(_Frame[_Ticker], strict=False)
_candles = msgspec.json.Decoder(_Frame[_Candle], strict=False)
_fundings = msgspec.json.Decoder(_Frame[_Funding], strict=False)
_head = msgspec.json.Decoder(_Head)
_any_arg = msgspec.json.Decoder(_AnyArg)

_Reader: TypeAlias = Callable[[str, Data], Hearing]

# The venue writes the channel first: then the frame has to be read only once.
_BEGINS = b'{"arg":{"channel":"'
_LONGEST_NAME = 24


class Decoder:
    """Reads what one source hears; remembers how its symbols' numbers look."""

    def __init__(self) -> None:
        self.columns = Columns()
        self._readers: dict[str, _Reader] = {
            **dict.fromkeys(OPTIONS["books"], self._books),
            **dict.fromkeys(OPTIONS["trades"], self._deals),
            **dict.fromkeys(_INTERVALS, self._candles),
            "tickers": self._tickers,
            "funding-rate": self._fundings,
        }
        self._by_beginning = {name.encode(): (name, read) for name, read in self._readers.items()}

    def decode(self, frame: bytes | memoryview) -> Hearing:
        beginning = bytes(frame[: len(_BEGINS) + _LONGEST_NAME])
        if beginning.startswith(_BEGINS):
            name, _, _ = beginning[len(_BEGINS) :].partition(b'"')
            found = self._by_beginning.get(name)
            if found is not None:
                return found[1](found[0], frame)
        return self._slowly(frame)

    def _slowly(self, frame: bytes | memoryview) -> Hearing:
        if frame == b"pong":
            return (Pong(),)
        head = parsed(_head, frame)
        if head.event:
            return (_reply(head),)
        if not head.data:
            raise DecodeError("shape", "neither data, nor an event, nor pong")
        arg = parsed(_any_arg, head.arg)
        read = self._readers.get(arg.channel)
        return read(arg.channel, frame) if read else (Skipped.OTHER_KIND,)

    def _books(self, channel: str, frame: Data) -> Hearing:
        arg, data, action = _opened(_books, channel, frame)
        if (channel in CHANGING) != bool(action):
            raise DecodeError("shape", "an action where none belongs, or none where one does")
        unnumbered = 0
        if data[0].seq_id is None:
            unnumbered = digest(frame)
        symbol = checked_symbol(arg.inst_id)
        snapshot = action != "update"
        return [self.book(symbol, book, snapshot=snapshot, unnumbered=unnumbered) for book in data]

    def book(self, symbol: str, found: Book, *, snapshot: bool, unnumbered: int = 0) -> OrderBook:
        """
        Args:
            unnumbered: What tells the book from others if it has no number.
        """
        prices, quantities = self.columns.of(symbol)
        levels = found.bids + found.asks
        price_numbers, price_exponent = prices.whole([level.price for level in levels])
        quantity_numbers, quantity_exponent = quantities.whole([level.quantity for level in levels])
        first, last, prev = _numbers(found, snapshot=snapshot)
        bids = len(found.bids)
        # 0 is what the venue sends since it no longer computes any.
        real = found.checksum != 0
        return OrderBook(
            symbol=symbol,
            event_ns=found.ts * NS_PER_MS,
            price_exponent=price_exponent,
            quantity_exponent=quantity_exponent,
            first_seq=first,
            last_seq=last,
            prev_seq=prev,
            bid_prices=price_numbers[:bids],
            bid_quantities=quantity_numbers[:bids],
            ask_prices=price_numbers[bids:],
            ask_quantities=quantity_numbers[bids:],
            snapshot=snapshot,
            checksum=found.checksum if real else None,
            bid_texts=_texts(found.bids) if real else None,
            ask_texts=_texts(found.asks) if real else None,
            digest=unnumbered,
        )

    def _deals(self, channel: str, frame: Data) -> Hearing:
        _, data, _ = _opened(_deals, channel, frame)
        return [self.trade(deal) for deal in data]

    def trade(self, deal: Deal) -> Trade:
        symbol = checked_symbol(deal.inst_id)
        prices, quantities = self.columns.of(symbol)
        (price,), price_exponent = prices.whole((deal.px,))
        (quantity,), quantity_exponent = quantities.whole((deal.sz,))
        seq, first_seq = _counted(deal)
        return Trade(
            symbol=symbol,
            event_ns=deal.ts * NS_PER_MS,
            price_exponent=price_exponent,
            quantity_exponent=quantity_exponent,
            trade_id=checked_symbol(deal.trade_id),
            seq=seq,
            trade_ns=deal.ts * NS_PER_MS,
            price=price,
            quantity=quantity,
            aggressor=_AGGRESSORS[deal.side],
            first_seq=first_seq,
        )

    def _tickers(self, channel: str, frame: Data) -> Hearing:
        arg, data, _ = _opened(_tickers, channel, frame)
        return [self._ticker(arg.inst_id, found, digest(frame)) for found in data]

    def _ticker(self, symbol: str, found: _Ticker, digest: int) -> Ticker:
        prices, quantities = self.columns.of(checked_symbol(symbol))
        # An empty side is an empty text.
        (bid, ask, last), price_exponent = prices.whole(
            (found.bid_px or "0", found.ask_px or "0", found.last or "0")
        )
        (bid_quantity, ask_quantity, last_quantity), quantity_exponent = quantities.whole(
            (found.bid_sz or "0", found.ask_sz or "0", found.last_sz or "0")
        )
        return Ticker(
            symbol=symbol,
            event_ns=found.ts * NS_PER_MS,
            price_exponent=price_exponent,
            quantity_exponent=quantity_exponent,
            last_seq=0,
            bid_price=bid,
            bid_quantity=bid_quantity,
            ask_price=ask,
            ask_quantity=ask_quantity,
            digest=digest,
            last_price=last if found.last else None,
            last_quantity=last_quantity if found.last_sz else None,
        )

    def _candles(self, channel: str, frame: Data) -> Hearing:
        arg, data, _ = _opened(_candles, channel, frame)
        interval = _INTERVALS[channel]
        return [self._kline(arg.inst_id, interval, candle, digest(frame)) for candle in data]

    def _kline(self, symbol: str, interval: str, candle: _Candle, digest: int) -> Kline:
        prices, _ = self.columns.of(checked_symbol(symbol))
        (opened, high, low, close), price_exponent = prices.whole(
            (candle.open, candle.high, candle.low, candle.close)
        )
        # `volume` counts contracts where there are contracts: there the base currency is next to
        # it. Only the spot market's symbols have two parts.
        spot = symbol.count("-") == 1
        (volume,), exponent = whole((candle.volume if spot else candle.volume_in_currency,))
        quote_volume, quote_exponent = whole((candle.quote_volume,) if candle.quote_volume else ())
        open_ns = candle.open_ms * NS_PER_MS
        return Kline(
            symbol=symbol,
            interval=interval,
            event_ns=0,
            price_exponent=price_exponent,
            quantity_exponent=exponent,
            open_ns=open_ns,
            close_ns=last_ns(open_ns, interval),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            closed=candle.confirmed == "1",
            quote_volume=quote_volume[0] if quote_volume else None,
            quote_exponent=quote_exponent,
            digest=digest,
        )

    def _fundings(self, channel: str, frame: Data) -> Hearing:
        arg, data, _ = _opened(_fundings, channel, frame)
        symbol = checked_symbol(arg.inst_id)
        return [_funding(symbol, found, digest(frame)) for found in data]


def _opened(
    decoder: msgspec.json.Decoder[_Frame[T]], channel: str, frame: Data
) -> tuple[_Arg, list[T], str]:
    found = parsed(decoder, frame)
    if found.arg.channel != channel:
        raise DecodeError("shape", "two channels in one frame")
    return found.arg, found.data, found.action


def _texts(levels: list[_Level]) -> list[tuple[str, str]]:
    return [(level.price, level.quantity) for level in levels]


def _numbers(book: Book, *, snapshot: bool) -> tuple[int, int, int]:
    """Return (first, last, previous) of a book's numbers; (0, 0, -1) where it has none."""
    last, prev = book.seq_id, book.prev_seq_id
    if last is None:
        if prev is not None:
            raise DecodeError("shape", "prevSeqId without seqId")
        return 0, 0, -1
    if snapshot:
        return 0, last, -1
    if prev is None or prev < 0:
        raise DecodeError("shape", "an update without prevSeqId")
    # Everything after prev; of a count that began anew just its own.
    return min(prev + 1, last), last, prev


def _counted(deal: Deal) -> tuple[int, int]:
    """Return (number, number of the first trade in it), as a `Trade` has them."""
    if not _NUMBER.fullmatch(deal.trade_id):
        return 0, 0
    number, count = int(deal.trade_id), deal.count or 1
    if count > number:
        raise DecodeError("shape", "more trades in one than there were")
    return number, 0 if count == 1 else number - count + 1


def _funding(symbol: str, found: _Funding, digest: int) -> Funding:
    (rate,), rate_exponent = whole((found.funding_rate,))
    return Funding(
        symbol=symbol,
        event_ns=found.ts * NS_PER_MS,
        price_exponent=0,
        rate=rate,
        rate_exponent=rate_exponent,
        next_ns=found.funding_time * NS_PER_MS,
        digest=digest,
    )


def _reply(head: _Head) -> Accepted | Rejected | Farewell | Skipped:
    number = int(head.id) if _NUMBER.fullmatch(head.id) else 0
    match head.event:
        case "subscribe":
            return Accepted(number, _told(head.arg))
        case "error" if head.code in TEMPORARY:
            return Farewell(shortened(f"{head.code} {head.msg}"))
        case "error":
            channels = _told(head.arg)
            if found := _NOT_HAD.search(head.msg):
                channels = (f"{found[1]}:{found[2]}",)
            return Rejected(number, shortened(head.code), shortened(head.msg), channels)
        case "notice" if head.code == UPGRADE:
            return Farewell("OKX upgrades its service")
    return Skipped.REPLY


def _told(arg: msgspec.Raw) -> tuple[str, ...]:
    if not arg:
        return ()
    found = parsed(_any_arg, arg)
    return (shortened(f"{found.channel}:{found.inst_id}"),)

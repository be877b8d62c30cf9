"""
Binance's frames -> records and replies: which frame is what.

A frame whose form is known is read plainly, without its decimal points; any other by the name of
its stream; and what carries none by what it says of itself.

Sources: as of `shapes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Farewell, Heard, Hearing, Kline, Skipped, Trade
from pipeline.core.scale import whole
from pipeline.core.venues.binance import records, shapes
from pipeline.core.venues.binance.replies import reply
from pipeline.core.venues.forms import FORM, LONGEST_FORM, Forms, Known, Noting, Read
from pipeline.core.venues.levels import Levels
from pipeline.core.venues.reading import Data, parsed

D = TypeVar("D")


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
        self._framed: msgspec.json.Decoder[shapes.Framed[D]] = msgspec.json.Decoder(
            shapes.Framed[shape]  # type: ignore[valid-type]
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
        depth = shapes.FuturesDepthData if futures else shapes.DepthData
        self._by_event: dict[str, _Reader[Any]] = {
            "trade": _Reader(shapes.TradeData, records.trade, records.plain_trade, learn),
            "aggTrade": _Reader(
                shapes.AggregateTradeData, self._aggregate_trade, self._plain_aggregate_trade, learn
            ),
            "bookTicker": _Reader(shapes.TickerData, records.ticker, records.plain_ticker, learn),
            "depthUpdate": _Reader(depth, records.depth, records.plain_depth, self._levels.learn),
            "kline": _Reader(shapes.KlineData, self._kline),
            "serverShutdown": _Reader(shapes.Shutdown, _farewell),
        }
        if futures:
            self._by_event["markPriceUpdate"] = _Reader(shapes.MarkPriceData, records.funding)
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
        head = parsed(shapes.head, frame)
        if head.stream is not UNSET and head.data is not UNSET:
            reader = self._reader(head.stream.encode(errors="replace"))
            return Skipped.OTHER_KIND if reader is None else reader.alone(head.data)
        if head.result is not UNSET or head.error is not UNSET or head.code is not UNSET:
            return reply(head, frame)
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

    def _aggregate_trade(
        self, found: shapes.AggregateTradeData, price: Read, quantity: Read
    ) -> Trade:
        trade = records.fill(found, *records.traded(found, price, quantity))
        if len(self.aggregated) < SYMBOLS:
            self.aggregated.add(found.s)
        return trade

    def _plain_aggregate_trade(
        self, found: shapes.AggregateTradeData, known: Known[Any], points: int
    ) -> Trade:
        if len(self.aggregated) < SYMBOLS:
            self.aggregated.add(found.s)
        return records.fill(
            found, known.price_exponent, known.quantity_exponent, int(found.p), int(found.q)
        )

    def _kline(self, found: shapes.KlineData, *_: Read) -> Kline:
        return records.kline(found, in_contracts=self._in_contracts)


def _farewell(*_: object) -> Farewell:
    return Farewell("the server shuts down")


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

"""
OKX's frames -> records and replies: which frame is what.

    {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "update", "data": [{…}]}
    {"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}}
    pong

Source: www.okx.com/docs-v5/en/#order-book-trading-market-data, #overview-websocket
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import msgspec

from pipeline.core.columns import Columns
from pipeline.core.errors import DecodeError
from pipeline.core.messages import Hearing, Pong, Skipped
from pipeline.core.venues.okx import records, shapes
from pipeline.core.venues.okx.channels import CANDLES, CHANGING, OPTIONS
from pipeline.core.venues.okx.replies import reply
from pipeline.core.venues.reading import Data, checked_symbol, digest, parsed

T = TypeVar("T")

_Reader: TypeAlias = Callable[[str, Data], Hearing]

_INTERVALS = {name: interval for interval, name in CANDLES.items()}

# The venue writes the channel first: then the frame has to be read only once.
_BEGINS = b'{"arg":{"channel":"'
_LONGEST_NAME = 24


class Decoder:
    """Reads what one source hears; remembers how its symbols' numbers look."""

    def __init__(self) -> None:
        self.columns = Columns()
        self._readers: dict[str, _Reader] = {
            **dict.fromkeys(OPTIONS["books"], self._books),
            **dict.fromkeys(OPTIONS["trades"], self._trades),
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
        head = parsed(shapes.head, frame)
        if head.event:
            return (reply(head),)
        if not head.data:
            raise DecodeError("shape", "neither data, nor an event, nor pong")
        arg = parsed(shapes.any_arg, head.arg)
        read = self._readers.get(arg.channel)
        return read(arg.channel, frame) if read else (Skipped.OTHER_KIND,)

    def _books(self, channel: str, frame: Data) -> Hearing:
        arg, data, action = _opened(shapes.books, channel, frame)
        if (channel in CHANGING) != bool(action):
            raise DecodeError("shape", "an action where none belongs, or none where one does")
        unnumbered = 0
        if data[0].seq_id is None:
            unnumbered = digest(frame)
        symbol = checked_symbol(arg.inst_id)
        snapshot = action != "update"
        return [
            records.book(self.columns, symbol, found, snapshot=snapshot, unnumbered=unnumbered)
            for found in data
        ]

    def _trades(self, channel: str, frame: Data) -> Hearing:
        _, data, _ = _opened(shapes.trades, channel, frame)
        return [records.trade(self.columns, deal) for deal in data]

    def _tickers(self, channel: str, frame: Data) -> Hearing:
        arg, data, _ = _opened(shapes.tickers, channel, frame)
        return [records.ticker(self.columns, arg.inst_id, found, digest(frame)) for found in data]

    def _candles(self, channel: str, frame: Data) -> Hearing:
        arg, data, _ = _opened(shapes.candles, channel, frame)
        interval = _INTERVALS[channel]
        return [
            records.kline(self.columns, arg.inst_id, interval, candle, digest(frame))
            for candle in data
        ]

    def _fundings(self, channel: str, frame: Data) -> Hearing:
        arg, data, _ = _opened(shapes.fundings, channel, frame)
        symbol = checked_symbol(arg.inst_id)
        return [records.funding(symbol, found, digest(frame)) for found in data]


def _opened(
    decoder: msgspec.json.Decoder[shapes.Frame[T]], channel: str, frame: Data
) -> tuple[shapes.Arg, list[T], str]:
    found = parsed(decoder, frame)
    if found.arg.channel != channel:
        raise DecodeError("shape", "two channels in one frame")
    return found.arg, found.data, found.action

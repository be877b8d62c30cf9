"""
What OKX writes, frame by frame and row by row, as typed structs.

Prices, sizes and times are texts; zeros at the end are left out. Times are milliseconds. A size
counts contracts where there are contracts, and the base currency at the spot market.

Source: www.okx.com/docs-v5/en/#order-book-trading-market-data and the pages of the channels
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from pipeline.core.scale import MAX
from pipeline.core.venues.reading import Milliseconds, Sequence, Symbol

T = TypeVar("T")


class Arg(msgspec.Struct, rename="camel", gc=False):
    channel: str
    inst_id: Symbol


class AnyArg(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""


class Frame(msgspec.Struct, Generic[T]):
    arg: Arg
    data: Annotated[list[T], Meta(min_length=1)]
    action: Literal["snapshot", "update", ""] = ""


class Level(msgspec.Struct, array_like=True, gc=False):
    price: str
    quantity: str
    # Two more follow, which we do not need: the number of orders, and one that was given up.


class BookData(msgspec.Struct, rename="camel"):
    asks: list[Level]
    bids: list[Level]
    ts: Milliseconds
    checksum: Annotated[int, Meta(ge=-(2**31), lt=2**31)] = 0
    seq_id: Sequence | None = None
    prev_seq_id: Annotated[int, Meta(ge=-1, le=MAX)] | None = None


class TradeData(msgspec.Struct, rename="camel"):
    """A trade, or in the channel `trades` all of one order at one price: `count` of them."""

    inst_id: Symbol
    trade_id: Annotated[str, Meta(min_length=1, max_length=64)]
    px: str
    sz: str
    side: Literal["buy", "sell"]
    ts: Milliseconds
    count: Annotated[int, Meta(ge=1, le=MAX)] | None = None


class TickerData(msgspec.Struct, rename="camel"):
    last: str
    last_sz: str
    ask_px: str
    ask_sz: str
    bid_px: str
    bid_sz: str
    ts: Milliseconds


class CandleData(msgspec.Struct, array_like=True):
    open_ms: Milliseconds
    open: str
    high: str
    low: str
    close: str
    volume: str
    volume_in_currency: str
    quote_volume: str = ""
    confirmed: str = "0"


class FundingData(msgspec.Struct, rename="camel"):
    funding_rate: str
    funding_time: Milliseconds
    ts: Milliseconds = 0


class Head(msgspec.Struct):
    event: str = ""
    arg: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    id: str = ""
    code: str = ""
    msg: str = ""


# Not strict: a time may be a text.
books = msgspec.json.Decoder(Frame[BookData], strict=False)
trades = msgspec.json.Decoder(Frame[TradeData], strict=False)
tickers = msgspec.json.Decoder(Frame[TickerData], strict=False)
candles = msgspec.json.Decoder(Frame[CandleData], strict=False)
fundings = msgspec.json.Decoder(Frame[FundingData], strict=False)
head = msgspec.json.Decoder(Head)
any_arg = msgspec.json.Decoder(AnyArg)

"""
The nouns of the pipeline, in the order a datum wears them.

    bytes -> a record, a reply or Skipped -> Outgoing -> Envelope

Prices and quantities are whole numbers: value = number * 10**exponent. Times are UTC nanoseconds
since 1970; 0 means that the venue gives none. Symbols are as the venue writes them.

A record holds what one venue said once. It knows neither its subject nor what came before it:
`pipeline.core.normalise` does.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TypeAlias

import msgspec


class Aggressor(enum.IntEnum):
    """Who crossed the spread; the numbers are those of market.proto."""

    UNKNOWN = 0
    BUYER = 1
    SELLER = 2


class Trade(msgspec.Struct, frozen=True, gc=False):
    """
    Attributes:
        seq: The trade's number where the venue counts the trades of a symbol one by one, else 0.
        first_seq: Where the venue makes one of several trades: the number of the first of them,
            and `seq` is that of the last; else 0, and it is `seq` alone.
    """

    symbol: str
    event_ns: int
    price_exponent: int
    quantity_exponent: int
    trade_id: str
    seq: int
    trade_ns: int
    price: int
    quantity: int
    aggressor: Aggressor
    first_seq: int = 0


class Ticker(msgspec.Struct, frozen=True, gc=False):
    """
    Best bid and offer; an empty side has price and quantity 0.

    Attributes:
        last_seq: The book update this is the top of; 0 where the venue does not say.
        digest: CRC-32 of the message, where nothing else in it tells it from the one before.
        last_price, mark_price, index_price, last_quantity, open_interest: None where not told.
    """

    symbol: str
    event_ns: int
    price_exponent: int
    quantity_exponent: int
    last_seq: int
    bid_price: int
    bid_quantity: int
    ask_price: int
    ask_quantity: int
    digest: int = 0
    last_price: int | None = None
    last_quantity: int | None = None
    mark_price: int | None = None
    index_price: int | None = None
    open_interest: int | None = None


class OrderBook(msgspec.Struct, frozen=True, gc=False):
    """
    The levels that changed, or all of them; a quantity of 0 removes its level.

    Attributes:
        snapshot: All levels; what was known before is void.
        first_seq, last_seq: The updates it holds; 0 where the venue does not number them. Of a
            snapshot only the last one counts.
        prev_seq: The `last_seq` of the update before, where the venue says so; -1 where not.
        checksum: What the venue computed over its own book; None where it did not.
        bid_texts, ask_texts: Price and quantity as they were written, only beside a checksum.
        digest: See `Ticker`.
    """

    symbol: str
    event_ns: int
    price_exponent: int
    quantity_exponent: int
    first_seq: int
    last_seq: int
    bid_prices: list[int]
    bid_quantities: list[int]
    ask_prices: list[int]
    ask_quantities: list[int]
    prev_seq: int = -1
    snapshot: bool = False
    checksum: int | None = None
    bid_texts: list[tuple[str, str]] | None = None
    ask_texts: list[tuple[str, str]] | None = None
    digest: int = 0


class Kline(msgspec.Struct, frozen=True, gc=False):
    """
    One candle, so far or closed.

    Attributes:
        interval: As subjects write it: `1m`, `1h`, `1d`, `1M`.
        volume: In base units. quote_volume: In quote units, by its own exponent.
        taker_volume: The part of `volume` that buyers took; None where not told.
        trades: How many; None where not told.
    """

    symbol: str
    interval: str
    event_ns: int
    price_exponent: int
    quantity_exponent: int
    open_ns: int
    close_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    closed: bool
    quote_volume: int | None = None
    quote_exponent: int = 0
    taker_volume: int | None = None
    trades: int | None = None
    digest: int = 0


class VolatilityIndex(msgspec.Struct, frozen=True, gc=False):
    """The value of an index; its symbol is the index's name."""

    symbol: str
    event_ns: int
    price_exponent: int
    value: int
    digest: int = 0


class Funding(msgspec.Struct, frozen=True, gc=False):
    """
    What one side of a perpetual contract pays the other.

    Attributes:
        rate: A share of the position's value: 1 is all of it.
        next_ns: When it is paid next; 0 where not told.
    """

    symbol: str
    event_ns: int
    price_exponent: int
    rate: int
    rate_exponent: int
    next_ns: int = 0
    mark_price: int | None = None
    index_price: int | None = None
    digest: int = 0


Record: TypeAlias = Trade | Ticker | OrderBook | Kline | VolatilityIndex | Funding

DATA_TYPES: dict[type[Record], str] = {
    Trade: "trade",
    Ticker: "ticker",
    OrderBook: "orderbook",
    Kline: "kline",
    VolatilityIndex: "volatility_index",
    Funding: "funding",
}


class Skipped(enum.Enum):
    """A frame that is right and of no use to us."""

    REPLY = "reply"  # to a request of ours that needs no more words
    OTHER_KIND = "other kind"  # a stream that we do not carry


class Accepted(msgspec.Struct, frozen=True):
    """The venue took a subscription. `channels` is empty where it names the request only."""

    number: int
    channels: tuple[str, ...] = ()


class Rejected(msgspec.Struct, frozen=True):
    """The venue refused a request. The text is its own, shortened; never ours with a secret."""

    number: int
    code: str
    text: str
    channels: tuple[str, ...] = ()


class Pong(msgspec.Struct, frozen=True):
    """The answer to an application-level ping."""


class Demand(msgspec.Struct, frozen=True):
    """The venue wants this message back at once, or it closes the link."""

    answer: bytes


class Farewell(msgspec.Struct, frozen=True):
    """The venue will close this link soon: a new one shall be there before."""

    reason: str


Reply: TypeAlias = Accepted | Rejected | Pong | Demand | Farewell
Heard: TypeAlias = Record | Reply | Skipped
Hearing: TypeAlias = Sequence[Heard]


class Flag(enum.IntFlag):
    """What is special about a message; the numbers are those of market.proto."""

    SNAPSHOT = 1  # all levels of a book
    CONTROL = 2  # no data: `control` says what happened
    UNSYNCED = 4  # of a book whose snapshot nobody has: levels that did not change are unknown
    BACKFILL = 8  # asked for afterwards, because the link had been away


class ControlKind(enum.IntEnum):
    """What happened to the data of one subject; the numbers are those of market.proto."""

    UNKNOWN = 0
    GAP = 1  # something is missing here
    RESYNC = 2  # a book is whole again from here on; a snapshot follows
    STALE = 3  # subscribed, the link is open, and nothing comes
    DISCONNECT = 4  # the link is gone


class Control(msgspec.Struct, frozen=True):
    """
    Attributes:
        first_missing, last_missing: Sequence numbers of the venue, both included; 0 where unknown.
        since_ns: When the last good datum was received; 0 when there was none.
    """

    kind: ControlKind
    reason: str
    first_missing: int = 0
    last_missing: int = 0
    since_ns: int = 0


class Envelope(msgspec.Struct, frozen=True):
    """What goes on the wire. `msg_id` lets JetStream drop a repeat."""

    subject: str
    payload: bytes
    msg_id: str

"""
The nouns of the pipeline, in the order a datum wears them.

    bytes -> Trade | Ticker | OrderBook | Skipped -> Envelope

Prices and quantities are whole numbers: value = number * 10**exponent. Times are UTC nanoseconds
since 1970; 0 means that the venue gives none.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Aggressor(enum.IntEnum):
    """Who crossed the spread; the numbers are those of market.proto."""

    UNKNOWN = 0
    BUYER = 1
    SELLER = 2


class Trade(msgspec.Struct, frozen=True):
    venue: str
    symbol: str
    event_ns: int
    price_exponent: int
    quantity_exponent: int
    trade_id: str
    trade_ns: int
    price: int
    quantity: int
    aggressor: Aggressor


class Ticker(msgspec.Struct, frozen=True):
    """Best bid and offer."""

    venue: str
    symbol: str
    event_ns: int
    price_exponent: int
    quantity_exponent: int
    last_seq: int
    bid_price: int
    bid_quantity: int
    ask_price: int
    ask_quantity: int


class OrderBook(msgspec.Struct, frozen=True):
    """The levels that changed from first_seq to last_seq; a quantity of 0 removes its level."""

    venue: str
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


class Skipped(enum.Enum):
    """A frame that is right and of no use to us."""

    REPLY = "reply"  # to a request of ours
    OTHER_KIND = "other kind"  # a stream that we do not carry


Record: TypeAlias = Trade | Ticker | OrderBook
Decode: TypeAlias = Callable[[bytes | memoryview], Record | Skipped]


class Envelope(msgspec.Struct, frozen=True):
    """What goes on the wire. `msg_id` lets JetStream drop a repeat."""

    subject: str
    payload: bytes
    msg_id: str

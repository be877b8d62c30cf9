"""
What the pipeline asks of an exchange. One folder beside this file answers it for one exchange.

A venue is pure: it reads bytes and writes bytes. It is made once for each source, so that its
decoders may remember what a symbol's numbers look like.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import msgspec

from pipeline.core.errors import BadOption
from pipeline.core.messages import Hearing, OrderBook, Trade


class Channel(msgspec.Struct, frozen=True):
    """
    One subscription.

    Attributes:
        name: As the venue writes it, such as `btcusdt@depth@100ms`; unique at the venue.
        data_type: A key of `streams.core.templates.TYPES`.
        interval: Of klines, as subjects write it; else empty.
    """

    name: str
    data_type: str
    symbol: str
    interval: str = ""


class Instrument(msgspec.Struct, frozen=True):
    """
    A line of the venue's symbol table.

    Attributes:
        kind: `spot`, `perpetual`, `future`, `option`, `combo` (several as one) or `index`.
        price_decimals, quantity_decimals: As its tick and lot size have them; -1 where unknown.
        expiry_ns: 0 where it has none.
    """

    symbol: str
    kind: str
    base: str
    quote: str
    price_decimals: int = -1
    quantity_decimals: int = -1
    expiry_ns: int = 0


class Call(msgspec.Struct, frozen=True):
    """
    One GET request.

    Attributes:
        path: From the first slash on, with its query.
        weight: What the venue charges for it, in its own units.
    """

    path: str
    weight: int = 1


class Limits(msgspec.Struct, frozen=True):
    """
    What the venue allows, by its own documentation.

    Attributes:
        channels_per_link, channels_per_message: At most.
        messages_per_s: What may be sent over one link.
        link_life_s: After so long the venue closes a link; 0 where it does not.
        connects_per_minute: New links from one address.
        connects_at_once: So many more before that counts, where the venue looks at longer than a
            minute; 0 where it does not.
        weight_per_minute: REST calls, by their weight.
        messages_per_hour: As messages_per_s, over longer; 0 where the venue has no such limit.
    """

    channels_per_link: int
    channels_per_message: int
    messages_per_s: float
    connects_per_minute: int
    weight_per_minute: int
    link_life_s: float = 0.0
    messages_per_hour: int = 0
    connects_at_once: int = 0


class Ping(msgspec.Struct, frozen=True):
    """An application-level ping that keeps a quiet link open."""

    message: bytes
    every_s: float


class Step(enum.Enum):
    """How an update stands to what a book holds."""

    NEXT = "next"  # apply it
    OLD = "old"  # the book holds it already
    GAP = "gap"  # something between them is missing


class Recovery(enum.Enum):
    """Where a book's snapshot comes from."""

    CALL = "call"  # REST
    RESUBSCRIBE = "resubscribe"  # the channel begins with one
    NONE = "none"  # nobody gives one


def chosen(options: Mapping[str, tuple[str, ...]], given: Mapping[str, str]) -> dict[str, str]:
    """
    Return each option's choice: the given one, else the first there is.

    Args:
        options: As `Venue.options`.

    Raises:
        BadOption: Its `field` names the option that does not exist, or not with this value.
    """
    for name, value in given.items():
        if name not in options:
            raise BadOption(name, "the venue has no such option")
        if value not in options[name]:
            raise BadOption(name, f"is one of {', '.join(options[name])}")
    return {name: given.get(name, choices[0]) for name, choices in options.items()}


class Venue(Protocol):
    """
    Attributes:
        name: In subjects, messages and rows: `binance`.
        title: For people.
        websocket_url, rest_url: The venue's public ones.
        types: The types of data it has; keys of `streams.core.templates.TYPES`.
        options: What an operator may choose, by name; the first choice is the default.
        ping: What we send when the link is quiet; None where the protocol's own suffices.
        checksum_depth: How many levels of a side `checksum` takes in.
        url_subscribes: Whether an endpoint may name what to collect: see `channels_in`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    websocket_url: ClassVar[str]
    rest_url: ClassVar[str]
    types: ClassVar[frozenset[str]]
    options: ClassVar[Mapping[str, tuple[str, ...]]]
    limits: ClassVar[Limits]
    ping: ClassVar[Ping | None]
    recovery: ClassVar[Recovery]
    checksum_depth: ClassVar[int]
    url_subscribes: ClassVar[bool]

    def __init__(self, options: Mapping[str, str]) -> None:
        """
        Raises:
            BadOption: Its `field` names the option that the venue does not have.
        """

    # Subscriptions

    def channels(
        self, types: Sequence[str], symbols: Sequence[str], intervals: Sequence[str]
    ) -> list[Channel]:
        """
        Return what to subscribe to; types that a symbol cannot have are left out.

        Raises:
            BadOption: A type or an interval the venue does not have at all.
        """

    def channels_in(self, endpoint: str) -> list[Channel]:
        """Return what the URL itself subscribes to; [] where it names nothing."""

    def link_url(self, endpoint: str, channel: Channel | None = None) -> str:
        """
        Return the address to connect to: the endpoint, and the venue's path if it has none.

        Args:
            channel: What is to be subscribed to there. Channels share a link only if their
                addresses are the same: some venues serve books here and candles there. None for a
                link to whose endpoint nothing is added.
        """

    def opening(self) -> list[bytes]:
        """Return what to send first, before any subscription (heartbeats, for example)."""

    def subscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        """Return one message; at most `limits.channels_per_message` channels."""

    def unsubscribe(self, channels: Sequence[Channel], number: int) -> bytes: ...

    # What comes in

    def decode(self, frame: bytes | memoryview) -> Hearing:
        """
        Return what the frame says, in its order. Never empty: at least a `Skipped`.

        Raises:
            DecodeError: Not JSON, not of the documented shape, or a number we cannot hold.
        """

    # Books

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        """Return how the first update after a snapshot stands to it."""

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        """
        Return how an update stands to a book whose last one was `last_seq`.

        Args:
            last_ns: The `event_ns` of that last one; 0 where unknown. It tells a repeat from the
                first numbers after a venue began to count anew.
        """

    def checksum(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
        """Return the venue's checksum of a book, best levels first, as they were written."""

    # REST; a venue that has none of it answers None

    def instruments_calls(self) -> list[Call]: ...

    def instruments(self, body: bytes) -> list[Instrument]:
        """
        Raises:
            DecodeError: Not the documented answer.
        """

    def snapshot_call(self, symbol: str) -> Call | None: ...

    def snapshot(self, symbol: str, body: bytes) -> OrderBook:
        """
        Raises:
            DecodeError: Not the documented answer.
        """

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        """Return how to ask for the trades after this one, oldest first where the venue can."""

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        """
        Return them in the order in which they happened.

        Raises:
            DecodeError: Not the documented answer.
        """

"""
A source that is no exchange: nothing is asked for in words of its own, nothing is read.

What such a source sends is carried as it came; see `pipeline.library.stages.EnvelopeStages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from pipeline.core.errors import BadOption
from pipeline.core.messages import Hearing, OrderBook, Trade
from pipeline.core.venues.venue import (
    Call,
    Channel,
    Instrument,
    Limits,
    Ping,
    Recovery,
    Step,
)


class Plain:
    """Answers what every venue is asked, and always that there is none of it."""

    name: ClassVar[str] = ""
    title: ClassVar[str] = "no exchange"
    websocket_url: ClassVar[str] = ""
    rest_url: ClassVar[str] = ""
    types: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    # Nobody has told us any. What fails waits longer each time, whatever these say.
    limits: ClassVar[Limits] = Limits(1, 1, 10.0, 6_000, 60)
    ping: ClassVar[Ping | None] = None
    recovery: ClassVar[Recovery] = Recovery.NONE
    checksum_depth: ClassVar[int] = 0
    url_subscribes: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, str]) -> None:
        if options:
            raise BadOption(next(iter(options)), "only a venue has options")

    def channels(
        self, types: Sequence[str], symbols: Sequence[str], intervals: Sequence[str]
    ) -> list[Channel]:
        return []

    def channels_in(self, endpoint: str) -> list[Channel]:
        return []

    def link_url(self, endpoint: str, channel: Channel | None = None) -> str:
        return endpoint

    def opening(self) -> list[bytes]:
        return []

    def subscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        raise NotImplementedError  # Never asked: there are no channels.

    def unsubscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        raise NotImplementedError

    def decode(self, frame: bytes | memoryview) -> Hearing:
        return []

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        raise NotImplementedError  # Never asked: nothing is read.

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        raise NotImplementedError

    def checksum(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
        raise NotImplementedError

    def instruments_calls(self) -> list[Call]:
        return []

    def instruments(self, body: bytes) -> list[Instrument]:
        raise NotImplementedError  # Never asked: there is no call.

    def snapshot_call(self, symbol: str) -> Call | None:
        return None

    def snapshot(self, symbol: str, body: bytes) -> OrderBook:
        raise NotImplementedError

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        return None

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        raise NotImplementedError

"""Binance: spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Hearing, OrderBook, Trade
from pipeline.core.venues.binance.decode import decode
from pipeline.core.venues.venue import Call, Channel, Instrument, Limits, Ping, Recovery, Step


class BinanceSpot:
    name: ClassVar[str] = "binance"
    title: ClassVar[str] = "Binance spot"
    websocket_url: ClassVar[str] = "wss://stream.binance.com:9443"
    rest_url: ClassVar[str] = "https://api.binance.com"
    types: ClassVar[frozenset[str]] = frozenset({"trade", "ticker", "orderbook"})
    options: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    limits: ClassVar[Limits] = Limits(1024, 200, 5.0, 60, 6000, link_life_s=86_400.0)
    ping: ClassVar[Ping | None] = None
    recovery: ClassVar[Recovery] = Recovery.CALL
    checksum_depth: ClassVar[int] = 0

    def __init__(self, options: Mapping[str, str]) -> None:
        pass

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
        return b""

    def unsubscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        return b""

    def decode(self, frame: bytes | memoryview) -> Hearing:
        return decode(frame)

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        return Step.NEXT

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        return Step.NEXT

    def checksum(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
        return 0

    def instruments_calls(self) -> list[Call]:
        return []

    def instruments(self, body: bytes) -> list[Instrument]:
        return []

    def snapshot_call(self, symbol: str) -> Call | None:
        return None

    def snapshot(self, symbol: str, body: bytes) -> OrderBook:
        raise DecodeError("shape", "not yet")

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        return None

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        return []

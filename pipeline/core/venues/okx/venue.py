"""OKX, as the pipeline asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pipeline.core.messages import Hearing, OrderBook, Trade
from pipeline.core.venues.okx import channels as naming
from pipeline.core.venues.okx import records, rest, sequence
from pipeline.core.venues.okx.decode import Decoder
from pipeline.core.venues.venue import (
    Call,
    Channel,
    Instrument,
    Limits,
    Ping,
    Recovery,
    Step,
    chosen,
)


class Okx:
    """
    One class for all its markets: they share addresses and channels.

    It has no volatility index. A book's snapshot comes with its subscription; the venue gives one
    by REST too, but that one is another service's, and asks for waiting until it is young enough.
    """

    name: ClassVar[str] = "okx"
    title: ClassVar[str] = "OKX"
    websocket_url: ClassVar[str] = "wss://ws.okx.com:8443/ws/v5/public"
    rest_url: ClassVar[str] = "https://www.okx.com"
    types: ClassVar[frozenset[str]] = naming.TYPES
    options: ClassVar[Mapping[str, tuple[str, ...]]] = naming.OPTIONS
    limits: ClassVar[Limits] = Limits(
        # Less than 30 books on a link, says the venue, and nothing of other channels.
        channels_per_link=29,
        channels_per_message=29,
        messages_per_s=3.0,
        messages_per_hour=480,
        connects_per_minute=180,
        # Ten a second is the lowest limit of the calls we make; each of them has its own.
        weight_per_minute=600,
    )
    # After 30 s of silence the venue closes the link.
    ping: ClassVar[Ping | None] = Ping(b"ping", 25.0)
    recovery: ClassVar[Recovery] = Recovery.RESUBSCRIBE
    checksum_depth: ClassVar[int] = sequence.CHECKSUM_DEPTH
    url_subscribes: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, str]) -> None:
        choice = chosen(self.options, options)
        self._channel_names = {
            "trade": choice["trades"],
            "ticker": "tickers",
            "orderbook": choice["books"],
            "funding": "funding-rate",
        }
        self._decoder = Decoder()

    def channels(
        self, types: Sequence[str], symbols: Sequence[str], intervals: Sequence[str]
    ) -> list[Channel]:
        return naming.channels(self._channel_names, types, symbols, intervals)

    def channels_in(self, endpoint: str) -> list[Channel]:
        return []

    def link_url(self, endpoint: str, channel: Channel | None = None) -> str:
        return naming.routed_url(endpoint, channel)

    def opening(self) -> list[bytes]:
        return []

    def subscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        return naming.request("subscribe", channels, number)

    def unsubscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        return naming.request("unsubscribe", channels, number)

    def decode(self, frame: bytes | memoryview) -> Hearing:
        return self._decoder.decode(frame)

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        return sequence.joins(snapshot, update)

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        return sequence.follows(last_seq, update, last_ns)

    def checksum(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
        return sequence.checksum(bids, asks)

    def instruments_calls(self) -> list[Call]:
        return rest.instruments_calls()

    def instruments(self, body: bytes) -> list[Instrument]:
        return rest.instruments(body)

    def snapshot_call(self, symbol: str) -> Call | None:
        return rest.snapshot_call(symbol)

    def snapshot(self, symbol: str, body: bytes) -> OrderBook:
        return records.book(self._decoder.columns, symbol, rest.snapshot(body), snapshot=True)

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        return rest.trades_call(symbol, after)

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        return [records.trade(self._decoder.columns, deal) for deal in rest.trades(symbol, body)]

"""What the pipeline asks of Deribit, and where in this folder it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Hearing, OrderBook, Trade
from pipeline.core.venues.deribit import channels as naming
from pipeline.core.venues.deribit import rest, sequence
from pipeline.core.venues.deribit.decode import decode
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
from pipeline.core.venues.wishes import check_wishes


class Deribit:
    """
    Options:
        speed: `100ms` gathers what happens within that time; `raw` tells each change alone and
            needs a link that has logged on (`public/auth`, as a step of the source's handshake);
            `agg2` gathers at the venue's own pace.
        ticker: `ticker` also tells last, mark and index price and open interest; `quote` tells
            the best bid and offer alone, at each change.
    """

    name: ClassVar[str] = "deribit"
    title: ClassVar[str] = "Deribit"
    websocket_url: ClassVar[str] = "wss://www.deribit.com"
    rest_url: ClassVar[str] = "https://www.deribit.com"
    types: ClassVar[frozenset[str]] = frozenset(
        {"trade", "ticker", "orderbook", "kline", "volatility_index", "funding"}
    )
    options: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"speed": ("100ms", "raw", "agg2"), "ticker": ("ticker", "quote")}
    )
    # Credits come back at 10,000 a second: a subscription costs 3,000 of them (ten at once, then
    # 3.3 a second), another call 500, the symbol table 10,000; who has none left is disconnected.
    # A message may name 500 channels; more than one such message to a link would gain nothing.
    # An address may hold 32 links; how often it may open one is not documented
    # (docs.deribit.com/articles/rate-limits).
    limits: ClassVar[Limits] = Limits(
        channels_per_link=500,
        channels_per_message=500,
        messages_per_s=3.0,
        connects_per_minute=30,
        weight_per_minute=1_200,
    )
    # It is the venue that asks: see `channels.opening`.
    ping: ClassVar[Ping | None] = None
    recovery: ClassVar[Recovery] = Recovery.RESUBSCRIBE
    checksum_depth: ClassVar[int] = 0
    url_subscribes: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, str]) -> None:
        choice = chosen(self.options, options)
        self._speed = choice["speed"]
        self._ticker = choice["ticker"]

    def channels(
        self, types: Sequence[str], symbols: Sequence[str], intervals: Sequence[str]
    ) -> list[Channel]:
        check_wishes(self.title, types, self.types, intervals, naming.INTERVALS)
        return naming.named(types, symbols, intervals, speed=self._speed, ticker=self._ticker)

    def channels_in(self, endpoint: str) -> list[Channel]:
        return []

    def link_url(self, endpoint: str, channel: Channel | None = None) -> str:
        return naming.link_url(endpoint)

    def opening(self) -> list[bytes]:
        return naming.opening()

    def subscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        return naming.subscribe(channels, number)

    def unsubscribe(self, channels: Sequence[Channel], number: int) -> bytes:
        return naming.unsubscribe(channels, number)

    def decode(self, frame: bytes | memoryview) -> Hearing:
        return decode(frame)

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        return sequence.follows(snapshot.last_seq, update)

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        return sequence.follows(last_seq, update)

    def checksum(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
        raise NotImplementedError  # checksum_depth is 0: nobody asks.

    def instruments_calls(self) -> list[Call]:
        return rest.instruments_calls()

    def instruments(self, body: bytes) -> list[Instrument]:
        return rest.instruments(body)

    def snapshot_call(self, symbol: str) -> Call | None:
        return None

    def snapshot(self, symbol: str, body: bytes) -> OrderBook:
        raise DecodeError("shape", "books of Deribit begin with a snapshot of their own")

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        return rest.trades_call(symbol, after)

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        return rest.trades(symbol, body)

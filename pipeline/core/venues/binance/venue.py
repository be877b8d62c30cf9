"""
The three markets of Binance.

Trades are either each fill (`trade`) or an order's fills at one price as one (`aggTrade`). Spot
tells both; the futures document the latter only. Streams that an endpoint names itself are read
either way.

Limits: "WebSocket Limits" and "LIMITS" of developers.binance.com/docs/binance-spot-api-docs, and
"Websocket Market Streams" of the futures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from pipeline.core.messages import Hearing, OrderBook, Trade
from pipeline.core.venues.binance import channels, rest, sequence
from pipeline.core.venues.binance.decode import Decoder
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

_DAY_S = 86_400.0
# A message longer than 4 KiB is refused. Our pongs count as messages too: of 5 or 10 a second, one
# is left to them.
_NAMES = 50
# 300 in five minutes from one address, says the venue. A hundred sources shall not wait for each
# other when a worker starts; a second start soon after finds room, too.
_LINKS_AT_ONCE, _LINKS = 100, 38


class _Binance:
    """What the three have in common, as far as spot and futures agree."""

    ping: ClassVar[Ping | None] = None  # The protocol's own suffices.
    recovery: ClassVar[Recovery] = Recovery.CALL
    checksum_depth: ClassVar[int] = 0
    url_subscribes: ClassVar[bool] = True
    types: ClassVar[frozenset[str]]
    options: ClassVar[Mapping[str, tuple[str, ...]]]

    _decoder: Decoder
    _prefix: ClassVar[str]
    _intervals: ClassVar[Collection[str]]
    # What the symbol table, a snapshot and aggregated trades cost.
    _weights: ClassVar[tuple[int, int, int]]

    def __init__(self, options: Mapping[str, str]) -> None:
        choice = chosen(self.options, options)
        suffixes = {
            "trade": choice.get("trades", "aggTrade"),
            "ticker": "bookTicker",
            "orderbook": channels.DEPTH[choice["depth"]],
            "kline": "kline_",
            "funding": "markPrice@1s",
        }
        self._suffixes = {name: suffixes[name] for name in suffixes if name in self.types}

    def channels(
        self, types: Sequence[str], symbols: Sequence[str], intervals: Sequence[str]
    ) -> list[Channel]:
        return channels.channels(self._suffixes, self._intervals, types, symbols, intervals)

    def channels_in(self, endpoint: str) -> list[Channel]:
        return [found for found in channels.channels_in(endpoint) if found.data_type in self.types]

    def link_url(self, endpoint: str, channel: Channel | None = None) -> str:
        return channels.combined_url(endpoint)

    def opening(self) -> list[bytes]:
        return []

    def subscribe(self, channels_: Sequence[Channel], number: int) -> bytes:
        return channels.request("SUBSCRIBE", channels_, number)

    def unsubscribe(self, channels_: Sequence[Channel], number: int) -> bytes:
        return channels.request("UNSUBSCRIBE", channels_, number)

    def decode(self, frame: bytes | memoryview) -> Hearing:
        return self._decoder.decode(frame)

    def checksum(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> int:
        raise NotImplementedError  # Never asked: `checksum_depth` is 0, and no book has one.

    def instruments_calls(self) -> list[Call]:
        return [Call(f"{self._prefix}/exchangeInfo", self._weights[0])]

    def instruments(self, body: bytes) -> list[Instrument]:
        return rest.instruments(body)

    def snapshot_call(self, symbol: str) -> Call | None:
        return rest.snapshot_call(self._prefix, symbol, self._weights[1])

    def snapshot(self, symbol: str, body: bytes) -> OrderBook:
        return rest.snapshot(symbol, body)

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        if symbol in self._decoder.aggregated:
            return rest.aggregate_trades_call(self._prefix, symbol, after, self._weights[2])
        return None

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        return rest.aggregate_trades(symbol, body)


class BinanceSpot(_Binance):
    name: ClassVar[str] = "binance"
    title: ClassVar[str] = "Binance spot"
    websocket_url: ClassVar[str] = "wss://stream.binance.com:9443"
    rest_url: ClassVar[str] = "https://api.binance.com"
    types: ClassVar[frozenset[str]] = frozenset({"trade", "ticker", "orderbook", "kline"})
    options: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"trades": ("trade", "aggTrade"), "depth": ("100ms", "1000ms")}
    )
    limits: ClassVar[Limits] = Limits(
        1024, _NAMES, 4.0, _LINKS, 6000, link_life_s=_DAY_S, connects_at_once=_LINKS_AT_ONCE
    )

    _prefix = "/api/v3"
    _intervals = channels.SPOT_INTERVALS
    _weights = (20, 50, 4)
    _raw_trades_weight = 25

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self._decoder = Decoder(futures=False)

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        return sequence.spot_follows(snapshot.last_seq, update)

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        return sequence.spot_follows(last_seq, update)

    def instruments_calls(self) -> list[Call]:
        # Who may trade what would be nine tenths of the answer.
        return [Call(f"{self._prefix}/exchangeInfo?showPermissionSets=false", self._weights[0])]

    def trades_call(self, symbol: str, after: Trade) -> Call | None:
        found = super().trades_call(symbol, after)
        return found or rest.raw_trades_call(self._prefix, symbol, after, self._raw_trades_weight)

    def trades(self, symbol: str, body: bytes) -> list[Trade]:
        if symbol in self._decoder.aggregated:
            return super().trades(symbol, body)
        return rest.raw_trades(symbol, body)


class _BinanceFutures(_Binance):
    types: ClassVar[frozenset[str]] = frozenset(
        {"trade", "ticker", "orderbook", "kline", "funding"}
    )
    # 0ms is documented no more; the venue served it still in 2024.
    options: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"depth": ("100ms", "250ms", "500ms", "0ms")}
    )
    limits: ClassVar[Limits] = Limits(
        200, _NAMES, 9.0, _LINKS, 2400, link_life_s=_DAY_S, connects_at_once=_LINKS_AT_ONCE
    )

    _intervals = channels.INTERVALS
    _weights = (1, 20, 20)

    def joins(self, snapshot: OrderBook, update: OrderBook) -> Step:
        return sequence.futures_joins(snapshot, update)

    def follows(self, last_seq: int, update: OrderBook, last_ns: int = 0) -> Step:
        return sequence.futures_follows(last_seq, update)


class BinanceUsdM(_BinanceFutures):
    name: ClassVar[str] = "binance-usdm"
    title: ClassVar[str] = "Binance USD-M futures"
    websocket_url: ClassVar[str] = "wss://fstream.binance.com"
    rest_url: ClassVar[str] = "https://fapi.binance.com"

    _prefix = "/fapi/v1"

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self._decoder = Decoder(futures=True)

    def link_url(self, endpoint: str, channel: Channel | None = None) -> str:
        return channels.routed_url(endpoint, channel)


class BinanceCoinM(_BinanceFutures):
    """Its quantities count contracts."""

    name: ClassVar[str] = "binance-coinm"
    title: ClassVar[str] = "Binance COIN-M futures"
    websocket_url: ClassVar[str] = "wss://dstream.binance.com"
    rest_url: ClassVar[str] = "https://dapi.binance.com"

    _prefix = "/dapi/v1"

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self._decoder = Decoder(futures=True, in_contracts=True)

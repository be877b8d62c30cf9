"""
Symbols and types of data -> channels, and the requests that name them.

    trades.BTC-PERPETUAL.100ms         book.BTC-PERPETUAL.100ms      ticker.BTC-PERPETUAL.100ms
    quote.BTC-PERPETUAL                chart.trades.BTC-PERPETUAL.60
    perpetual.BTC-PERPETUAL.100ms      deribit_volatility_index.btc_usd

The reply to a subscription lists the channels that were taken. One that is not listed does not
exist, and nothing else says so.

Source: docs.deribit.com, pages "Subscription Channels" and "public/subscribe"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from pipeline.core.errors import BadOption
from pipeline.core.venues.venue import Channel

PATH = "/ws/api/v2"
# The least that is allowed. A quiet link must say something well within a source's silence limit.
HEARTBEAT_S = 10
# Requests of our own are not answered by number: those of subscriptions are the caller's.
OWN = 0

# Our names of the intervals, and the venue's.
INTERVALS: Mapping[str, str] = MappingProxyType(
    {
        "1m": "1", "3m": "3", "5m": "5", "10m": "10", "15m": "15", "30m": "30",
        "1h": "60", "2h": "120", "3h": "180", "6h": "360", "12h": "720", "1d": "1D",
    }
)  # fmt: skip

# Instruments are written in capitals: BTC-PERPETUAL, BTC_USDC, BTC-27DEC24-100000-C.
_SYMBOL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INDEX = re.compile(r"[a-z0-9]+_[a-z0-9]+")


def named(
    types: Sequence[str],
    symbols: Sequence[str],
    intervals: Sequence[str],
    *,
    speed: str,
    ticker: str,
) -> list[Channel]:
    """
    Return the channels of these types and symbols, symbol by symbol, each once.

    Raises:
        BadOption: A symbol that cannot be.
    """
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            raise BadOption("symbols", "a symbol of Deribit has letters, digits, - and _ only")
    found = (
        channel
        for symbol in symbols
        for data_type in types
        if _has(symbol, data_type)
        for channel in _of_type(data_type, symbol, intervals, speed, ticker)
    )
    return list(dict.fromkeys(found))


def _has(symbol: str, data_type: str) -> bool:
    if data_type == "volatility_index" or _INDEX.fullmatch(symbol):
        return data_type == "volatility_index" and _INDEX.fullmatch(symbol) is not None
    return data_type != "funding" or symbol.endswith("-PERPETUAL")


def _of_type(
    data_type: str, symbol: str, intervals: Sequence[str], speed: str, ticker: str
) -> Iterator[Channel]:
    match data_type:
        case "trade":
            yield Channel(f"trades.{symbol}.{speed}", data_type, symbol)
        case "orderbook":
            yield Channel(f"book.{symbol}.{speed}", data_type, symbol)
        case "ticker" if ticker == "quote":
            yield Channel(f"quote.{symbol}", data_type, symbol)
        case "ticker":
            yield Channel(f"ticker.{symbol}.{speed}", data_type, symbol)
        case "kline":
            for interval in intervals:
                name = f"chart.trades.{symbol}.{INTERVALS[interval]}"
                yield Channel(name, data_type, symbol, interval)
        case "volatility_index":
            yield Channel(f"deribit_volatility_index.{symbol}", data_type, symbol)
        case _:  # funding
            yield Channel(f"perpetual.{symbol}.{speed}", data_type, symbol)


def link_url(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return parts._replace(path=PATH).geturl() if parts.path in ("", "/") else endpoint


def opening() -> list[bytes]:
    """Return the wish for heartbeats; the venue then also asks whether we are still there."""
    return [request("public/set_heartbeat", {"interval": HEARTBEAT_S}, OWN)]


def subscribe(channels: Sequence[Channel], number: int) -> bytes:
    return request("public/subscribe", {"channels": [one.name for one in channels]}, number)


def unsubscribe(channels: Sequence[Channel], number: int) -> bytes:
    return request("public/unsubscribe", {"channels": [one.name for one in channels]}, number)


def request(method: str, params: Mapping[str, object], number: int) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

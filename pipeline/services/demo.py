"""The sources of made-up prices that `standalone` begins with: one for each venue."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.db.models import QuerySet

from pipeline.models import DataSource

DEMO_NAME = "binance-demo"
# What the exchange simulator makes up, in the venue's words.
SYMBOLS = ("btcusdt", "ethusdt", "bnbusdt", "solusdt", "xrpusdt")
STREAMS = ("trade", "bookTicker", "depth@100ms")

# Few symbols of each: a demonstration must leave the machine to others.
_COMMON = ["trade", "ticker", "orderbook", "kline"]
DEMOS: dict[str, dict[str, Any]] = {
    DEMO_NAME: {
        "venue": DataSource.Venue.BINANCE,
        "types": _COMMON,
        "symbols": ["BTCUSDT", "ETHUSDT", "XRPUSDT"],
    },
    "okx-demo": {
        "venue": DataSource.Venue.OKX,
        "types": [*_COMMON, "funding"],
        "symbols": ["BTC-USDT", "BTC-USDT-SWAP"],
    },
    "deribit-demo": {
        "venue": DataSource.Venue.DERIBIT,
        "types": [*_COMMON, "funding", "volatility_index"],
        "symbols": ["BTC-PERPETUAL", "btc_usd", "eth_usd"],
    },
}


def declare_demo_source(*, endpoint: str) -> DataSource:
    """
    Return one demo source, made or brought up to date; one that was disabled stays so.

    Args:
        endpoint: Where the exchange simulator listens; `ws://host:port` means all streams of spot.
    """
    source, _ = DataSource.objects.update_or_create(
        name=DEMO_NAME,
        defaults={
            "endpoint": _all_streams(endpoint),
            "protocol": DataSource.Protocol.WEBSOCKET,
            "venue": DataSource.Venue.BINANCE,
            "is_demo": True,
        },
    )
    return source


def declare_demo_sources(*, endpoint: str) -> None:
    """
    Make the demo's sources, or bring them up to date; those that were disabled stay so.

    Args:
        endpoint: Where the exchange simulator listens, as `ws://host:port`.
    """
    for name, fields in DEMOS.items():
        DataSource.objects.update_or_create(
            name=name,
            defaults={
                **fields,
                **_addresses(endpoint),
                "protocol": DataSource.Protocol.WEBSOCKET,
                "is_demo": True,
            },
        )


def move_demo_source(*, endpoint: str) -> None:
    """Bring the demo's sources up to date where there are any: an operator may delete them."""
    for name in DEMOS:
        _demo(name).exclude(types=[]).update(**_addresses(endpoint))
    # Of an older release: its streams are in its address.
    _demo(DEMO_NAME).filter(types=[]).update(endpoint=_all_streams(endpoint))


def has_demo_source() -> bool:
    """Return whether made-up prices may flow."""
    return DataSource.objects.filter(is_demo=True, enabled=True).exists()


def _demo(name: str) -> QuerySet[DataSource]:
    return DataSource.objects.filter(name=name, is_demo=True)


def _addresses(endpoint: str) -> dict[str, str]:
    return {
        "endpoint": endpoint,
        "rest_endpoint": f"http{endpoint.removeprefix('ws')}",
    }


def _all_streams(endpoint: str) -> str:
    if urlsplit(endpoint).path:
        return endpoint
    streams = "/".join(f"{symbol}@{stream}" for symbol in SYMBOLS for stream in STREAMS)
    return f"{endpoint}/stream?streams={streams}"

"""The source of made-up prices that `standalone` begins with."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline.models import DataSource

DEMO_NAME = "binance-demo"
# What the exchange simulator makes up, in the venue's words.
SYMBOLS = ("btcusdt", "ethusdt", "bnbusdt", "solusdt", "xrpusdt")
STREAMS = ("trade", "bookTicker", "depth@100ms")


def declare_demo_source(*, endpoint: str) -> DataSource:
    """
    Return the demo's source, made or brought up to date; one that was disabled stays so.

    Args:
        endpoint: Where the exchange simulator listens; `ws://host:port` means all its streams.
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


def move_demo_source(*, endpoint: str) -> None:
    """Bring the demo's source up to date where there is one: an operator may have deleted it."""
    DataSource.objects.filter(name=DEMO_NAME, is_demo=True).update(endpoint=_all_streams(endpoint))


def has_demo_source() -> bool:
    """Return whether made-up prices may flow."""
    return DataSource.objects.filter(is_demo=True, enabled=True).exists()


def _all_streams(endpoint: str) -> str:
    if urlsplit(endpoint).path:
        return endpoint
    streams = "/".join(f"{symbol}@{stream}" for symbol in SYMBOLS for stream in STREAMS)
    return f"{endpoint}/stream?streams={streams}"

"""
Types of data and symbols -> streams, the messages that subscribe to them, and where.

A stream is named `<symbol>@<what>`, its symbol in lower case; data and REST write it in upper case.

Sources: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams, there
"Important WebSocket Change Notice" for the addresses of the USD-M futures.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import msgspec

from pipeline.core.venues.venue import Channel
from pipeline.core.venues.wishes import check_wishes, written

INTERVALS = (
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
)  # fmt: skip
SPOT_INTERVALS = ("1s", *INTERVALS)

# A stream of a book without a speed is spot's slow one and the futures' usual one.
DEPTH = {
    "0ms": "depth@0ms",
    "100ms": "depth@100ms",
    "250ms": "depth",
    "500ms": "depth@500ms",
    "1000ms": "depth",
}

# The best bid and offer of all symbols at once.
ALL_TICKERS = "!bookTicker"

# What stands between or beside the parts of a stream's name, or in patterns.
_NO_SYMBOL = "@/!?*"
_STREAM = re.compile(
    r"(?P<symbol>[^@/!]+)@(?:"
    r"(?P<trade>trade|aggTrade)|(?P<ticker>bookTicker)|(?P<orderbook>depth(?:@\d{1,6}ms)?)|"
    r"kline_(?P<kline>\d{1,2}[smhdwM])|(?P<funding>markPrice(?:@1s)?))"
)
# A contract that is delivered on a day, such as BTCUSDT_260327, pays no funding.
_DATED = re.compile(r".+_\d{6}")
# The paths that the venue itself serves, with no stream named.
_OWN_PATH = re.compile(r"(?:/(?:public|market))?(?:/(?:stream|ws))?/?")


def channels(
    suffixes: Mapping[str, str],
    known_intervals: Collection[str],
    types: Sequence[str],
    symbols: Sequence[str],
    intervals: Sequence[str],
) -> list[Channel]:
    """
    Return what to subscribe to, symbol by symbol.

    Args:
        suffixes: What follows the `@`, by type of data; that of klines without the interval.

    Raises:
        BadOption: A type, an interval or a symbol that the market cannot have.
    """
    check_wishes("this market of Binance", types, suffixes, intervals, known_intervals)
    return [
        Channel(f"{symbol.lower()}@{suffixes[data_type]}{interval}", data_type, symbol, interval)
        for symbol in (written(symbol, _NO_SYMBOL) for symbol in symbols)
        for data_type in types
        if data_type != "funding" or not _DATED.fullmatch(symbol)
        for interval in (intervals if data_type == "kline" else ("",))
    ]


def channels_in(endpoint: str) -> list[Channel]:
    """Return the streams that the URL names, as far as we carry them."""
    return [channel for name in _named_in(endpoint) for channel in _channel(name)]


def _named_in(endpoint: str) -> list[str]:
    parts = urlsplit(endpoint)
    listed = parse_qs(parts.query).get("streams", [])
    _, raw, names = unquote(parts.path).partition("/ws/")
    return [name for text in (*listed, names if raw else "") for name in text.split("/") if name]


def _channel(stream: str) -> Iterator[Channel]:
    if stream == ALL_TICKERS:
        yield Channel(stream, "ticker", "")
    elif found := _STREAM.fullmatch(stream):
        data_type, symbol = str(found.lastgroup), found["symbol"].upper()
        yield Channel(stream, data_type, symbol, found["kline"] or "")


def request(method: str, channels: Sequence[Channel], number: int) -> bytes:
    names = [channel.name for channel in channels]
    return msgspec.json.encode({"method": method, "params": names, "id": number})


def combined_url(endpoint: str) -> str:
    """Return the endpoint; with the path of combined streams, if it has no path."""
    parts = urlsplit(endpoint)
    return endpoint if parts.path.strip("/") else urlunsplit(parts._replace(path="/stream"))


def routed_url(endpoint: str, channel: Channel | None) -> str:
    """
    Return where the USD-M futures serve the channel: books and best prices at one path, all else
    at another.

    On the wrong path the venue accepts a subscription and never sends anything. So a path of the
    venue's own is replaced; a path of somebody else's, or one that names streams, is not.
    """
    parts = urlsplit(endpoint)
    if _named_in(endpoint) or not _OWN_PATH.fullmatch(parts.path):
        return endpoint
    route = "public" if channel and channel.data_type in ("orderbook", "ticker") else "market"
    return urlunsplit(parts._replace(path=f"/{route}/stream"))

"""
Types of data and symbols -> channels, the messages that subscribe to them, and where.

A channel is a name and an instrument, such as `books` of `BTC-USDT`; we write `books:BTC-USDT`.
Candles and single trades are served at another path than all else, and neither at the other's.

Sources: www.okx.com/docs-v5/en/#overview-websocket-subscribe and the pages of the channels in
#order-book-trading-market-data and #public-data-websocket-funding-rate-channel
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

import msgspec

from pipeline.core.venues.venue import Channel
from pipeline.core.venues.wishes import check_wishes, written

# The channels to choose from.
OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The last two want a login of a large client.
        "books": ("books", "books5", "bbo-tbt", "books50-l2-tbt", "books-l2-tbt"),
        "trades": ("trades", "trades-all"),
    }
)
TYPES = frozenset({"trade", "ticker", "orderbook", "kline", "funding"})

# What a book begins with and then only changes; the others are all of a small book each time.
CHANGING = frozenset({"books", "books50-l2-tbt", "books-l2-tbt"})

# From six hours on the venue has candles of its own time, UTC+8, too: a day is one of UTC here.
CANDLES: Mapping[str, str] = MappingProxyType(
    {
        interval: f"candle{written}"
        for interval, written in (
            ("1s", "1s"), ("1m", "1m"), ("3m", "3m"), ("5m", "5m"), ("15m", "15m"), ("30m", "30m"),
            ("1h", "1H"), ("2h", "2H"), ("4h", "4H"), ("6h", "6Hutc"), ("12h", "12Hutc"),
            ("1d", "1Dutc"), ("2d", "2Dutc"), ("3d", "3Dutc"), ("5d", "5Dutc"), ("1w", "1Wutc"),
            ("1M", "1Mutc"), ("3M", "3Mutc"),
        )
    }
)  # fmt: skip

_NO_SYMBOL = ":,?*"
# The paths that the venue itself serves.
_OWN_PATH = re.compile(r"(?:/ws/v5(?:/(?:public|business))?)?/?")


def channels(
    names: Mapping[str, str],
    types: Sequence[str],
    symbols: Sequence[str],
    intervals: Sequence[str],
) -> list[Channel]:
    """
    Return what to subscribe to, symbol by symbol.

    Args:
        names: The channel, by type of data, except that of candles.

    Raises:
        BadOption: A type, an interval or a symbol that OKX cannot have.
    """
    check_wishes("OKX", types, TYPES, intervals, CANDLES)
    return [
        Channel(f"{name}:{symbol}", data_type, symbol, interval)
        for symbol in (written(symbol, _NO_SYMBOL) for symbol in symbols)
        for data_type in types
        if data_type != "funding" or symbol.endswith("-SWAP")
        for name, interval in _named(names, data_type, intervals)
    ]


def _named(
    names: Mapping[str, str], data_type: str, intervals: Sequence[str]
) -> Iterable[tuple[str, str]]:
    if data_type == "kline":
        return [(CANDLES[interval], interval) for interval in intervals]
    return [(names[data_type], "")]


def request(operation: str, channels: Sequence[Channel], number: int) -> bytes:
    """Return one message; the answer to each of its channels carries its number."""
    args = []
    for channel in channels:
        name, _, symbol = channel.name.partition(":")
        args.append({"channel": name, "instId": symbol})
    return msgspec.json.encode({"id": str(number), "op": operation, "args": args})


def routed_url(endpoint: str, channel: Channel | None) -> str:
    """Return where the channel is served: a path of the venue's own is replaced, no other is."""
    parts = urlsplit(endpoint)
    if not _OWN_PATH.fullmatch(parts.path):
        return endpoint
    # On the wrong path the venue answers that there is no such channel.
    apart = channel is not None and channel.name.startswith(("candle", "trades-all:"))
    return urlunsplit(parts._replace(path=f"/ws/v5/{'business' if apart else 'public'}"))

"""How long a candle lasts, by its interval as subjects write it: `1m`, `1h`, `1d`, `1M`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pipeline.core.errors import DecodeError

_INTERVAL = re.compile(r"([1-9][0-9]{0,3})([smhdwM])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000


def last_ns(open_ns: int, interval: str) -> int:
    """
    Return the last instant of a candle, in whole milliseconds as the venues count.

    Raises:
        DecodeError: Not an interval, or a month after the year 9999.
    """
    found = _INTERVAL.fullmatch(interval)
    if found is None:
        raise DecodeError("shape", "not an interval")
    count, unit = int(found[1]), found[2]
    if unit == "M":
        return _months_later(open_ns, count) - _NS_PER_MS
    return open_ns + count * _SECONDS[unit] * _NS_PER_S - _NS_PER_MS


def _months_later(open_ns: int, months: int) -> int:
    """Return the same moment of a later month; the day must be the first, as of candles it is."""
    try:
        opened = datetime.fromtimestamp(open_ns // _NS_PER_S, UTC)
        years, month = divmod(opened.month - 1 + months, 12)
        closed = opened.replace(year=opened.year + years, month=month + 1)
    except (ValueError, OverflowError, OSError) as e:
        raise DecodeError("number", "not the opening of a month") from e
    return int(closed.timestamp()) * _NS_PER_S

"""
Sizes and durations as an operator writes them: "1GB", "2m".

The letters mean what they mean to nats-server: `k` is 1,000 and `kb` is 1,024.
"""

from __future__ import annotations

import re
from decimal import Decimal

from streams.core.errors import BadDefinition

_SIZE = re.compile(r"(\d{1,18})\s*([a-z]*)", re.IGNORECASE | re.ASCII)
_FACTORS: dict[str, int] = {
    "": 1,
    "b": 1,
    **{
        suffix: base**power
        for power, letter in enumerate("kmgt", start=1)
        for suffix, base in (
            (letter, 1000), (f"{letter}b", 1024), (f"{letter}i", 1024), (f"{letter}ib", 1024)
        )
    },
}  # fmt: skip
# What the server holds in 64 bits, with a sign.
MOST_COUNT = 2**63 - 1

_PART = r"(\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s|m|h|d)"
_DURATION = re.compile(f"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(_PART, re.ASCII)
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_BARE = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)


def size_bytes(text: str, field: str = "size") -> int:
    """
    Return "1GB" or "1048576" in bytes.

    Raises:
        BadDefinition: It is no size, or more than the server can count.
    """
    found = _SIZE.fullmatch(text.strip())
    factor = _FACTORS.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise BadDefinition(field, f'{text!r} is no size; write for example "512MB" or "1GB"')
    size = int(found[1]) * factor
    if size > MOST_COUNT:
        raise BadDefinition(field, f"{text!r} is more than the server can count")
    return size


def duration_ns(text: str, field: str = "duration") -> int:
    """
    Return "2m", "1h30m" or "500ms" in nanoseconds; a bare number is in seconds.

    Raises:
        BadDefinition: It is no duration, or more than the server can count.
    """
    text = text.strip()
    if _BARE.fullmatch(text):
        text += "s"
    if not _DURATION.fullmatch(text):
        raise BadDefinition(field, f'{text!r} is no duration; write for example "2m" or "500ms"')
    # Exactly: a float has too few digits for the nanoseconds of a few months.
    count = int(sum(Decimal(number) * _UNITS_NS[unit] for number, unit in _PARTS.findall(text)))
    if count > MOST_COUNT:
        raise BadDefinition(field, f"{text!r} is more than the server can count")
    return count


def duration_s(text: str, field: str = "duration") -> float:
    """Return the same in seconds. Raises as `duration_ns` does."""
    return duration_ns(text, field) / _UNITS_NS["s"]

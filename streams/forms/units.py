"""
Sizes, durations and counts as people write them, and as JetStream keeps them.

Bytes and nanoseconds are whole numbers; what is shown can be typed again and gives the same number.
"""

from __future__ import annotations

import re
from fractions import Fraction

from streams.core import sizes
from streams.core.errors import BadDefinition

UNLIMITED = "unlimited"
NO_LIMIT = -1

DURATIONS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
SIZES = {"TB": 1 << 40, "GB": 1 << 30, "MB": 1 << 20, "KB": 1 << 10, "B": 1}

LONGEST = 64
# What an int64 holds; JetStream's numbers are.
MOST = 2**63 - 1

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|ms|us|ns|min|m|s)", re.ASCII)


def count(text: str) -> int:
    """
    Return a whole number; `unlimited` is -1.

    Raises:
        ValueError: It is none, or does not fit.
    """
    cleaned = text.strip().replace("_", "").replace(",", "").lower()
    if cleaned == UNLIMITED:
        return NO_LIMIT
    if not re.fullmatch(r"-?\d{1,19}", cleaned, re.ASCII):
        raise ValueError
    return _whole(Fraction(cleaned))


def size(text: str) -> int:
    """
    Return bytes of "10GB", "512 MB" or "4096"; see `count`.

    Raises:
        ValueError: It is none.
    """
    cleaned = text.strip().lower()
    if cleaned in (UNLIMITED, str(NO_LIMIT)):
        return NO_LIMIT
    try:
        return sizes.size_bytes(cleaned)
    except BadDefinition as e:
        raise ValueError from e


def duration(text: str) -> int:
    """
    Return nanoseconds of "1h", "1h30m", "2.5s" or "250ms"; a bare number is seconds.

    Raises:
        ValueError: It is none.
    """
    cleaned = text.strip().lower()
    if cleaned in (UNLIMITED, str(NO_LIMIT)):
        return 0 if cleaned == UNLIMITED else NO_LIMIT
    if len(cleaned) > LONGEST:
        raise ValueError
    if re.fullmatch(r"\d+(\.\d+)?", cleaned, re.ASCII):
        cleaned += "s"
    found, end = Fraction(0), 0
    for match in _DURATION_PART.finditer(cleaned):
        if cleaned[end : match.start()].strip():
            raise ValueError
        found += Fraction(match[1]) * DURATIONS["m" if match[2] == "min" else match[2]]
        end = match.end()
    if not end or cleaned[end:].strip():
        raise ValueError
    return _whole(found)


def count_text(value: int) -> str:
    return UNLIMITED if value == NO_LIMIT else str(value)


def size_text(value: int) -> str:
    if value == NO_LIMIT:
        return UNLIMITED
    for name, unit in SIZES.items():
        if value and value % unit == 0:
            return f"{value // unit}{name}"
    return str(value)


def duration_text(value: int) -> str:
    """Return the duration exactly: 1h, 90m, 1500ms."""
    if value <= 0:
        return str(value) if value else "0s"
    for name, unit in DURATIONS.items():
        if value % unit == 0:
            return f"{value // unit}{name}"
    raise AssertionError(value)  # Every whole number is a number of nanoseconds.


def _whole(value: Fraction) -> int:
    if value.denominator != 1 or abs(value) > MOST:
        raise ValueError
    return int(value)

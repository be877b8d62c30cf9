"""
What equity and balance did, minute by minute: open, high, low and close.

Amounts are whole numbers of 10**-digits of the currency. A bar holds the most digits that it has
seen, as long as its amounts fit a column: what is scaled up is exact.

Points of one minute count in the order in which they come. A point of any other minute, earlier or
later, ends the bar: what arrives late begins the bar of its minute again, and whoever keeps bars
joins the two (see `joined`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from accounts.core.errors import BadInterval, BadState

MINUTE_S = 60
DAY_S = 86_400
# What a column of whole numbers holds.
_MOST = 2**63 - 1


class Bar(Struct, frozen=True, array_like=True):
    """One interval, which begins at `at`, UTC."""

    at: datetime
    digits: int
    equity_open: int
    equity_high: int
    equity_low: int
    equity_close: int
    balance_open: int
    balance_high: int
    balance_low: int
    balance_close: int


def add(
    bar: Bar | None, *, at: datetime, equity: int, balance: int, digits: int
) -> tuple[Bar, Bar | None]:
    """
    Return the bar under way with this point in it, and the bar that the point ended, if any.

    Args:
        at: When the account was seen; any time zone.
        equity, balance: Whole numbers of 10**-digits of the currency.
    """
    minute = at.astimezone(UTC).replace(second=0, microsecond=0)
    if bar is None or bar.at != minute:
        return _point(minute, digits, equity, balance), bar
    if bar.digits != digits or not (-_MOST <= equity <= _MOST and -_MOST <= balance <= _MOST):
        return joined(bar, _point(minute, digits, equity, balance)), None
    return (
        Bar(
            minute,
            digits,
            bar.equity_open,
            max(bar.equity_high, equity),
            min(bar.equity_low, equity),
            equity,
            bar.balance_open,
            max(bar.balance_high, balance),
            min(bar.balance_low, balance),
            balance,
        ),
        None,
    )


def joined(first: Bar, then: Bar) -> Bar:
    """Return both as one bar that begins where the first does."""
    if first.digits != then.digits:
        first, then = _alike(first, then)
    return Bar(
        first.at,
        first.digits,
        first.equity_open,
        max(first.equity_high, then.equity_high),
        min(first.equity_low, then.equity_low),
        then.equity_close,
        first.balance_open,
        max(first.balance_high, then.balance_high),
        min(first.balance_low, then.balance_low),
        then.balance_close,
    )


def merged(bars: Iterable[Bar], interval_s: int) -> list[Bar]:
    """
    Return longer bars. They begin at midnight UTC and each `interval_s` after it.

    The last of a day is shorter where the day is no multiple of the interval. An interval without
    a bar gives none.

    Args:
        bars: In the order of time.

    Raises:
        BadInterval: Not whole minutes, or not between a minute and a day.
    """
    check_interval(interval_s)
    found: list[Bar] = []
    for bar in bars:
        at = beginning(bar.at, interval_s)
        if found and found[-1].at == at:
            found[-1] = joined(found[-1], bar)
        else:
            found.append(msgspec.structs.replace(bar, at=at))
    return found


def beginning(at: datetime, interval_s: int) -> datetime:
    """Return when the interval begins that holds this moment."""
    at = at.astimezone(UTC)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    second = (at - midnight) // timedelta(seconds=1)
    return midnight + timedelta(seconds=second - second % interval_s)


def following(beginning_at: datetime, interval_s: int) -> datetime:
    """Return when the next interval begins."""
    midnight = beginning_at.replace(hour=0, minute=0)
    return min(beginning_at + timedelta(seconds=interval_s), midnight + timedelta(days=1))


def check_interval(interval_s: int) -> None:
    """
    Raises:
        BadInterval: Not whole minutes, or not between a minute and a day.
    """
    if not MINUTE_S <= interval_s <= DAY_S or interval_s % MINUTE_S:
        raise BadInterval(
            f"an interval of {interval_s} s: use a multiple of {MINUTE_S} up to {DAY_S}"
        )


def stored(bar: Bar | None) -> str:
    """Return the bar as JSON, for a row; empty for None."""
    return "" if bar is None else _encode(bar).decode()


def restored(text: str) -> Bar | None:
    """
    Return the bar that `stored` wrote.

    Raises:
        BadState: It is none.
    """
    if not text:
        return None
    try:
        return _decode(text)
    except msgspec.MsgspecError as e:
        raise BadState(f"bar: {e}") from e


def _point(at: datetime, digits: int, equity: int, balance: int) -> Bar:
    bar = scaled = Bar(at, digits, *[equity] * 4, *[balance] * 4)
    while not _fits(scaled) and scaled.digits:
        scaled = _scaled(bar, scaled.digits - 1)
    return scaled


def _alike(first: Bar, then: Bar) -> tuple[Bar, Bar]:
    """Return both with the same digits: the most with which both fit a column."""
    digits = max(first.digits, then.digits)
    while True:
        scaled = _scaled(first, digits), _scaled(then, digits)
        if digits == 0 or all(map(_fits, scaled)):
            return scaled
        digits -= 1


def _scaled(bar: Bar, digits: int) -> Bar:
    """Return the bar with these digits; where they are fewer, halves are rounded up."""
    amounts = _amounts(bar)
    if digits >= bar.digits:
        factor = 10 ** (digits - bar.digits)
        return Bar(bar.at, digits, *(amount * factor for amount in amounts))
    factor = 10 ** (bar.digits - digits)
    return Bar(bar.at, digits, *((amount + factor // 2) // factor for amount in amounts))


def _fits(bar: Bar) -> bool:
    return all(-_MOST <= amount <= _MOST for amount in _amounts(bar))


def _amounts(bar: Bar) -> tuple[int, ...]:
    return msgspec.structs.astuple(bar)[2:]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Bar).decode

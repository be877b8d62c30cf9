from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.intervals import last_ns

NS = 10**9


def ns(year, month, day):
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * NS


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("1s", 1), ("1m", 60), ("15m", 900), ("4h", 14_400), ("1d", 86_400), ("1w", 604_800)],
)
def test_a_candle_ends_a_millisecond_before_the_next_one(interval, seconds):
    opened = ns(2026, 3, 2)

    assert last_ns(opened, interval) == opened + seconds * NS - 10**6


@pytest.mark.parametrize(
    ("opened", "interval", "following"),
    [
        ((2026, 2, 1), "1M", (2026, 3, 1)),
        ((2024, 2, 1), "1M", (2024, 3, 1)),
        ((2026, 12, 1), "1M", (2027, 1, 1)),
        ((2026, 11, 1), "3M", (2027, 2, 1)),
    ],
)
def test_months_are_as_long_as_the_calendar_has_them(opened, interval, following):
    assert last_ns(ns(*opened), interval) == ns(*following) - 10**6


@pytest.mark.parametrize("interval", ["", "1", "m", "0m", "1y", "1m ", "-1m", "\u0661m", "99999d"])
def test_what_is_no_interval_is_refused(interval):
    with pytest.raises(DecodeError):
        last_ns(0, interval)


@given(st.integers(0, 2**63 - 1), st.integers(1, 9_999), st.sampled_from("smhdwM"))
def test_any_opening_has_an_end_or_our_error(opened, count, unit):
    try:
        found = last_ns(opened, f"{count}{unit}")
    except DecodeError:
        assert unit == "M"
        return

    longest = timedelta(days=count * 31).total_seconds() * NS
    assert opened < found + 10**6 <= opened + longest

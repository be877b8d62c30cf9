from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.core import bars
from accounts.core.bars import Bar
from accounts.core.errors import BadInterval, BadState

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
AMOUNTS = st.integers(-(10**15), 10**15)
LARGEST = 2**63 - 1


def drawn(points, digits=2):
    """Return all bars of (moment, equity, balance), the one under way last."""
    bar, found = None, []
    for at, equity, balance in points:
        bar, finished = bars.add(bar, at=at, equity=equity, balance=balance, digits=digits)
        found += [finished] if finished else []
    return [*found, bar] if bar else found


def test_a_minute_holds_open_high_low_and_close_of_both():
    at = NOON + timedelta(seconds=3)
    points = [(at, 100, 90), (at, 80, 95), (at, 120, 95), (at, 110, 70)]

    assert drawn(points) == [Bar(NOON, 2, 100, 120, 80, 110, 90, 95, 70, 70)]


def test_the_next_minute_ends_the_bar():
    under_way, finished = bars.add(None, at=NOON, equity=1, balance=1, digits=2)
    assert finished is None

    last = NOON + timedelta(seconds=59, microseconds=999_999)
    under_way, finished = bars.add(under_way, at=last, equity=2, balance=2, digits=2)
    assert finished is None

    ended = under_way
    next_minute = NOON + timedelta(minutes=1)
    under_way, finished = bars.add(under_way, at=next_minute, equity=9, balance=9, digits=2)
    assert finished == ended
    assert under_way == Bar(next_minute, 2, 9, 9, 9, 9, 9, 9, 9, 9)


def test_a_moment_that_comes_late_goes_into_its_own_minute():
    early, late = NOON, NOON + timedelta(minutes=1)

    found = drawn([(early, 10, 10), (late, 20, 20), (early, 5, 5), (late, 30, 30)])

    assert [bar.at for bar in found] == [early, late, early, late]
    assert bars.joined(found[0], found[2]) == Bar(early, 2, 10, 10, 5, 5, 10, 10, 5, 5)
    assert bars.joined(found[1], found[3]) == Bar(late, 2, 20, 30, 20, 30, 20, 30, 20, 30)


def test_a_minute_is_utcs_whatever_the_zone_of_the_moment():
    kathmandu = timezone(timedelta(hours=5, minutes=45))

    bar, _ = bars.add(None, at=NOON.astimezone(kathmandu), equity=1, balance=1, digits=2)

    assert bar.at == NOON
    assert bar.at.utcoffset() == timedelta(0)


@given(st.lists(st.tuples(st.integers(0, 600), AMOUNTS, AMOUNTS), min_size=1))
def test_bars_say_what_their_points_were(points):
    points = [(NOON + timedelta(seconds=second), equity, b) for second, equity, b in points]
    by_minute = defaultdict(list)
    for at, equity, balance in points:
        by_minute[at.replace(second=0)].append((equity, balance))

    joined: dict[datetime, Bar] = {}
    for bar in drawn(points):
        joined[bar.at] = bars.joined(joined[bar.at], bar) if bar.at in joined else bar

    assert joined.keys() == by_minute.keys()
    for at, seen in by_minute.items():
        equity, balance = zip(*seen, strict=True)
        assert joined[at] == Bar(
            at, 2,
            equity[0], max(equity), min(equity), equity[-1],
            balance[0], max(balance), min(balance), balance[-1],
        )  # fmt: skip


@given(st.lists(st.tuples(st.integers(-LARGEST * 10, LARGEST * 10), st.integers(0, 8)), min_size=1))
def test_a_bar_always_fits_a_column_and_holds_its_points(points):
    bar: Bar | None = None
    for equity, digits in points:
        bar, _ = bars.add(bar, at=NOON, equity=equity, balance=-equity, digits=digits)
        if digits == 0 and abs(equity) > LARGEST:
            return  # No money: `core.state` refuses it.

    assert bar
    amounts = msgspec.structs.astuple(bar)[2:]
    assert all(-LARGEST <= amount <= LARGEST for amount in amounts)
    assert bar.equity_low <= min(bar.equity_open, bar.equity_close)
    assert bar.equity_high >= max(bar.equity_open, bar.equity_close)
    # Halves of the last digit that the bar could keep.
    exact = [equity / 10**digits for equity, digits in points]
    assert bar.equity_high / 10**bar.digits == pytest.approx(max(exact), abs=0.6, rel=1e-9)
    assert bar.equity_low / 10**bar.digits == pytest.approx(min(exact), abs=0.6, rel=1e-9)


def test_other_digits_scale_the_bar_exactly():
    bar, _ = bars.add(None, at=NOON, equity=10_05, balance=10_00, digits=2)
    bar, _ = bars.add(bar, at=NOON, equity=10_041, balance=9_999, digits=3)
    bar, _ = bars.add(bar, at=NOON, equity=11, balance=10, digits=0)

    assert bar == Bar(NOON, 3, 10_050, 11_000, 10_041, 11_000, 10_000, 10_000, 9_999, 10_000)


def test_an_amount_too_large_for_its_digits_loses_some_of_them():
    bar, _ = bars.add(None, at=NOON, equity=10**15 * 10**8, balance=15, digits=8)

    assert (bar.digits, bar.equity_close, bar.balance_close) == (3, 10**18, 0)


@given(st.lists(st.tuples(st.integers(0, 3 * 86_400 - 1), AMOUNTS, AMOUNTS)), st.data())
def test_longer_bars_are_the_same_however_often_they_are_merged(points, data):
    points = sorted(points, key=lambda point: point[0])
    midnight = NOON.replace(hour=0)
    minutes = drawn([(midnight + timedelta(seconds=s), e, b) for s, e, b in points])
    minutes_each = data.draw(st.sampled_from([2, 3, 5, 7, 60, 1440]))
    times = data.draw(st.sampled_from([n for n in (1, 2, 3, 4, 6) if n * minutes_each <= 1440]))

    longer = bars.merged(minutes, 60 * minutes_each)
    longest = bars.merged(minutes, 60 * minutes_each * times)

    assert bars.merged(minutes, 60) == minutes
    assert bars.merged(longer, 60 * minutes_each * times) == longest
    assert sorted({bar.at for bar in longest}) == [bar.at for bar in longest]
    if minutes:
        assert longest[0].equity_open == minutes[0].equity_open
        assert longest[-1].balance_close == minutes[-1].balance_close
        assert max(b.equity_high for b in longest) == max(b.equity_high for b in minutes)
        assert min(b.balance_low for b in longest) == min(b.balance_low for b in minutes)


@pytest.mark.parametrize(
    ("interval_s", "at", "begins", "ends"),
    [
        (300, "12:34:56", "12:30", "12:35"),
        (3600, "12:34:56", "12:00", "13:00"),
        (14_400, "23:59:59", "20:00", "24:00"),
        (86_400, "12:34:56", "00:00", "24:00"),
        (50_400, "13:59:59", "00:00", "14:00"),
        (50_400, "14:00:00", "14:00", "24:00"),  # Cut by midnight, so that every day begins anew.
    ],
)
def test_intervals_count_from_midnight_utc(interval_s, at, begins, ends):
    def moment(text):
        if text == "24:00":
            return datetime(2026, 3, 30, tzinfo=UTC)
        return datetime.fromisoformat(f"2026-03-29T{text}+00:00")

    beginning = bars.beginning(moment(at), interval_s)

    assert beginning == moment(begins)
    assert bars.following(beginning, interval_s) == moment(ends)


@pytest.mark.parametrize("interval_s", [-60, 0, 1, 59, 61, 90, 86_460])
def test_an_interval_that_there_is_not_is_refused(interval_s):
    with pytest.raises(BadInterval, match=f"interval of {interval_s} s"):
        bars.merged([], interval_s)


@given(st.builds(Bar, st.just(NOON), st.integers(0, 8), *[AMOUNTS] * 8))
def test_what_is_stored_is_restored(bar):
    assert bars.restored(bars.stored(bar)) == bar


def test_no_bar_is_stored_as_nothing():
    assert bars.stored(None) == ""
    assert bars.restored("") is None


@pytest.mark.parametrize("text", ["{", "[]", '["yesterday",2,1,1,1,1,1,1,1,1]', "null"])
def test_a_row_that_holds_no_bar_is_refused(text):
    with pytest.raises(BadState, match="bar"):
        bars.restored(text)

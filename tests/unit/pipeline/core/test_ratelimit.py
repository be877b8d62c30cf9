from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.ratelimit import Bucket, minutely


def spendings(bucket, weights, pauses):
    """Return (time, weight) of each spending by somebody who always waits as told."""
    now_s, found = 100.0, []
    for weight, pause_s in zip(weights, pauses, strict=False):
        now_s += pause_s
        # A hair more: the sum of two floats may end just before the moment.
        now_s += bucket.wait_s(weight, now_s) * (1 + 1e-9)
        assert bucket.wait_s(weight, now_s) < 1e-6
        bucket.spend(weight, now_s)
        found.append((now_s, weight))
    return found


WEIGHTS = st.lists(st.integers(1, 50), min_size=1, max_size=300)
PAUSES = st.lists(st.floats(0, 90), min_size=300, max_size=300)


@given(WEIGHTS, PAUSES, st.integers(200, 6000))
def test_no_minute_holds_more_than_the_limit(weights, pauses, limit):
    found = spendings(minutely(limit), weights, pauses)

    for begin_s, _ in found:
        within = sum(weight for at_s, weight in found if begin_s <= at_s < begin_s + 60)
        assert within <= limit


def test_what_is_heavier_than_all_there_can_be_is_let_through_when_it_is_full():
    bucket = Bucket(10, 1)
    assert bucket.wait_s(25, 0.0) == 0

    bucket.spend(25, 0.0)

    assert bucket.wait_s(1, 0.0) == pytest.approx(16)
    assert bucket.wait_s(1, 16.0) == pytest.approx(0)


def test_a_clock_that_goes_back_gives_nothing():
    bucket = Bucket(1, 1)
    bucket.spend(1, 10.0)

    assert bucket.wait_s(1, 5.0) == pytest.approx(1)

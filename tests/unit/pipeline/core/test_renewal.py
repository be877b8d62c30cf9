from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.renewal import DAY_S, due_in_s

LUCK = st.floats(0, 1)
NOON_NS = (20_000 * DAY_S + 12 * 3600) * 10**9


def due(**more):
    settings: dict[str, Any] = {
        "link_life_s": 0.0,
        "renew_at": "",
        "venue_life_s": 0.0,
        "luck": 0.5,
    }
    return due_in_s(**(settings | {"now_ns": NOON_NS} | more))


def test_a_link_that_nobody_ends_is_not_renewed():
    assert due() == math.inf


@given(LUCK, st.floats(60, 200_000), st.floats(0, 200_000))
def test_it_is_renewed_before_the_venue_closes_it(luck, venue_life_s, link_life_s):
    found = due(venue_life_s=venue_life_s, link_life_s=link_life_s, luck=luck)

    assert 0 <= found <= venue_life_s * 0.95


def test_links_opened_together_are_not_renewed_together():
    found = [due(venue_life_s=86_400.0, luck=luck) for luck in (0.0, 0.5, 1.0)]

    assert found[0] - found[2] > 3_600
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("renew_at", "expected_s"), [("12:01", 60), ("11:59", DAY_S - 60), ("12:00", DAY_S)]
)
def test_a_time_of_day_is_the_next_one(renew_at, expected_s):
    assert due(renew_at=renew_at, luck=0.0) == pytest.approx(expected_s)


def test_a_time_of_day_beyond_the_venues_limit_is_no_excuse():
    assert due(renew_at="11:00", venue_life_s=7_200.0) < 7_200

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.core.errors import BadState
from accounts.core.state import AccountState, read, restored, stored, units
from tests.unit.accounts.examples import POSITION, money, state, states

LEAST = {"balance": 1, "equity": "1.5", "profit": 0.5, "margin": 0, "freeMargin": "1.50"}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("1E+999999999"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_what_a_provider_leaves_out_has_the_defaults_of_the_contract():
    found = read(LEAST)

    assert (found.currency, found.leverage) == ("USD", 100)
    assert (found.positions, found.orders) == ((), ())


@given(states)
def test_a_state_survives_storage_as_json_digit_by_digit(now):
    again = restored(stored(now))

    assert again == now
    assert again.balance.as_tuple() == now.balance.as_tuple()


@given(anything)
def test_whatever_a_stranger_hands_over_is_a_state_or_our_error(data):
    try:
        found = read(data)
    except BadState:
        return
    assert isinstance(found, AccountState)


@given(st.sampled_from(sorted(LEAST)), anything)
def test_a_strange_amount_is_an_amount_or_our_error(name, value):
    try:
        found = read(LEAST | {name: value})
    except BadState:
        return
    assert restored(stored(found)) == found


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1E+15", "0.00000000001", True, None, "x"])
def test_an_amount_that_is_no_money_is_refused(value):
    with pytest.raises(BadState):
        read(LEAST | {"equity": value})


@pytest.mark.parametrize(
    "change",
    [
        {"ticket": -1},
        {"symbol": ""},
        {"type": "HOLD"},
        {"openTime": "2025-11-14T08:00:00"},
        {"openTime": "0001-01-01T00:00:00+14:00"},
        {"currentPrice": "Infinity"},
    ],
)
def test_a_position_that_cannot_be_is_refused(change):
    good = json.loads(stored(state(positions=(POSITION,))))["positions"][0]

    assert read(LEAST | {"positions": [good]}).positions == (POSITION,)
    with pytest.raises(BadState):
        read(LEAST | {"positions": [good | change]})


@given(money)
def test_units_are_the_amount_without_its_point(amount):
    assert units(amount, 2) == int(amount * 100)

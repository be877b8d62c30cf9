from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accounts.core import diff
from tests.unit.accounts.examples import ORDER, POSITION, state, states


def test_only_watched_amounts_that_moved_by_a_unit_count():
    now = state(equity="10150.26", profit="150.2549", margin="500.0000")

    assert diff.changed(state(), now) == ("equity",)


def test_a_currency_without_cents_does_not_move_by_cents():
    assert diff.changed(state(), state(equity="10150.40", currency_digits=0)) == ()


@given(states, states)
def test_nothing_differs_once_everything_is_applied(held, now):
    merged = diff.applied(held, now, ["update", "positions", "orders"])

    assert diff.changed(merged, now) == ()
    assert not diff.positions_changed(merged, now)
    assert not diff.orders_changed(merged, now)
    assert diff.applied(held, now, ["account"]) == now


@given(states, states)
def test_an_update_leaves_the_books_as_they_were(held, now):
    merged = diff.applied(held, now, ["update"])

    assert (merged.positions, merged.orders) == (held.positions, held.orders)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"current_price": Decimal("1.2"), "profit": Decimal(7), "swap": Decimal(1)}, False),
        ({"volume": Decimal("0.10")}, False),
        ({"volume": Decimal("0.05")}, True),
        ({"ticket": 5}, True),
        ({"side": "SELL"}, True),
    ],
)
def test_a_position_counts_as_changed_when_more_than_its_worth_changed(change, counts):
    held = state(positions=(POSITION,))

    assert diff.positions_changed(held, state(positions=(replace(POSITION, **change),))) is counts


def test_opening_and_closing_change_the_positions_and_their_order_does_not():
    other = replace(POSITION, ticket=2)

    assert diff.positions_changed(state(), state(positions=(POSITION,)))
    assert diff.positions_changed(state(positions=(POSITION,)), state())
    assert not diff.positions_changed(
        state(positions=(POSITION, other)), state(positions=(other, POSITION))
    )


def test_placing_deleting_and_altering_change_the_orders_and_the_market_does_not():
    held = state(orders=(ORDER,))

    assert diff.orders_changed(state(), held)
    assert diff.orders_changed(held, state())
    assert diff.orders_changed(held, state(orders=(replace(ORDER, price=Decimal("1.2")),)))
    assert not diff.orders_changed(
        held, state(orders=(replace(ORDER, current_price=Decimal("1.3")),))
    )


def test_new_terms_are_told_apart_from_new_amounts():
    assert diff.terms_changed(state(), state(leverage=200))
    assert diff.terms_changed(state(), state(currency="EUR"))
    assert not diff.terms_changed(state(), state(equity="1.00"))


def test_a_deadband_may_be_wider_than_one_unit():
    held = state(equity="10000.00", balance="10000.00")
    now = state(equity="10000.04", balance="9999.95")

    assert diff.changed(held, now, deadband=5) == ("balance",)
    assert diff.changed(held, now) == ("balance", "equity")


@given(st.sampled_from(["volume", "open_price"]), st.integers(-9, 9))
def test_the_noise_of_a_double_changes_no_position(name, noise):
    noisy = getattr(POSITION, name) + Decimal(noise).scaleb(-10)
    held, now = POSITION, replace(POSITION, **{name: noisy})

    assert not diff.positions_changed(state(positions=(held,)), state(positions=(now,)))


def test_the_smallest_step_of_the_finest_price_is_no_noise():
    held = replace(POSITION, open_price=Decimal("0.00001234"))
    now = replace(POSITION, open_price=Decimal("0.00001235"))

    assert diff.positions_changed(state(positions=(held,)), state(positions=(now,)))


def test_stops_and_what_else_the_lists_do_not_show_change_no_list():
    held = state(positions=(POSITION,), orders=(ORDER,))
    now = state(
        positions=(replace(POSITION, stop_loss=Decimal(1), magic=1, comment="x"),),
        orders=(replace(ORDER, take_profit=Decimal(1), state="PARTIAL"),),
    )

    assert not diff.positions_changed(held, now)
    assert not diff.orders_changed(held, now)


def test_a_ticket_that_a_broker_replaced_over_night_is_shown_at_once():
    held = replace(POSITION, identifier=1)

    assert diff.positions_changed(
        state(positions=(held,)), state(positions=(replace(held, ticket=2),))
    )

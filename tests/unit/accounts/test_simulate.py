from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from accounts.core import simulate
from accounts.core.simulate import INSTRUMENTS, SEASON_S, state_at
from accounts.core.state import restored, stored, units

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

# The simulated world begins in 2020.
moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def watched(login="261632689", seconds=SEASON_S):
    return [state_at(login, "Demo", NOON + timedelta(seconds=n)) for n in range(seconds)]


def tickets(entries):
    return {entry.ticket for entry in entries}


@given(st.text(min_size=1), st.text(min_size=1), moments, st.integers(1, 1000))
def test_every_state_adds_up(login, server, now, leverage):
    found = state_at(login, server, now, leverage=leverage)

    assert restored(stored(found)) == found
    assert found.profit == sum(p.profit for p in found.positions)
    assert found.equity == found.balance + found.profit
    assert found.free_margin == found.equity - found.margin
    assert found.leverage == leverage
    assert found.balance > 0
    entries = [*found.positions, *found.orders]
    assert len(tickets(entries)) == len(entries)
    assert units(found.margin, 2) >= 0


@given(moments, st.integers(0, 999_999))
def test_a_second_has_one_state(now, microsecond):
    second = now.replace(microsecond=0)

    assert state_at("7", "Demo", second) == state_at(
        "7", "Demo", second.replace(microsecond=microsecond)
    )


def test_equity_moves_nearly_every_second():
    states = watched()

    still = sum(before.equity == after.equity for before, after in pairwise(states))
    assert still < len(states) / 5


def test_positions_open_and_close_and_each_opens_once():
    opened, closed = [], []
    for before, after in pairwise(watched()):
        opened += tickets(after.positions) - tickets(before.positions)
        closed += tickets(before.positions) - tickets(after.positions)

    assert len(opened) == len(set(opened)) > 10
    assert len(closed) == len(set(closed)) > 10


def test_orders_are_placed_and_then_executed_or_deleted():
    placed = executed = deleted = 0
    for before, after in pairwise(watched()):
        placed += len(tickets(after.orders) - tickets(before.orders))
        for order in before.orders:
            if order.ticket in tickets(after.orders):
                continue
            position = next((p for p in after.positions if p.ticket == order.ticket), None)
            if position is None:
                deleted += 1
            else:
                executed += 1
                assert position.open_price == order.price
                assert position.side == order.type.split("_")[0]

    assert placed
    assert executed
    assert deleted


def test_the_balance_moves_by_what_closed_trades_brought():
    contracts = {instrument.symbol: instrument.contract for instrument in INSTRUMENTS}
    checked = 0
    for second in range(1, 300):
        before, after = (
            state_at("1", "Demo", NOON + timedelta(seconds=n)) for n in (second - 1, second)
        )
        closed = [p for p in before.positions if p.ticket not in tickets(after.positions)]
        # Every account of a server sees one price, so the others tell what this one closed at.
        prices = {
            p.symbol: p.current_price
            for login in range(2, 40)
            for p in state_at(str(login), "Demo", NOON + timedelta(seconds=second)).positions
        }
        brought = Decimal(0)
        for p in closed:
            gain = (prices[p.symbol] - p.open_price) * p.volume * contracts[p.symbol]
            brought += (gain if p.side == "BUY" else -gain).quantize(Decimal("0.01"))
            checked += 1

        assert after.balance - before.balance == brought

    assert checked > 5


def test_accounts_differ_by_login_and_by_server():
    first = state_at("1", "Demo", NOON)

    assert first != state_at("2", "Demo", NOON)
    assert first != state_at("1", "Demo2", NOON)
    assert first == state_at("1", "Demo", NOON)


@given(st.text(min_size=1), st.text(min_size=1), moments)
def test_a_busy_account_always_has_a_position_and_an_order_and_adds_up(login, server, now):
    found = state_at(login, server, now, busy=True)

    assert restored(stored(found)) == found
    assert len(found.positions) == len(found.orders) == 1
    assert tickets(found.positions).isdisjoint(tickets(found.orders))
    assert found.equity == found.balance + found.profit
    assert found.positions[0].open_time <= now
    assert found.orders[0].time <= now


@given(st.text(min_size=1), moments)
def test_the_profit_of_a_busy_account_is_another_one_every_second(login, now):
    states = [state_at(login, "Demo", now + timedelta(seconds=n), busy=True) for n in range(5)]

    for before, after in pairwise(states):
        if tickets(before.positions) == tickets(after.positions):
            assert before.profit != after.profit


def test_busy_accounts_replace_what_they_have_each_at_its_own_second():
    seconds = [NOON + timedelta(seconds=n) for n in range(SEASON_S + 1)]
    moved = []
    for login in map(str, range(20)):
        opened = [state_at(login, "Demo", now, busy=True).positions[0].ticket for now in seconds]
        moved += [n for n, (a, b) in enumerate(pairwise(opened)) if a != b]

    assert len(moved) == 20
    assert len(set(moved)) > 15


def test_an_account_is_the_same_whatever_was_asked_before():
    def anew(second):
        clear_caches()
        return state_at("7", "Demo", NOON + timedelta(seconds=second))

    seconds = [899, 10, 450, 1500, 20, 900, 455]
    clear_caches()
    assert [state_at("7", "Demo", NOON + timedelta(seconds=n)) for n in seconds] == [
        anew(n) for n in seconds
    ]


def clear_caches():
    for function in vars(simulate).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accounts.core import diff
from accounts.core.schedule import Intervals, Turns, phase, plan
from tests.unit.accounts.examples import NOW, ORDER, POSITION, moments, state

INTERVALS = Intervals()
KEY = "3f0e5f8e"


class Terminal:
    """Ticks once a second and keeps what was sent, as (second, kind)."""

    def __init__(self, intervals=INTERVALS, key=KEY):
        self.intervals, self.key = intervals, key
        self.held, self.turns, self.second = None, Turns(), 0
        self.sent = []

    def tick(self, now_state):
        found = plan(
            now_state,
            self.held,
            self.turns,
            now=NOW + timedelta(seconds=self.second),
            intervals=self.intervals,
            key=self.key,
        )
        self.sent += [(self.second, kind) for kind in found.kinds]
        if found.kinds:
            self.held = diff.applied(self.held, now_state, found.kinds)
        self.turns = found.turns
        self.second += 1
        return found.kinds

    def seconds(self, kind):
        return [second for second, sent in self.sent if sent == kind]


def gaps(seconds):
    return [after - before for before, after in pairwise(seconds)]


def test_a_new_account_sends_a_snapshot_and_then_one_every_interval():
    terminal = Terminal()
    for _ in range(200):
        terminal.tick(state())

    seconds = terminal.seconds("account")
    assert seconds[0] == 0
    assert seconds[1] <= 30
    assert set(gaps(seconds[1:])) == {30}
    assert {kind for _, kind in terminal.sent} == {"account"}


def test_a_shorter_interval_counts_at_once():
    terminal = Terminal(Intervals(account_s=3600, update_s=3600, positions_s=3600, orders_s=3600))
    now_state = state(positions=(POSITION,), orders=(ORDER,))
    terminal.tick(now_state)
    terminal.intervals = INTERVALS
    # As at a snapshot on request: consumers' state is taken for unknown.
    terminal.held = None

    for second in range(1, 61):
        terminal.tick(replace(now_state, equity=Decimal(second)))

    sent = Counter(kind for second, kind in terminal.sent if second > 1)
    assert sent["account"] == 2
    assert sent["update"] >= 15
    assert sent["positions"] >= 8
    assert sent["orders"] >= 4


def test_an_update_follows_a_change_but_not_sooner_than_the_interval():
    terminal = Terminal()
    for second in range(29):
        terminal.tick(state(equity=f"{second}.00"))

    assert min(gaps(terminal.seconds("update"))) >= 3
    assert max(gaps(terminal.seconds("update"))) <= 5


def test_a_change_after_a_quiet_time_goes_out_with_the_next_tick():
    terminal = Terminal(Intervals(account_s=3600))
    for _ in range(10):
        terminal.tick(state())

    assert terminal.tick(state(equity="1.00")) == ("update",)


@pytest.mark.parametrize("change", [{"leverage": 30}, {"currency": "EUR"}])
def test_new_terms_are_told_by_a_snapshot(change):
    terminal = Terminal()
    terminal.tick(state())

    assert terminal.tick(state(**change)) == ("account",)


def test_positions_go_out_at_once_on_open_and_close():
    terminal = Terminal(Intervals(account_s=3600))
    terminal.tick(state())

    assert terminal.tick(state(positions=(POSITION,))) == ("positions",)
    assert terminal.tick(state(positions=(POSITION,))) == ()
    assert terminal.tick(state()) == ("positions",)
    assert terminal.tick(state()) == ()


def test_orders_go_out_at_once_when_placed_deleted_and_executed():
    terminal = Terminal(Intervals(account_s=3600))
    terminal.tick(state())

    assert terminal.tick(state(orders=(ORDER,))) == ("orders",)
    assert terminal.tick(state()) == ("orders",)
    terminal.tick(state(orders=(ORDER,)))
    assert terminal.tick(state(positions=(POSITION,))) == ("positions", "orders")


def test_open_positions_and_orders_are_refreshed_at_their_intervals():
    terminal = Terminal(Intervals(account_s=3600))
    for second in range(60):
        price = Decimal(second)
        terminal.tick(
            state(
                positions=(replace(POSITION, current_price=price),),
                orders=(replace(ORDER, current_price=price),),
            )
        )

    assert set(gaps(terminal.seconds("positions"))) == {5}
    assert set(gaps(terminal.seconds("orders"))) == {10}


def test_intervals_are_those_given():
    terminal = Terminal(Intervals(account_s=7, update_s=2))
    for second in range(60):
        terminal.tick(state(equity=f"{second}.00"))

    assert set(gaps(terminal.seconds("account")[1:])) == {7}
    assert min(gaps(terminal.seconds("update"))) == 2


def test_after_an_outage_an_account_sends_once_and_not_once_for_each_missed_turn():
    terminal = Terminal()
    for _ in range(10):
        terminal.tick(state(positions=(POSITION,)))
    terminal.second += 600

    assert terminal.tick(state(positions=(POSITION,))) == ("account",)
    assert terminal.tick(state(positions=(POSITION,))) == ()


def test_snapshots_of_many_accounts_spread_over_the_interval():
    seconds: Counter[int] = Counter()
    for number in range(600):
        terminal = Terminal(key=str(number))
        for _ in range(62):
            terminal.tick(state())
        seconds.update(terminal.seconds("account")[1:])

    assert set(range(1, 61)) <= seconds.keys()
    assert max(seconds.values()) < 3 * 600 / 30


@given(st.text(), moments, st.integers(1, 3600))
def test_the_next_snapshot_is_after_now_and_within_the_interval(key, now, interval_s):
    turns = plan(
        state(), None, Turns(), now=now, intervals=Intervals(account_s=interval_s), key=key
    ).turns

    assert now < turns.account_at <= now + timedelta(seconds=interval_s)
    assert 0 <= phase(key, interval_s) <= interval_s


@pytest.mark.parametrize("key", ["a", "b", "c", "d", "e"])
def test_an_account_in_which_all_moves_sends_forty_messages_a_minute(key):
    terminal = Terminal(key=key)
    for second in range(60 + 600):
        price = Decimal(second)
        terminal.tick(
            state(
                equity=f"{second}.00",
                positions=(replace(POSITION, current_price=price),),
                orders=(replace(ORDER, current_price=price),),
            )
        )

    sent = Counter(kind for second, kind in terminal.sent if second >= 60)
    assert sent == {"account": 20, "update": 200, "positions": 120, "orders": 60}


@pytest.mark.parametrize("key", ["a", "b", "c", "d", "e"])
def test_after_a_change_the_next_refresh_is_no_further_than_the_interval(key):
    terminal = Terminal(Intervals(account_s=3600), key=key)
    terminal.tick(state())
    for number in range(90):
        # Something happens each 23 s, and prices move all the time.
        position = replace(POSITION, ticket=1 + number // 23, current_price=Decimal(number))
        order = replace(ORDER, ticket=1 + number // 23, current_price=Decimal(number))
        terminal.tick(state(positions=(position,), orders=(order,)))

    # A turn is served by the first tick after it.
    assert max(gaps(terminal.seconds("positions"))) <= 5 + 1
    assert max(gaps(terminal.seconds("orders"))) <= 10 + 1


def test_ticks_that_come_a_little_early_or_late_cost_hardly_a_turn():
    sent = 0
    for key in map(str, range(40)):
        turns, held = Turns(), None
        for second in range(300):
            now = NOW + timedelta(seconds=second, milliseconds=second * 37 % 50)
            seen = state(equity=f"{second}.00")
            due = plan(seen, held, turns, now=now, intervals=Intervals(), key=key)
            turns = due.turns
            held = diff.applied(held, seen, due.kinds) if due.kinds else held
            sent += "update" in due.kinds

    # The first comes late. Counted from the tick, not from the turn, it would be 97.8 %.
    assert sent / 40 / (300 / 3) > 0.985

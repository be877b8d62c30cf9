from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accounts.core import events
from accounts.core.events import KINDS, alert_event, changes, connection_event, event, settled
from accounts.core.lifecycle import Connection
from accounts.core.rules import Alert
from accounts.core.state import DoneOrder
from tests.unit.accounts.examples import (
    NOW,
    ORDER,
    POSITION,
    SENDER,
    orders_of,
    positions_of,
    state,
)

OPEN = replace(POSITION, identifier=POSITION.ticket, stop_loss=Decimal("1.09"))
ENVELOPE = (
    b'"timestamp":"2025-11-14T10:30:00.000Z","server":"Broker-Live",'
    b'"accountId":"3f0e5f8e-0000-4000-8000-000000000001","number":12,"eventId":"e-1","v":1}'
)
WIRE_POSITION = (
    b'{"ticket":123456789,"symbol":"EURUSD","type":"BUY","volume":0.1,"openPrice":1.10000,'
    b'"currentPrice":1.10500,"profit":50.00,"swap":-1.20,"commission":0.00,'
    b'"openTime":"2025-11-14T08:00:00.000Z","positionId":123456789,"stopLoss":1.09,'
    b'"takeProfit":null,"magic":0,"comment":""}'
)


def happened(before, after, done=()):
    return [(change.kind, change.reason) for change in changes(before, after, done)]


def told(change):
    return event(change, SENDER, number=12, id="e-1", at=NOW)


def with_positions(*entries, **keys):
    return state(positions=entries, **keys)


def with_orders(*entries, **keys):
    return state(orders=entries, **keys)


# Positions


def test_nothing_is_told_of_what_was_there_before_the_first_state():
    assert changes(None, with_positions(OPEN)) == []


def test_positions_open_and_close():
    assert happened(state(), with_positions(OPEN)) == [("position.opened", "")]
    assert happened(with_positions(OPEN), state()) == [("position.closed", "unknown")]


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        ({"reason": "SL"}, "sl"),
        ({"reason": "CLIENT"}, "client"),
        ({}, "unknown"),
        ({"reason": "SL", "position_id": 6}, "unknown"),
        ({"reason": "SL", "state": "CANCELED"}, "unknown"),
        ({"reason": "CLIENT", "ticket": OPEN.ticket}, "unknown"),
    ],
)
def test_a_position_is_closed_for_the_reason_of_the_order_that_closed_it(done, reason):
    closing = {"ticket": 5, "state": "FILLED", "position_id": OPEN.ticket} | done

    assert happened(with_positions(OPEN), state(), [DoneOrder(**closing)]) == [
        ("position.closed", reason)
    ]


def test_a_partial_close_and_an_increase_change_the_volume():
    less = replace(OPEN, volume=Decimal("0.04"))
    more = replace(OPEN, volume=Decimal("0.3"), open_price=Decimal("1.10210"))

    assert happened(with_positions(OPEN), with_positions(less)) == [
        ("position.volume_changed", "reduced")
    ]
    assert happened(with_positions(OPEN), with_positions(more)) == [
        ("position.volume_changed", "increased")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"stop_loss": None},
        {"stop_loss": Decimal("1.095")},
        {"take_profit": Decimal("1.2")},
        {"open_price": Decimal("1.10001")},
    ],
)
def test_new_stops_or_another_open_price_modify_a_position(change):
    assert happened(with_positions(OPEN), with_positions(replace(OPEN, **change))) == [
        ("position.modified", "")
    ]


def test_a_partial_close_with_a_new_stop_is_told_as_the_two_things_it_is():
    after = replace(OPEN, volume=Decimal("0.04"), stop_loss=Decimal("1.1"))

    resized, modified = changes(with_positions(OPEN), with_positions(after))

    assert (resized.kind, modified.kind) == ("position.volume_changed", "position.modified")
    between = replace(OPEN, volume=Decimal("0.04"))
    assert (resized.before, resized.after) == (OPEN, between)
    assert (modified.before, modified.after) == (between, after)


@pytest.mark.parametrize(
    "change",
    [
        {"current_price": Decimal(2), "profit": Decimal(9), "swap": Decimal(-5)},
        {"commission": Decimal(-7), "comment": "x", "magic": 3},
        {"volume": Decimal("0.10")},
        {"volume": Decimal("0.1000000001"), "open_price": Decimal("1.1000000009")},
        {"stop_loss": Decimal("1.0899999991")},
        {"ticket": 42},
        {"open_time": NOW},
    ],
)
def test_the_market_the_noise_of_doubles_and_a_new_ticket_are_no_event(change):
    assert happened(with_positions(OPEN), with_positions(replace(OPEN, **change))) == []


def test_a_netting_reversal_is_the_end_of_one_position_and_the_beginning_of_another():
    reversed_ = replace(OPEN, ticket=77, side="SELL", volume=Decimal("0.2"), stop_loss=None)

    closed, opened = changes(with_positions(OPEN), with_positions(reversed_))

    assert (closed.kind, closed.reason, closed.before) == ("position.closed", "reversed", OPEN)
    assert (opened.kind, opened.reason, opened.after) == ("position.opened", "reversed", reversed_)


def test_positions_on_one_symbol_are_told_apart():
    first, second, third = (replace(OPEN, ticket=n, identifier=n) for n in (1, 2, 3))

    found = changes(
        with_positions(first, second),
        with_positions(third, replace(first, volume=Decimal("0.05"))),
    )

    assert [change.kind for change in found] == [
        "position.closed",
        "position.volume_changed",
        "position.opened",
    ]
    assert (found[0].before, found[1].before, found[2].after) == (second, first, third)


def test_sixty_positions_open_as_sixty_events():
    entries = [replace(OPEN, ticket=n, identifier=n) for n in range(1, 61)]

    assert happened(state(), with_positions(*entries)) == [("position.opened", "")] * 60
    assert happened(with_positions(*entries), with_positions(*reversed(entries))) == []


# Orders


def test_an_order_is_placed():
    assert happened(state(), with_orders(ORDER)) == [("order.placed", "")]


@pytest.mark.parametrize(
    "change",
    [
        {"price": Decimal("1.2")},
        {"stop_loss": Decimal("1.2")},
        {"take_profit": Decimal("1.4")},
        {"stop_limit_price": Decimal("1.2")},
        {"time_type": "DAY"},
        {"expiration": NOW},
        {"type": "BUY_STOP"},
    ],
)
def test_an_order_is_modified_by_what_was_agreed(change):
    assert happened(with_orders(ORDER), with_orders(replace(ORDER, **change))) == [
        ("order.modified", "")
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"current_price": Decimal(9)},
        {"state": "REQUEST_MODIFY"},
        {"price": Decimal("1.2500000001")},
        {"comment": "x", "magic": 4},
        {"time": NOW},
    ],
)
def test_an_order_is_not_modified_by_the_market(change):
    assert happened(with_orders(ORDER), with_orders(replace(ORDER, **change))) == []


def test_an_order_filled_in_part_stays_with_what_is_left():
    rest = replace(ORDER, volume=Decimal("0.02"), state="PARTIAL")

    assert happened(with_orders(ORDER), with_orders(rest)) == [
        ("order.modified", "partially_filled")
    ]


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ("FILLED", ("order.executed", "")),
        ("PARTIAL", ("order.executed", "")),
        ("CANCELED", ("order.deleted", "canceled")),
        ("EXPIRED", ("order.deleted", "expired")),
        ("REJECTED", ("order.deleted", "rejected")),
        ("REQUEST_CANCEL", ("order.deleted", "unknown")),
    ],
)
def test_an_order_ends_as_the_terminals_history_says(ended, told):
    done = [DoneOrder(ticket=1, state="FILLED"), DoneOrder(ticket=ORDER.ticket, state=ended)]

    assert happened(with_orders(ORDER), state(), done) == [told]


def test_an_order_that_became_a_position_was_executed():
    position = replace(OPEN, ticket=ORDER.ticket, identifier=ORDER.ticket)

    assert happened(with_orders(ORDER), with_positions(position)) == [
        ("order.executed", ""),
        ("position.opened", ""),
    ]


def test_an_order_that_reversed_a_position_was_executed():
    after = replace(OPEN, ticket=ORDER.ticket, side="SELL")

    assert [kind for kind, _ in happened(
        state(positions=(OPEN,), orders=(ORDER,)), with_positions(after)
    )] == ["order.executed", "position.closed", "position.opened"]  # fmt: skip


def test_an_order_that_nobody_saw_end_was_deleted_for_an_unknown_reason():
    assert happened(with_orders(ORDER), state()) == [("order.deleted", "unknown")]


def test_the_history_of_orders_that_are_still_there_changes_nothing():
    done = [DoneOrder(ticket=ORDER.ticket, state="FILLED"), DoneOrder(ticket=9, state="CANCELED")]

    assert happened(with_orders(ORDER), with_orders(ORDER), done) == []


# The broker's clock


def winter():
    order = replace(ORDER, time_type="SPECIFIED", expiration=NOW + timedelta(days=30))
    return state(positions=(OPEN,), orders=(order,), utc_offset_s=7200)


def an_hour_later(then, shift=timedelta(hours=1)):
    """What the terminal shows of the same once the broker's clock was put forward."""
    return replace(
        then,
        utc_offset_s=then.utc_offset_s + int(shift.total_seconds()),
        positions=tuple(replace(p, open_time=p.open_time - shift) for p in then.positions),
        orders=tuple(
            replace(o, time=o.time - shift, expiration=o.expiration - shift) for o in then.orders
        ),
    )


@pytest.mark.parametrize("hours", [1, -1])
def test_summer_time_moves_no_time_of_the_past_and_is_no_event(hours):
    summer = settled(winter(), an_hour_later(winter(), timedelta(hours=hours)))

    assert summer.positions == winter().positions
    assert summer.orders[0].time == winter().orders[0].time
    assert changes(winter(), summer) == []
    assert changes(summer, settled(summer, an_hour_later(winter(), timedelta(hours=hours)))) == []


def test_a_terminal_that_learns_its_brokers_clock_corrects_the_times_without_an_event():
    corrected = an_hour_later(winter(), timedelta(hours=3))
    now = settled(winter(), corrected)

    assert now.positions[0].open_time == corrected.positions[0].open_time
    assert changes(winter(), now) == []


def test_a_commission_once_known_stays_known_until_the_volume_changes():
    unknown = replace(OPEN, commission=None)
    resized = replace(unknown, volume=Decimal("0.3"))
    known = with_positions(replace(OPEN, commission=Decimal("-3.50")))

    assert settled(known, with_positions(unknown)) == known
    assert settled(known, with_positions(resized)).positions[0].commission is None
    assert settled(None, with_positions(unknown)) == with_positions(unknown)


def test_a_reversed_position_has_its_own_open_time_and_commission():
    reversed_ = replace(OPEN, side="SELL", open_time=NOW, commission=None)

    assert settled(with_positions(OPEN), with_positions(reversed_)).positions == (reversed_,)


# As they are sent


def test_an_opened_position_reads_so():
    (change,) = changes(state(), with_positions(OPEN))
    found = told(change)

    assert found.payload == (
        b'{"type":"event","kind":"position.opened","login":"261632689","position":'
        + WIRE_POSITION + b"," + ENVELOPE
    )  # fmt: skip
    assert (found.id, found.number, found.kind) == ("e-1", 12, "position.opened")
    assert (found.server, found.login, found.key) == ("Broker-Live", "261632689", 1)
    assert (found.subject, found.shard) == ("", 0)


def test_a_modified_position_shows_what_it_was():
    (change,) = changes(with_positions(OPEN), with_positions(replace(OPEN, take_profit=Decimal(2))))

    assert told(change).payload == (
        b'{"type":"event","kind":"position.modified","login":"261632689","position":'
        + WIRE_POSITION.replace(b'"takeProfit":null', b'"takeProfit":2')
        + b',"before":' + WIRE_POSITION + b"," + ENVELOPE
    )  # fmt: skip


def test_a_deleted_order_reads_so():
    (change,) = changes(with_orders(ORDER), state())

    assert told(change).payload == (
        b'{"type":"event","kind":"order.deleted","login":"261632689","order":{"ticket":987654321,'
        b'"symbol":"GBPUSD","type":"BUY_LIMIT","volume":0.05,"price":1.25000,'
        b'"currentPrice":1.25500,"time":"2025-11-14T09:00:00.000Z","state":"PLACED",'
        b'"volumeInitial":null,"stopLimitPrice":null,"stopLoss":null,"takeProfit":null,'
        b'"timeType":"GTC","expiration":null,"filling":"RETURN","magic":0,"comment":""},'
        b'"reason":"unknown",' + ENVELOPE
    )


def test_money_in_an_event_has_the_decimals_of_its_currency():
    (change,) = changes(state(currency_digits=0), with_positions(OPEN, currency_digits=0))

    assert b'"profit":50,"swap":-1,"commission":0' in told(change).payload


def test_a_lost_connection_reads_so():
    found = connection_event(
        SENDER, connection=Connection.STALE, reason="nothing heard for 90 s",
        number=12, id="e-1", at=NOW, since=NOW - timedelta(seconds=90),
    )  # fmt: skip

    assert found.payload == (
        b'{"type":"event","kind":"connection","login":"261632689","connection":"STALE",'
        b'"reason":"nothing heard for 90 s","since":"2025-11-14T10:28:30.000Z",' + ENVELOPE
    )
    assert (found.kind, found.subject) == ("connection", "")


def test_an_alert_goes_to_everybody_who_listens_to_alerts():
    alert = Alert(
        rule_id=3, rule="Daily loss", level="critical", type="drawdown", basis="daily",
        unit="percent", value=Decimal("5.01"), threshold=Decimal("5.0000"),
        reference=Decimal("10000.00"), equity=Decimal("9499.00"), text="Lost 5.01 % today.",
    )  # fmt: skip

    found = alert_event(alert, SENDER, number=12, id="e-1", at=NOW)

    assert (found.kind, found.subject) == ("alert", "system.alert.critical.drawdown")
    assert found.payload == (
        b'{"type":"event","kind":"alert","login":"261632689","alert":"Lost 5.01 % today.",'
        b'"severity":"critical","alertType":"drawdown","ruleId":3,"rule":"Daily loss",'
        b'"basis":"daily","unit":"percent","value":5.01,"threshold":5.0000,'
        b'"reference":10000.00,"equity":9499.00,' + ENVELOPE
    )


# The whole

few = st.integers(1, 5)
small_states = st.builds(
    state,
    positions=st.lists(positions_of(few), max_size=4, unique_by=lambda p: p.key).map(tuple),
    orders=st.lists(orders_of(few), max_size=4, unique_by=lambda o: o.ticket).map(tuple),
)
outcomes = st.lists(
    st.builds(DoneOrder, ticket=few, state=st.sampled_from(["FILLED", "CANCELED"]), position_id=few)
)

POSITION_KEYS = ("symbol", "type", "volume", "openPrice", "stopLoss", "takeProfit")
ORDER_KEYS = (
    "symbol", "type", "volume", "price", "stopLimitPrice", "stopLoss", "takeProfit", "timeType",
    "expiration",
)  # fmt: skip


def structure(now):
    """Return what events are about, as a consumer sees it."""
    digits = now.currency_digits
    positions = (events.position(entry, digits) for entry in now.positions)
    orders = (events.order(entry) for entry in now.orders)
    return (
        {p["positionId"]: {key: p[key] for key in POSITION_KEYS} for p in positions},
        {o["ticket"]: {key: o[key] for key in ORDER_KEYS} for o in orders},
    )


def applied(held, payload):
    """A consumer of events only."""
    positions, orders = held
    body = json.loads(payload, parse_float=Decimal)
    of, _, what = body["kind"].partition(".")
    book, keys = (positions, POSITION_KEYS) if of == "position" else (orders, ORDER_KEYS)
    entry = body[of]
    identity = entry["positionId" if of == "position" else "ticket"]
    shown = {key: entry[key] for key in keys}
    if what in ("opened", "placed"):
        assert identity not in book
        book[identity] = shown
    elif what in ("closed", "deleted", "executed"):
        assert book.pop(identity) == shown
    else:
        assert book[identity] == {key: body["before"][key] for key in keys}
        book[identity] = shown


@given(small_states, small_states, outcomes)
def test_the_events_lead_from_one_state_to_the_other(before, after, done):
    held = structure(before)

    for change in changes(before, after, done):
        applied(held, told(change).payload)

    assert held == structure(after)


@given(small_states, small_states, outcomes)
def test_events_come_in_an_order_in_which_nothing_begins_before_it_ended(before, after, done):
    places = [KINDS.index(change.kind) for change in changes(before, after, done)]

    assert places == sorted(places)


@given(small_states, outcomes)
def test_a_state_that_stays_is_no_event(now, done):
    assert changes(now, now, done) == []
    assert settled(now, now) == now


@given(small_states, small_states)
def test_settling_changes_no_structure(before, after):
    assert structure(settled(before, after)) == structure(after)

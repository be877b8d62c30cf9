from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accounts.core import diff
from accounts.core.messages import Kind, message, snapshot, timestamp
from tests.unit.accounts.consumer import Consumer
from tests.unit.accounts.examples import NOW, ORDER, POSITION, SENDER, moments, state, states

OURS = (
    b',"server":"Broker-Live","accountId":"3f0e5f8e-0000-4000-8000-000000000001",'
    b'"epoch":3,"seq":7,"v":1}'
)


def payload(kind, now_state, held=None, at=NOW):
    return message(kind, SENDER, now_state, held, seq=7, at=at).payload


def test_a_snapshot_reads_as_the_contract_prints_it():
    assert payload("account", state()) == (
        b'{"type":"account","login":"261632689","balance":10000.00,"equity":10150.25,'
        b'"profit":150.25,"margin":500.00,"freeMargin":9650.25,"currency":"USD","leverage":100,'
        b'"positions":[],"orders":[],"timestamp":"2025-11-14T10:30:00.000Z"' + OURS
    )


def test_an_update_holds_only_what_changed():
    now = state(equity="10200.50", profit="200.50", free_margin="9700.50")

    assert payload("update", now, state(), NOW + timedelta(seconds=5)) == (
        b'{"type":"update","login":"261632689","equity":10200.50,"profit":200.50,'
        b'"freeMargin":9700.50,"timestamp":"2025-11-14T10:30:05.000Z"' + OURS
    )


def test_positions_read_as_the_contract_prints_them():
    now = state(positions=(POSITION,))

    assert payload("positions", now, at=NOW + timedelta(seconds=5.5)) == (
        b'{"type":"positions","login":"261632689","positions":[{"ticket":123456789,'
        b'"symbol":"EURUSD","type":"BUY","volume":0.1,"openPrice":1.10000,"currentPrice":1.10500,'
        b'"profit":50.00,"swap":-1.20,"commission":0.00,"openTime":"2025-11-14T08:00:00.000Z"}],'
        b'"timestamp":"2025-11-14T10:30:05.500Z"' + OURS
    )


def test_orders_read_as_the_contract_prints_them():
    now = state(orders=(ORDER,))

    assert payload("orders", now, at=NOW + timedelta(seconds=6)) == (
        b'{"type":"orders","login":"261632689","orders":[{"ticket":987654321,"symbol":"GBPUSD",'
        b'"type":"BUY_LIMIT","volume":0.05,"price":1.25000,"currentPrice":1.25500,'
        b'"time":"2025-11-14T09:00:00.000Z"}],"timestamp":"2025-11-14T10:30:06.000Z"' + OURS
    )


def test_money_has_the_decimals_of_its_currency_and_no_noise():
    noisy = state(balance="0.1", equity="0.30000000", profit="-0.001", margin="1E+4")

    body = payload("account", noisy)

    assert b'"balance":0.10,"equity":0.30,"profit":0.00,"margin":10000.00' in body
    assert b'"balance":10000,' in payload("account", state(currency_digits=0))


@pytest.mark.parametrize(
    ("price", "written"),
    [
        ("0.000001", b"0.000001"),
        ("0.0000001", b"0.0000001"),
        ("1E-10", b"0.0000000001"),
        ("0E-8", b"0.00000000"),
        ("0.00000123", b"0.00000123"),
        ("-5E-8", b"-0.00000005"),
        ("1E+4", b"10000"),
        ("0E+3", b"0"),
        ("1.10000", b"1.10000"),
    ],
)
def test_a_price_is_written_digit_by_digit_however_small(price, written):
    entries = (replace(POSITION, open_price=Decimal(price)),)
    pending = (replace(ORDER, price=Decimal(price)),)

    assert b'"openPrice":' + written + b"," in payload("positions", state(positions=entries))
    assert b'"price":' + written + b"," in payload("orders", state(orders=pending))


def test_money_of_eight_decimals_is_written_digit_by_digit():
    bitcoin = state(balance="0.5", equity="0.50000001", profit="0.00000001", margin="0",
                    currency="BTC", currency_digits=8)  # fmt: skip

    assert (
        b'"balance":0.50000000,"equity":0.50000001,"profit":0.00000001,"margin":0.00000000,'
        in payload("account", bitcoin)
    )


@given(states)
def test_no_number_has_an_exponent(now):
    exponent = re.compile(rb"[0-9][eE][+-]?[0-9]")
    nameless = replace(
        now,
        positions=tuple(replace(entry, symbol="X") for entry in now.positions),
        orders=tuple(replace(entry, symbol="X") for entry in now.orders),
    )

    for kind in get_args(Kind):
        assert not exponent.search(payload(kind, nameless).partition(b'"timestamp"')[0])


def test_what_the_contract_does_not_name_is_not_in_its_messages():
    position = replace(POSITION, stop_loss=Decimal(1), magic=3, comment="x", identifier=4)
    order = replace(ORDER, take_profit=Decimal(1), magic=3, comment="x", state="PARTIAL")

    more = state(positions=(position,), orders=(order,), credit=Decimal(5), trade_mode="REAL")
    for kind in get_args(Kind):
        assert payload(kind, more) == payload(kind, state(positions=(POSITION,), orders=(ORDER,)))


def test_a_commission_that_nobody_knows_is_null():
    unknown = state(positions=(replace(POSITION, commission=None),))

    assert b'"commission":null' in payload("positions", unknown)


def test_the_identity_of_a_message_is_that_of_its_place():
    first = message("account", SENDER, state(), None, seq=7, at=NOW)
    again = message("update", SENDER, state(equity="1.00"), state(), seq=7, at=NOW)

    assert first.id == again.id == f"{SENDER.account_id}:3:7"
    assert first.account == "Broker-Live/261632689"


@given(moments, st.integers(-14, 14))
def test_a_timestamp_is_utc_with_three_decimals_whatever_the_zone(at, hours):
    text = timestamp(at.astimezone(timezone(timedelta(hours=hours))))

    assert len(text) == len("2025-11-14T10:30:00.000Z")
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert datetime.fromisoformat(text).utcoffset() == UTC.utcoffset(None)


@given(states)
def test_what_a_snapshot_says_is_the_state_to_the_last_digit(now):
    body = json.loads(payload("account", now), parse_float=Decimal)

    # The tuple of a decimal tells 1.10 from 1.1; a number's equality does not.
    assert Decimal(body["balance"]).as_tuple() == (now.balance + 0).as_tuple()
    assert [p["ticket"] for p in body["positions"]] == [p.ticket for p in now.positions]
    assert [Decimal(p["openPrice"]) for p in body["positions"]] == [
        p.open_price for p in now.positions
    ]
    assert b"\n" not in payload("account", now)


@given(states, st.lists(states, max_size=4))
def test_a_consumer_that_merges_holds_what_the_publisher_says_it_holds(first, later):
    consumer = Consumer()
    held, seq = None, 0
    for now in [first, *later]:
        kinds: list[Kind] = ["account"] if held is None else ["update", "positions", "orders"]
        for kind in kinds:
            seq += 1
            consumer.feed(message(kind, SENDER, now, held, seq=seq, at=NOW).payload)
        held = diff.applied(held, now, kinds)

        assert consumer.held[("Broker-Live", "261632689")] == snapshot(held)
    assert consumer.gaps == []

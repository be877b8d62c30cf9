from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, Trade
from pipeline.core.venues.deribit import Deribit
from pipeline.core.venues.venue import Instrument

VENUE = Deribit({})
OPTION = "BTC-27DEC24-100000-C"

ROW: dict[str, Any] = {
    "instrument_name": OPTION, "kind": "option", "base_currency": "BTC", "quote_currency": "BTC",
    "counter_currency": "USD", "tick_size": 0.0005, "min_trade_amount": 0.1, "contract_size": 1.0,
    "settlement_period": "month", "expiration_timestamp": 1735286400000, "is_active": True,
    "price_index": "btc_usd", "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0001}],
}  # fmt: skip
NEVER = 32503708800000


def table(*rows):
    return json.dumps({"jsonrpc": "2.0", "result": [ROW | row for row in rows]}).encode()


def test_the_symbol_table_is_asked_for_in_one_call():
    (call,) = VENUE.instruments_calls()

    url = urlsplit(call.path)
    assert url.path == "/api/v2/public/get_instruments"
    assert parse_qs(url.query) == {"currency": ["any"], "expired": ["false"]}
    # Of the credits that come back in a minute it takes no more than one in sixty.
    assert call.weight * 60 <= VENUE.limits.weight_per_minute


def test_an_option_has_the_decimals_of_its_finest_tick_and_the_index_its_own_line():
    assert VENUE.instruments(table({})) == [
        Instrument(OPTION, "option", "BTC", "BTC", 4, 1, 1735286400000_000_000),
        Instrument("btc_usd", "index", "BTC", "USD"),
    ]


@pytest.mark.parametrize(
    ("row", "kind", "decimals"),
    [
        ({"kind": "future", "settlement_period": "perpetual", "min_trade_amount": 10.0,
          "contract_size": 10.0, "tick_size": 0.5}, "perpetual", (1, 0)),
        ({"kind": "future", "settlement_period": "week", "min_trade_amount": 10,
          "contract_size": 10, "tick_size": 2.5}, "future", (1, 0)),
        ({"kind": "spot", "settlement_period": "", "min_trade_amount": 0.0001,
          "contract_size": 0.0001, "tick_size": 1.0}, "spot", (0, 4)),
        ({"kind": "future_combo", "tick_size": 1e-05}, "combo", (5, 1)),
    ],
)  # fmt: skip
def test_the_kinds_of_instruments_are_told_apart(row, kind, decimals):
    body = table(
        row | {"tick_size_steps": [], "price_index": "", "expiration_timestamp": 1735286400000}
    )

    (found,) = VENUE.instruments(body)

    assert found.kind == kind
    assert (found.price_decimals, found.quantity_decimals) == decimals
    assert (found.expiry_ns == 0) is (kind in {"perpetual", "spot"})


def test_what_expires_beyond_all_nanoseconds_does_not_expire():
    (found, _) = VENUE.instruments(table({"expiration_timestamp": NEVER}))

    assert found.expiry_ns == 0


def test_what_cannot_be_traded_now_is_left_out():
    assert VENUE.instruments(table({"is_active": False})) == []


AFTER = Trade(OPTION, 1, 0, 0, "48079269", 41, 1, 1, 1, Aggressor.BUYER)


def test_missed_trades_are_asked_for_by_their_number():
    call = VENUE.trades_call(OPTION, AFTER)

    assert call is not None
    url = urlsplit(call.path)
    assert url.path == "/api/v2/public/get_last_trades_by_instrument"
    assert parse_qs(url.query) == {
        "instrument_name": [OPTION], "start_seq": ["42"], "count": ["1000"], "sorting": ["asc"],
    }  # fmt: skip


def answered(*seqs, symbol=OPTION):
    trades = [
        {
            "instrument_name": symbol, "trade_seq": seq, "trade_id": f"4{seq}", "price": 0.0655,
            "amount": 1.5, "timestamp": 1590484512188 + seq, "direction": "buy", "iv": 61.3,
        }
        for seq in seqs
    ]  # fmt: skip
    return json.dumps({"result": {"trades": trades, "has_more": False}}).encode()


def test_missed_trades_come_in_their_order():
    found = VENUE.trades(OPTION, answered(44, 42, 43))

    assert [trade.seq for trade in found] == [42, 43, 44]
    assert found[0] == Trade(
        symbol=OPTION,
        event_ns=1590484512230_000_000,
        price_exponent=-4,
        quantity_exponent=-1,
        trade_id="442",
        seq=42,
        trade_ns=1590484512230_000_000,
        price=655,
        quantity=15,
        aggressor=Aggressor.BUYER,
    )


def test_trades_of_another_instrument_are_refused():
    with pytest.raises(DecodeError):
        VENUE.trades(OPTION, answered(42, symbol="BTC-PERPETUAL"))


@given(st.binary(max_size=100))
def test_any_answer_is_read_or_our_error(body):
    for read in (VENUE.instruments, lambda body: VENUE.trades(OPTION, body)):
        with contextlib.suppress(DecodeError):
            read(body)


anything = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@given(st.sampled_from(sorted(ROW)), anything)
def test_a_field_of_any_other_kind_is_read_or_our_error(field, value):
    body = msgspec.json.encode({"result": [ROW | {field: value}]})

    try:
        found = VENUE.instruments(body)
    except DecodeError:
        return
    assert all(one.symbol.isprintable() for one in found)

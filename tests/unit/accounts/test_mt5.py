from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from accounts.core import mt5
from accounts.core.errors import BadState
from accounts.core.mt5 import Codes, Push, push, pushes
from accounts.core.state import DoneOrder, restored, stored
from tests.unit.accounts.terminal import ACCOUNT, ORDER, POSITION, body, said

# As the MetaTrader5 package for Python names them, in its order.
FIELDS = {
    mt5.AccountInfo: """login trade_mode leverage limit_orders margin_so_mode trade_allowed
        trade_expert margin_mode currency_digits fifo_close balance credit profit equity margin
        margin_free margin_level margin_so_call margin_so_so margin_initial margin_maintenance
        assets liabilities commission_blocked name server currency company""",
    mt5.TradeOrder: """ticket time_setup time_setup_msc time_done time_done_msc time_expiration type
        type_time type_filling state magic position_id position_by_id reason volume_initial
        volume_current price_open sl tp price_current price_stoplimit symbol comment external_id""",
    mt5.TradePosition: """ticket time time_msc time_update time_update_msc type magic identifier
        reason volume price_open sl tp price_current swap profit symbol comment external_id""",
    mt5.TradeDeal: """ticket order time time_msc type entry magic position_id reason volume price
        commission swap profit fee symbol comment external_id""",
}
ENUMERATIONS = {
    "POSITION_TYPE_": "BUY SELL",
    "ORDER_TYPE_": """BUY SELL BUY_LIMIT SELL_LIMIT BUY_STOP SELL_STOP BUY_STOP_LIMIT
        SELL_STOP_LIMIT CLOSE_BY""",
    "ORDER_STATE_": """STARTED PLACED CANCELED PARTIAL FILLED REJECTED EXPIRED REQUEST_ADD
        REQUEST_MODIFY REQUEST_CANCEL""",
    "ORDER_TIME_": "GTC DAY SPECIFIED SPECIFIED_DAY",
    "ORDER_FILLING_": "FOK IOC RETURN BOC",
    "ORDER_REASON_": "CLIENT MOBILE WEB EXPERT SL TP SO",
    "ACCOUNT_TRADE_MODE_": "DEMO CONTEST REAL",
    "ACCOUNT_MARGIN_MODE_": "RETAIL_NETTING EXCHANGE RETAIL_HEDGING",
}


def state(**keys):
    found = push(body(**keys)).state
    assert found is not None
    return found


def refusal(text: bytes) -> str:
    with pytest.raises(BadState) as refused:
        push(text)
    return str(refused.value)


@pytest.mark.parametrize("struct", FIELDS)
def test_every_key_that_is_read_is_one_of_metatraders(struct):
    assert {field.encode_name for field in fields(struct)} <= set(FIELDS[struct].split())
    assert {f.encode_name for f in fields(mt5.HistoryOrder)} <= set(FIELDS[mt5.TradeOrder].split())


def test_the_enumerations_are_metatraders_in_its_order():
    found = {e.prefix: e.names for e in vars(mt5).values() if isinstance(e, Codes)}

    assert found == {prefix: tuple(names.split()) for prefix, names in ENUMERATIONS.items()}


def test_an_account_arrives_under_our_names():
    found = push(body())

    assert (found.server, found.login, found.connected) == ("Broker-Live", 261632689, True)
    assert (found.utc_offset_s, found.left_out, found.done) == (7200, (), ())
    now = state()
    assert (now.balance, now.equity, now.profit) == (10000, Decimal("10150.25"), Decimal("150.25"))
    assert (now.margin, now.free_margin, now.credit) == (500, Decimal("9650.25"), 0)
    assert (now.currency, now.leverage, now.margin_level) == ("EUR", 200, Decimal("2030.05"))
    assert (now.trade_mode, now.margin_mode) == ("REAL", "RETAIL_HEDGING")


def test_a_position_arrives_under_our_names_and_in_utc():
    (found,) = state(positions=[POSITION]).positions

    assert (found.ticket, found.identifier, found.symbol) == (123456789, 123456789, "EURUSD")
    assert (found.side, found.volume, found.open_price) == ("BUY", Decimal("0.1"), Decimal("1.1"))
    assert (found.stop_loss, found.take_profit) == (Decimal("1.09"), None)
    assert (found.profit, found.swap, found.commission) == (50, Decimal("-1.20"), None)
    assert found.open_time == datetime(2025, 11, 14, 8, 0, 0, 250_000, UTC)
    assert (found.magic, found.comment) == (7, "a robot")


def test_an_order_arrives_under_our_names_and_in_utc():
    (found,) = state(orders=[ORDER]).orders

    assert (found.ticket, found.type, found.state) == (987654321, "BUY_LIMIT", "PLACED")
    assert (found.volume, found.volume_initial) == (Decimal("0.05"), Decimal("0.05"))
    assert (found.price, found.current_price) == (Decimal("1.25"), Decimal("1.255"))
    assert (found.stop_loss, found.take_profit, found.stop_limit_price) == (
        None,
        Decimal("1.3"),
        None,
    )
    assert found.time == datetime(2025, 11, 14, 9, tzinfo=UTC)
    assert (found.time_type, found.filling) == ("SPECIFIED", "RETURN")
    assert found.expiration == datetime(2025, 11, 15, 8, tzinfo=UTC)


def test_numbers_keep_the_digits_in_which_they_were_written():
    text = body(positions=[POSITION]).replace(b'"price_open": 1.1,', b'"price_open": 1.10000,')

    found = push(text).state
    assert found is not None
    assert str(found.positions[0].open_price) == "1.10000"
    assert str(found.balance) == "10000.00"


def test_the_noise_of_a_double_is_taken_out():
    noisy = POSITION | {"volume": 0.1 + 0.2, "price_open": 65000.120000000003, "profit": 1 / 3}
    (found,) = state(positions=[noisy]).positions

    assert (str(found.volume), str(found.open_price)) == ("0.3", "65000.12")
    assert str(found.profit) == "0.33"


@given(st.floats(0, 1e9))
def test_whatever_double_a_terminal_holds_is_taken_and_kept_to_ten_decimals(price):
    (found,) = state(positions=[POSITION | {"price_open": price}]).positions

    assert abs(found.open_price - Decimal(price)) <= Decimal("1e-10") + Decimal(price) / 10**14
    now = state(positions=[POSITION | {"price_open": price}])
    assert restored(stored(now)) == now


@pytest.mark.parametrize(
    "deals",
    [[], [{"ticket": 2, "order": 5, "position_id": 123456789, "commission": -3.5}]],
    ids=["none", "not the one that opened it"],
)
def test_a_commission_is_unknown_where_the_opening_deal_is(deals):
    assert state(positions=[POSITION], deals=deals).positions[0].commission is None


def test_a_commission_is_the_sum_of_the_positions_deals():
    mine = {"position_id": 123456789, "commission": -3.5, "fee": -0.25}
    deals = [
        mine | {"ticket": 1, "order": 123456789},
        mine | {"ticket": 2, "order": 5},
        {"ticket": 3, "order": 6, "position_id": 6, "commission": -100},
    ]

    (found,) = state(positions=[POSITION], deals=deals).positions
    assert found.commission == Decimal("-7.50")


def test_orders_that_are_not_pending_are_no_pending_orders():
    kinds = [0, "ORDER_TYPE_SELL", 8, 7, "ORDER_TYPE_BUY_STOP_LIMIT"]
    orders = [ORDER | {"ticket": n, "type": kind} for n, kind in enumerate(kinds)]

    assert [order.type for order in state(orders=orders).orders] == [
        "SELL_STOP_LIMIT",
        "BUY_STOP_LIMIT",
    ]


def test_what_became_of_orders_is_handed_on():
    history = [
        ORDER | {"ticket": 1, "state": 4, "reason": 4, "position_id": 7},
        {"ticket": 2, "state": "ORDER_STATE_EXPIRED", "reason": "ORDER_REASON_EXPERT"},
        {"ticket": 3, "state": 2, "reason": 4000},
    ]

    assert push(body(history_orders=history)).done == (
        DoneOrder(ticket=1, state="FILLED", reason="SL", position_id=7),
        DoneOrder(ticket=2, state="EXPIRED", reason="EXPERT"),
        DoneOrder(ticket=3, state="CANCELED"),
    )


def test_a_terminal_without_its_broker_says_nothing_about_the_account():
    found = push(body(terminal={"connected": False, "ping_last": 0}))

    assert (found.connected, found.state) == (False, None)


def test_what_is_left_out_is_said_so():
    bare = {k: v for k, v in ACCOUNT.items() if k not in ("currency", "leverage", "margin_level")}
    found = push(body(account=bare | {"leverage": 0}))

    assert found.left_out == ("currency", "leverage")
    assert found.state is not None
    assert (found.state.currency, found.state.leverage) == ("USD", 100)


@pytest.mark.parametrize("key", ["login", "server", "balance", "equity", "profit", "margin_free"])
def test_an_account_without_what_the_contract_needs_is_refused(key):
    said = refusal(body(account={k: v for k, v in ACCOUNT.items() if k != key}))

    assert f"`{key}`" in said
    assert "$.account" in said


@pytest.mark.parametrize(
    "key", ["v", "server_utc_offset", "account", "positions", "orders"]
)  # fmt: skip
def test_a_push_without_a_key_of_the_envelope_is_refused(key):
    assert f"`{key}`" in refusal(body(**{key: None}))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ticket": -1}, "$.positions[1].ticket"),
        ({"ticket": "5"}, "$.positions[1].ticket"),
        ({"symbol": ""}, "$.positions[1].symbol"),
        ({"type": 2}, "`type` 2 is no POSITION_TYPE"),
        ({"type": "BUY"}, "`type` 'BUY' is no POSITION_TYPE"),
        ({"type": True}, "$.positions[1].type"),
        ({"volume": -0.1}, "`volume` is below zero - at `$.positions[1]`"),
        ({"volume": "NaN"}, "`volume` is out of range - at `$.positions[1]`"),
        ({"price_open": "Infinity"}, "`price_open` is out of range"),
        ({"price_open": 1e15}, "`price_open` is out of range"),
        ({"price_current": None}, "$.positions[1].price_current"),
        ({"profit": 1e300}, "`profit` is out of range"),
        ({"time": 0, "time_msc": 0}, "`time` is missing - at `$.positions[1]`"),
        ({"time": 1, "time_msc": 0}, "`time` is out of range - at `$.positions[1]`"),
        ({"time_msc": 10**18}, "$.positions[1].time_msc"),
        ({"comment": "x" * 257}, "$.positions[1].comment"),
        ({"ticket": POSITION["ticket"]}, "`positions[1].ticket` 123456789 is there twice"),
        ({"ticket": 2, "identifier": POSITION["ticket"]}, "`positions[1].identifier` 123456789"),
    ],
)
def test_a_position_that_cannot_be_is_refused_by_its_place(change, named):
    other = POSITION | {"ticket": 5, "identifier": 5}

    assert len(state(positions=[POSITION, other]).positions) == 2
    assert named in refusal(body(positions=[POSITION, other | change]))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"type": 9}, "`type` 9 is no ORDER_TYPE - at `$.orders[0]`"),
        ({"state": "PLACED"}, "`state` 'PLACED' is no ORDER_STATE"),
        ({"type_time": 4}, "`type_time` 4 is no ORDER_TIME"),
        ({"type_filling": 4}, "`type_filling` 4 is no ORDER_FILLING"),
        ({"volume_current": -1}, "`volume_current` is below zero"),
        ({"volume_initial": -1}, "`volume_initial` is below zero"),
        ({"price_stoplimit": "-Infinity"}, "`price_stoplimit` is out of range"),
        ({"time_setup": 0, "time_setup_msc": 0}, "`time_setup` is missing - at `$.orders[0]`"),
        ({"time_expiration": 5}, "`time_expiration` is out of range - at `$.orders[0]`"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_its_place(change, named):
    assert named in refusal(body(orders=[ORDER | change]))


def test_two_orders_of_one_ticket_are_refused():
    assert "`orders[1].ticket` 987654321 is there twice" in refusal(body(orders=[ORDER, ORDER]))


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"v": 2}, "$.v"),
        ({"server_utc_offset": 15 * 3600 + 1}, "$.server_utc_offset"),
        ({"server_utc_offset": "7200"}, "$.server_utc_offset"),
        ({"positions": [POSITION] * 2001}, "$.positions"),
        ({"account": ACCOUNT | {"trade_mode": 3}}, "`trade_mode` 3 is no ACCOUNT_TRADE_MODE"),
        ({"account": ACCOUNT | {"margin_mode": "NETTING"}}, "ACCOUNT_MARGIN_MODE"),
        ({"account": ACCOUNT | {"login": 0}}, "$.account.login"),
        ({"account": ACCOUNT | {"equity": "1e400000"}}, "`equity` is out of range"),
        ({"history_orders": [{"ticket": 1}]}, "$.history_orders[0]"),
        ({"history_orders": [{"ticket": 1, "state": 77}]}, "`state` 77 is no ORDER_STATE"),
        ({"history_orders": [{"ticket": 1, "state": 4, "reason": "SL"}]}, "no ORDER_REASON"),
        ({"deals": [{"ticket": 1, "fee": "sNaN"}]}, "`fee` is out of range - at `$.deals[0]`"),
    ],
)
def test_a_push_that_cannot_be_is_refused_by_its_place(keys, named):
    assert named in refusal(body(**keys))


def test_a_body_that_is_too_large_is_refused_unread():
    assert f"{mt5.MOST_BYTES} are taken" in refusal(b" " * (mt5.MOST_BYTES + 1))


@given(st.binary())
def test_whatever_bytes_a_stranger_sends_are_refused(text):
    refusal(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)
    | st.sampled_from(["NaN", "1E+999999999", "0E-999999999", "-0", "1" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.data())
def test_one_strange_value_anywhere_makes_a_state_that_can_be_kept_or_our_error(data):
    whole = json.loads(
        body(
            positions=[POSITION],
            orders=[ORDER],
            history_orders=[ORDER | {"reason": 0, "position_id": 0}],
            deals=[{"ticket": 1, "order": 1, "position_id": 1, "commission": 0, "fee": 0}],
        )
    )
    places = [(whole, key) for key in whole]
    places += [(whole["account"], key) for key in ACCOUNT]
    for name in ("positions", "orders", "history_orders", "deals"):
        places += [(whole[name][0], key) for key in whole[name][0]]
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(json_values)

    try:
        found = push(json.dumps(whole).encode())
    except BadState:
        return
    if found.state is not None:
        assert restored(stored(found.state)) == found.state


@given(
    st.integers(0, 2**31).map(lambda s: datetime(1971, 1, 1, tzinfo=UTC) + timedelta(seconds=s)),
    st.integers(-mt5.MOST_OFFSET_S, mt5.MOST_OFFSET_S),
)
def test_broker_time_less_its_offset_is_utc(moment, offset):
    wall = int(moment.timestamp()) + offset
    entry = POSITION | {"time": wall, "time_msc": 0}

    (found,) = state(positions=[entry], server_utc_offset=offset).positions
    assert found.open_time == moment


def test_the_example_in_the_documentation_is_taken():
    text = (Path(__file__).parents[3] / "docs/protocol.md").read_text()
    (example,) = re.findall(r'```json\n(\{"v":1,"server_utc_offset".*?)\n```', text, re.DOTALL)

    found = push(example.encode())

    assert found.state is not None
    assert found.state.positions[0].commission == Decimal("-3.50")
    assert found.state.orders[0].type == "BUY_LIMIT"
    assert found.done == (
        DoneOrder(ticket=987654320, state="FILLED", reason="TP", position_id=123456700),
    )
    assert set(json.loads(example)) == {field.encode_name for field in fields(mt5.Body)}


def test_many_terminals_speak_at_once_and_a_bad_one_spoils_only_itself():
    good = said()
    items = [
        {"accountId": "a", **good},
        {"accountId": "b", **good, "v": 7},
        good,
        "nonsense",
        {"accountId": "e", **good, "positions": [POSITION]},
    ]

    found = pushes(json.dumps({"accounts": items}).encode())

    assert [account_id for account_id, _ in found] == ["a", "b", "", "", "e"]
    assert [isinstance(item, Push) for _, item in found] == [True, False, False, False, True]
    assert "$.v" in str(found[1][1])
    assert "`accountId`" in str(found[2][1])


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"accounts":{}}', b'{"accounts":[{]}', b"{}"]
)  # fmt: skip
def test_what_is_no_list_of_pushes_is_refused_as_a_whole(text):
    with pytest.raises(BadState):
        pushes(text)


def test_more_terminals_than_are_taken_are_refused():
    with pytest.raises(BadState, match="accounts"):
        pushes(json.dumps({"accounts": [{}] * (mt5.MOST_ACCOUNTS + 1)}).encode())

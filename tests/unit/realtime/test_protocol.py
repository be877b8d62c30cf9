from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core import protocol
from realtime.core.errors import Refused, Undecodable
from realtime.core.protocol import Ping, Subscribe, Unsubscribe
from streams.core.proto.market_pb2 import FLAG_CONTROL, Control, Ticker
from streams.core.templates import scheme


def test_commands_are_read():
    read = protocol.command

    assert read('{"id":1,"action":"subscribe","topics":["account.>"]}') == Subscribe(
        ["account.>"], 1
    )
    assert read('{"action":"unsubscribe","topics":[],"id":"x"}') == Unsubscribe([], "x")
    assert read('{"action":"ping","later":true}') == Ping(None)


@pytest.mark.parametrize(
    ("text", "command_id"),
    [
        ("", None),
        ("[]", None),
        ("nonsense", None),
        ('{"id":7,"action":"fly"}', 7),
        ('{"id":"a","action":"subscribe"}', "a"),
        ('{"id":8,"action":"subscribe","topics":"account.>"}', 8),
        ('{"id":{},"action":"ping"}', None),
        ('{"id":"' + "x" * 65 + '","action":"ping"}', None),
        ('{"id":1,"action":"ping","x":"' + "x" * protocol.MAX_INBOUND + '"}', None),
        ('{"action":"ping","x":' + "[" * 30_000 + "}", None),
        ('{"id":"\ud800"}', None),
    ],
)
def test_what_is_no_command_is_refused_with_its_id_when_it_has_one(text, command_id):
    with pytest.raises(Refused) as refused:
        protocol.command(text)

    assert (refused.value.code, refused.value.command_id) == ("bad_message", command_id)
    assert json.loads(protocol.error(refused.value).text)["id"] == command_id


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_strangers_text_is_a_command_or_refused(text):
    try:
        protocol.command(text)
    except Refused as e:
        json.loads(protocol.error(e).text)


def test_a_ticker_becomes_json():
    ticker = Ticker(
        venue="binance", symbol="BTCUSDT", price_exponent=-2, quantity_exponent=-1,
        bid_price=6173763, bid_quantity=5, ask_price=6173764, ask_quantity=10,
        received_ns=1_763_116_200_123_456_789,
    )  # fmt: skip

    frame = protocol.message("market.binance.BTCUSDT.ticker", ticker.SerializeToString())

    said = json.loads(frame.text)
    assert frame.topic == said["topic"] == "market.binance.BTCUSDT.ticker"
    assert said["type"] == "message"
    assert (said["data"]["bid"], said["data"]["ask"]) == ("61737.63", "61737.64")
    assert said["data"]["receivedMs"] == 1_763_116_200_123


def test_a_control_message_becomes_json_that_is_marked():
    gone = Ticker(
        symbol="X",
        flags=FLAG_CONTROL,
        control=Control(kind=Control.KIND_DISCONNECT, reason="closed"),
    ).SerializeToString()

    frame = protocol.message("market.okx.X.ticker", gone)

    data = json.loads(frame.text)["data"]
    assert frame.is_control
    assert (data["control"]["kind"], data["control"]["reason"]) == ("disconnect", "closed")
    assert "bid" not in data
    assert not protocol.message("market.okx.X.ticker", Ticker().SerializeToString()).is_control
    assert not protocol.message("market.okx.X.ticker", b'{"control": 1}').is_control


def test_json_passes_through_as_it_is_even_under_market():
    for topic in ("account.Demo.1.account", "market.binance.BTCUSDT.kline.1m", "market.a.b.trade"):
        frame = protocol.message(topic, b'{"balance": 10000.00}')

        assert frame.text.endswith('"data":{"balance": 10000.00}}')


@given(st.binary() | st.text().map(str.encode))
def test_any_payload_becomes_valid_json_or_is_undecodable(payload):
    try:
        frame = protocol.message("system.alert.high.disk", payload)
    except Undecodable:
        with pytest.raises(UnicodeDecodeError):
            payload.decode()
        return

    data = json.loads(frame.text, parse_constant=pytest.fail)["data"]
    assert data == payload.decode() or data == json.loads(payload)


def test_a_quote_in_a_topic_stays_inside_its_string():
    frame = protocol.message('account.De"mo.1.update', b"{}")

    assert json.loads(frame.text)["topic"] == 'account.De"mo.1.update'


def test_market_data_are_found_where_the_templates_put_them():
    ticker = Ticker(venue="binance", symbol="X", bid_price=11, price_exponent=-1)

    frame = protocol.message("ticker.binance.X", ticker.SerializeToString(), scheme("push"))

    assert json.loads(frame.text)["data"]["bid"] == "1.1"

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ProtobufFactory, ZeroCopyDeserializer
from pipeline.core.errors import BadOption, DecodeError
from streams.core import market
from streams.core.proto.market_pb2 import Ticker, Trade

convert = ProtobufFactory().converter.convert_to_protobuf

TRADE = {"symbol": "BTCUSDT", "price": "61737.63", "quantity": "0.5"}


def fault(**data):
    with pytest.raises(DecodeError) as caught:
        convert("market_data", {"symbol": "X", **data})
    return str(caught.value)


def words(**data):
    return market.words(convert("market_data", {"symbol": "X", **data}))


def test_a_price_and_a_quantity_are_a_trade():
    found = convert(
        "market_data",
        {**TRADE, "venue": "mine", "timestamp": 1700000000123, "trade_id": 7, "side": "SELL"},
    )

    assert isinstance(found, Trade)
    assert (found.venue, found.symbol, found.trade_id) == ("mine", "BTCUSDT", "7")
    assert (found.price, found.price_exponent) == (6173763, -2)
    assert (found.quantity, found.quantity_exponent) == (5, -1)
    assert found.event_ns == found.trade_ns == 1700000000123 * 10**6
    assert market.words(found)["aggressor"] == "seller"


def test_a_bid_or_an_ask_makes_it_a_ticker():
    found = convert(
        "market_data",
        {"symbol": "X", "bid": 1, "ask": "1.25", "bid_size": 3, "price": 1.125, "volume": "0.5"},
    )

    assert isinstance(found, Ticker)
    assert market.words(found) | {"eventMs": 0} == {
        "venue": "", "symbol": "X", "eventMs": 0, "receivedMs": 0, "lastSeq": 0,
        "bid": "1.000", "bidQuantity": "3.0", "ask": "1.250", "askQuantity": "0.0",
        "lastPrice": "1.125", "lastQuantity": "0.5", "localSeq": 0, "epoch": 0, "flags": [],
    }  # fmt: skip


def test_a_price_alone_is_the_last_price_of_a_ticker():
    found = convert("market_data", {"symbol": "X", "price": "5"})

    assert isinstance(found, Ticker)
    assert (found.last_price, found.HasField("last_quantity")) == (5, False)


def test_an_empty_side_is_zero():
    assert words(bid=None, ask="2")["bid"] == "0"


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (5, "5"), (0.1, "0.1"), (1e-07, "0.0000001"), (Decimal("1.50"), "1.50"), ("-3.0", "-3.0"),
        (Decimal("1E+3"), "1000"), ("9223372036854775807", "9223372036854775807"),
    ],
)  # fmt: skip
def test_every_kind_of_number_is_exact(price, expected):
    assert Decimal(words(price=price, quantity=1)["price"]) == Decimal(expected)


@pytest.mark.parametrize(
    "timestamp",
    [
        1700000000, 1700000000000, 1700000000000000, 1700000000000000000, "1700000000",
        Decimal("1700000000.0"), datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    ],
)  # fmt: skip
def test_a_time_says_its_unit_by_its_size(timestamp):
    found = convert("market_data", {**TRADE, "timestamp": timestamp})

    assert found.event_ns == 1700000000 * 10**9


def test_seconds_keep_their_nanoseconds():
    found = convert("market_data", {**TRADE, "timestamp": Decimal("1700000000.123456789")})

    assert found.event_ns == 1700000000123456789


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("symbol", {"symbol": None, "price": 1}),
        ("symbol", {"symbol": "", "price": 1}),
        ("symbol", {"symbol": "a\nb", "price": 1}),
        ("symbol", {"symbol": "\ud800", "price": 1}),
        ("symbol", {"symbol": "x" * 201, "price": 1}),
        ("price", {}),
        ("price", {"price": "hush-hush"}),
        ("price", {"price": float("nan"), "quantity": 1}),
        ("price", {"price": "1e400"}),
        ("price", {"price": True}),
        ("price", {"price": [1]}),
        ("price", {"price": 10**5000}),
        ("quantity", {"price": 1, "quantity": "x"}),
        ("volume", {"price": 1, "volume": "x"}),
        ("bid, ask and price", {"bid": "9000000000000000000", "ask": "0.1"}),
        ("ask_size", {"bid": 1, "ask_size": {}}),
        ("timestamp", {"price": 1, "timestamp": -1}),
        ("timestamp", {"price": 1, "timestamp": "noon"}),
        ("timestamp", {"price": 1, "timestamp": 10**25}),
        ("timestamp", {"price": 1, "timestamp": datetime(2024, 1, 1)}),  # noqa: DTZ001
        ("received_ns", {"price": 1, "received_ns": 1.5}),
        ("received_ns", {"price": 1, "received_ns": 2**64}),
        ("side", {"price": 1, "quantity": 1, "side": "up"}),
        ("trade_id", {"price": 1, "quantity": 1, "trade_id": 1.5}),
        ("trade_id", {"price": 1, "quantity": 1, "trade_id": 10**5000}),
        ("venue", {"price": 1, "venue": 5}),
    ],
)
def test_what_is_wrong_is_named_and_not_quoted(name, data):
    said = fault(**data)

    assert name in said
    assert "hush-hush" not in said


def test_no_such_type_of_data_is_said():
    with pytest.raises(BadOption, match="market_data, fix_message"):
        convert("orders", {})


def test_each_message_is_a_new_one():
    converter = ProtobufFactory().converter

    first: Any = converter.convert_to_protobuf("market_data", TRADE)
    second = converter.convert_to_protobuf("market_data", {**TRADE, "price": 1})

    assert first is not second
    assert first.price == 6173763


def test_what_was_deserialised_is_converted():
    raw = b'{"symbol":"EURUSD","bid":1.1,"ask":1.2,"timestamp":1700000000}'

    found = convert("market_data", ZeroCopyDeserializer().deserialize_websocket(raw))

    assert market.words(found)["ask"] == "1.2"


NAMES = ["symbol", "price", "quantity", "volume", "bid", "ask", "bid_size", "timestamp", "side",
         "trade_id", "venue", "received_ns"]  # fmt: skip
anything = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text()
    | st.datetimes() | st.binary()
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), anything))
def test_any_mapping_is_a_message_or_our_error(data):
    for attempt in (data, {"symbol": "X", "price": 1, **data}):
        try:
            message = convert("market_data", attempt)
        except DecodeError:
            continue
        market.words(message)
        assert type(message).FromString(message.SerializeToString()) == message

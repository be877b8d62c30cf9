from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import headers, names, shown
from streams.core.errors import BadDefinition
from streams.core.proto.market_pb2 import OrderBook, Trade
from streams.core.templates import TYPES

TRADE = Trade(venue="binance", symbol="BTCUSDT", price=6173763, price_exponent=-2, quantity=5)


def test_market_data_is_shown_decoded_with_exact_prices():
    found = shown.shown(TRADE.SerializeToString(), "trade")

    assert (found.kind, found.value["price"], found.truncated) == ("protobuf", "61737.63", False)


def test_a_long_order_book_is_cut_and_says_so():
    book = OrderBook(venue="v", symbol="s", bid_prices=range(3000), bid_quantities=range(3000))

    found = shown.shown(book.SerializeToString(), "orderbook")

    assert (found.kind, found.truncated, len(found.value)) == ("protobuf", True, shown.LONGEST)


def test_a_book_whose_columns_differ_is_shown_raw():
    broken = OrderBook(venue="v", bid_prices=[1, 2], bid_quantities=[1]).SerializeToString()

    assert shown.shown(broken, "orderbook").kind in ("text", "hex")


@pytest.mark.parametrize("exponent", [65, -65, 999_999, -(2**31)])
def test_a_message_that_claims_a_million_zeros_is_shown_raw(exponent):
    huge = Trade(venue="v", price=1, price_exponent=exponent).SerializeToString()

    assert shown.shown(huge, "trade").kind != "protobuf"


@pytest.mark.parametrize(
    ("payload", "kind", "value"),
    [
        (b"", "empty", ""),
        (b'{"a":[1,"x"]}', "json", {"a": [1, "x"]}),
        (b"7", "json", 7),
        (b"hello\nworld", "text", "hello\nworld"),
        (b"\x00\x01\xff", "hex", "00 01 ff"),
        (b"a\x00b", "hex", "61 00 62"),
        ("Zürich".encode("latin-1"), "hex", "5a fc 72 69 63 68"),
    ],
)
@pytest.mark.parametrize("data_type", [None, "kline"])
def test_what_is_no_market_data_is_shown_as_what_it_is(payload, kind, value, data_type):
    assert shown.shown(payload, data_type) == shown.Shown(kind, value)


def test_json_under_a_subject_of_market_data_is_shown_as_json():
    assert shown.shown(b'{"price":1}', "trade").value == {"price": 1}


def test_long_text_is_cut_between_characters():
    found = shown.shown(("x" + "é" * shown.LONGEST).encode())

    assert (found.kind, found.truncated) == ("text", True)
    assert found.value == "x" + "é" * ((shown.LONGEST - 1) // 2)


def test_text_that_ends_within_a_character_is_none():
    assert shown.shown("é".encode()[:1]).kind == "hex"


@given(st.binary(max_size=300), st.sampled_from([None, *TYPES]))
def test_any_bytes_can_be_shown_and_written_as_json(payload, data_type):
    found = shown.shown(payload, data_type)

    assert msgspec.json.encode(found.value)
    assert not found.truncated


@pytest.mark.parametrize(
    "payload", [b"[" * 10_000, b'{"a":' * 3000, b"1e999", b'"\\ud800"', b"9" * 5000]
)
def test_json_that_is_none_is_still_shown(payload):
    assert shown.shown(payload).kind in ("text", "json")


def test_headers_keep_each_value():
    raw = b"NATS/1.0\r\nNats-Msg-Id: 7\r\nX:a\r\nX: b:c \r\nbroken\r\n\r\n"

    assert headers.headers(raw) == {"Nats-Msg-Id": ["7"], "X": ["a", "b:c"]}
    assert headers.headers(b"") == {}


@pytest.mark.parametrize("name", ["", "a.b", "a b", "A.>", "*", "a\n", "a/b", "x" * 256, None])
def test_a_name_that_would_be_another_subject_is_refused(name):
    with pytest.raises(BadDefinition) as caught:
        names.check_name(name, "consumer")

    assert caught.value.field == "consumer"

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, OrderBook, Skipped, Ticker, Trade
from pipeline.core.venues.binance.decode import decode as heard


def decode(data):
    (found,) = heard(data)
    return found


TRADE = {
    "e": "trade", "E": 1723161255343, "s": "BTCUSDT", "t": 3735683259, "p": "61837.63000000",
    "q": "0.02000000", "T": 1723161255342, "m": True, "M": True,
}  # fmt: skip
TICKER = {
    "u": 50093239212, "s": "BTCUSDT", "b": "61837.63000000", "B": "3.78826000",
    "a": "61837.64000000", "A": "1.54698000",
}  # fmt: skip
DEPTH: dict[str, Any] = {
    "e": "depthUpdate", "E": 1723161255208, "s": "BTCUSDT", "U": 50093239189, "u": 50093239202,
    "b": [["61737.63000000", "0.00000000"]],
    "a": [["61837.64000000", "1.54698000"], ["61845.11000000", "0.32329000"]],
}  # fmt: skip


def frame(stream, data):
    return json.dumps({"stream": stream, "data": data}).encode()


def trade(**changed):
    return frame("btcusdt@trade", TRADE | changed)


def test_a_trade_keeps_every_number_and_time():
    assert decode(trade()) == Trade(
        symbol="BTCUSDT",
        event_ns=1723161255343_000_000,
        price_exponent=-8,
        quantity_exponent=-8,
        trade_id="3735683259",
        seq=3735683259,
        trade_ns=1723161255342_000_000,
        price=6183763000000,
        quantity=2000000,
        aggressor=Aggressor.SELLER,
    )


def test_when_the_seller_was_the_maker_the_buyer_crossed_the_spread():
    found = decode(trade(m=False))

    assert isinstance(found, Trade)
    assert found.aggressor is Aggressor.BUYER


def test_a_best_bid_and_offer_has_no_time():
    assert decode(frame("btcusdt@bookTicker", TICKER)) == Ticker(
        symbol="BTCUSDT",
        event_ns=0,
        price_exponent=-8,
        quantity_exponent=-8,
        last_seq=50093239212,
        bid_price=6183763000000,
        bid_quantity=378826000,
        ask_price=6183764000000,
        ask_quantity=154698000,
    )


@pytest.mark.parametrize("stream", ["btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@1000ms"])
def test_a_book_update_is_read_at_any_speed(stream):
    assert decode(frame(stream, DEPTH)) == OrderBook(
        symbol="BTCUSDT",
        event_ns=1723161255208_000_000,
        price_exponent=-8,
        quantity_exponent=-8,
        first_seq=50093239189,
        last_seq=50093239202,
        bid_prices=[6173763000000],
        bid_quantities=[0],
        ask_prices=[6183764000000, 6184511000000],
        ask_quantities=[154698000, 32329000],
    )


@pytest.mark.parametrize("data", [TRADE, TICKER, DEPTH])
def test_data_without_their_stream_are_told_apart(data):
    stream = {"trade": "x@trade", "depthUpdate": "x@depth"}.get(data.get("e"), "x@bookTicker")

    assert decode(json.dumps(data).encode()) == decode(frame(stream, data))


def test_a_memoryview_is_read_as_bytes_are():
    assert decode(memoryview(trade())) == decode(trade())


@pytest.mark.parametrize(
    "stream", ["btcusdt@kline_1m", "btcusdt@aggTrade", "btcusdt@depth20@100ms", "btcusdt@depth5"]
)
def test_streams_that_we_do_not_carry_are_skipped(stream):
    assert decode(frame(stream, {"e": "whatever"})) is Skipped.OTHER_KIND


@pytest.mark.parametrize(
    "reply",
    [b'{"result":null,"id":1}', b'{"result":["a@trade"],"id":"x"}', b'{"error":{"code":2}}'],
)
def test_replies_are_skipped(reply):
    assert decode(reply) is Skipped.REPLY


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"\xef\xbb\xbf{}", "json"),
        (trade() + b"x", "json"),
        (b"[]", "shape"),
        (b"{}", "shape"),
        (b'{"stream":"x@trade"}', "shape"),
        (b'{"x":' + b"[" * 100_000, "nesting"),
        (b'{"stream":"\xff","data":{}}', "text"),
        (trade(p=1.5), "shape"),
        (trade(p="nan"), "number"),
        (trade(p="1e400"), "number"),
        (trade(p="1e-999999999"), "number"),
        (trade(p="9" * 20), "number"),
        (trade(p=""), "number"),
        (trade(t=-1), "shape"),
        (trade(E=2**63), "shape"),
        (trade(s=""), "shape"),
        (trade(s="A\r\nB"), "shape"),
        (trade(e="aggTrade"), "shape"),
        (trade().replace(b'"61837.63000000"', b"NaN"), "json"),
        (frame("x@depth", DEPTH | {"U": DEPTH["u"] + 1}), "shape"),
        (frame("x@depth", DEPTH | {"b": [["1"]]}), "shape"),
        (frame("x@depth", DEPTH | {"b": [["1", "2", "3"]]}), "shape"),
    ],
)
def test_bad_frames_are_our_error_with_a_reason_to_count_by(bad, reason):
    with pytest.raises(DecodeError) as caught:
        decode(bad)

    assert caught.value.reason == reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
nearly_right = st.sampled_from(
    [("x@trade", TRADE), ("x@bookTicker", TICKER), ("x@depth", DEPTH)]
).flatmap(
    lambda right: st.dictionaries(st.sampled_from(sorted(right[1])), json_values, max_size=3).map(
        lambda changed: frame(right[0], right[1] | changed)
    )
)


@given(
    st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode()), nearly_right)
)
@example(frame("x@trade", TRADE | {"s": "\ud800"}))
def test_any_bytes_give_a_record_or_our_error(data):
    try:
        found = decode(data)
    except DecodeError:
        return

    assert isinstance(found, Trade | Ticker | OrderBook | Skipped)

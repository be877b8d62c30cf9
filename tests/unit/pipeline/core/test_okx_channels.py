from __future__ import annotations

import json

import pytest

from pipeline.core.errors import BadOption
from pipeline.core.messages import Accepted
from pipeline.core.venues import VENUES
from pipeline.core.venues.okx import Okx

PUBLIC = "wss://ws.okx.com:8443/ws/v5/public"
BUSINESS = "wss://ws.okx.com:8443/ws/v5/business"


def test_okx_is_one_of_the_venues():
    assert VENUES["okx"] is Okx


def test_each_type_of_each_symbol_becomes_a_channel_and_candles_one_for_each_interval():
    found = Okx({}).channels(
        ["trade", "ticker", "orderbook", "kline"], ["btc-usdt", "ETH-USD-260327"], ["1m", "1d"]
    )

    assert [(one.name, one.data_type, one.symbol, one.interval) for one in found[:5]] == [
        ("trades:BTC-USDT", "trade", "BTC-USDT", ""),
        ("tickers:BTC-USDT", "ticker", "BTC-USDT", ""),
        ("books:BTC-USDT", "orderbook", "BTC-USDT", ""),
        ("candle1m:BTC-USDT", "kline", "BTC-USDT", "1m"),
        ("candle1Dutc:BTC-USDT", "kline", "BTC-USDT", "1d"),
    ]
    assert len(found) == 10


def test_only_perpetual_contracts_pay_funding():
    found = Okx({}).channels(["funding"], ["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-260327"], [])

    assert [one.name for one in found] == ["funding-rate:BTC-USDT-SWAP"]


@pytest.mark.parametrize("books", Okx.options["books"])
@pytest.mark.parametrize("trades", Okx.options["trades"])
def test_the_operator_chooses_among_the_channels_of_a_type(books, trades):
    okx = Okx({"books": books, "trades": trades})

    found = okx.channels(["trade", "orderbook"], ["A"], [])

    assert [one.name for one in found] == [f"{trades}:A", f"{books}:A"]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"depth": "5"}, "depth"), ({"books": "books6"}, "books"), ({"trades": ""}, "trades")],
)
def test_options_that_okx_does_not_have_are_named(given, field):
    with pytest.raises(BadOption) as caught:
        Okx(given)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("types", "symbols", "intervals", "field"),
    [
        (["volatility_index"], ["BTC-USDT"], [], "types"),
        (["kline"], ["BTC-USDT"], ["8h"], "intervals"),
        (["trade"], [""], [], "symbols"),
        (["trade"], ["BTC USDT"], [], "symbols"),
        (["trade"], ["BTC:USDT"], [], "symbols"),
        (["trade"], ["BTC-*"], [], "symbols"),
        (["trade"], ["BTC\x00"], [], "symbols"),
    ],
)
def test_what_okx_cannot_have_is_named(types, symbols, intervals, field):
    with pytest.raises(BadOption) as caught:
        Okx({}).channels(types, symbols, intervals)

    assert caught.value.field == field


def test_requests_name_channel_and_instrument_apart():
    okx = Okx({})
    channels = okx.channels(["trade", "orderbook"], ["BTC-USDT"], [])
    args = [
        {"channel": "trades", "instId": "BTC-USDT"},
        {"channel": "books", "instId": "BTC-USDT"},
    ]

    assert json.loads(okx.subscribe(channels, 7)) == {"id": "7", "op": "subscribe", "args": args}
    assert json.loads(okx.unsubscribe(channels, 8)) == {
        "id": "8", "op": "unsubscribe", "args": args,
    }  # fmt: skip


def test_the_longest_message_is_well_below_what_the_venue_takes():
    okx = Okx({"books": "books50-l2-tbt"})
    channels = okx.channels(["orderbook"], ["A" * 64] * okx.limits.channels_per_message, [])

    assert len(okx.subscribe(channels, 10**9)) < 64 * 1024


def test_an_answer_names_the_channel_as_the_request_did():
    okx = Okx({})
    (channel,) = okx.channels(["orderbook"], ["BTC-USDT"], [])
    (arg,) = json.loads(okx.subscribe([channel], 7))["args"]

    (found,) = okx.decode(json.dumps({"id": "7", "event": "subscribe", "arg": arg}).encode())

    assert found == Accepted(7, (channel.name,))


@pytest.mark.parametrize(
    ("endpoint", "public", "business"),
    [
        (PUBLIC, PUBLIC, BUSINESS),
        (BUSINESS, PUBLIC, BUSINESS),
        ("wss://ws.okx.com:8443", PUBLIC, BUSINESS),
        ("wss://ws.okx.com:8443/", PUBLIC, BUSINESS),
        (
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
            "wss://wspap.okx.com:8443/ws/v5/business?brokerId=9999",
        ),
        ("ws://127.0.0.1:9/mine", "ws://127.0.0.1:9/mine", "ws://127.0.0.1:9/mine"),
    ],
)
def test_candles_and_single_trades_are_served_at_an_address_of_their_own(
    endpoint, public, business
):
    okx = Okx({})
    types = ["trade", "ticker", "orderbook", "funding"]
    (candle,) = okx.channels(["kline"], ["A"], ["1m"])
    (single,) = Okx({"trades": "trades-all"}).channels(["trade"], ["A"], [])

    for channel in (None, *okx.channels(types, ["A-SWAP"], [])):
        assert okx.link_url(endpoint, channel) == public
    for channel in (candle, single):
        assert okx.link_url(endpoint, channel) == business

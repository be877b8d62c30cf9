from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.errors import BadOption
from pipeline.core.venues.deribit import Deribit
from pipeline.core.venues.venue import Channel
from streams.core.templates import TYPES

VENUE = Deribit({})
OPTION = "BTC-27DEC24-100000-C"


def names(channels):
    return [channel.name for channel in channels]


def test_every_type_of_data_has_its_channel():
    found = VENUE.channels(sorted(TYPES), ["BTC-PERPETUAL", "btc_usd"], ["1m", "1d"])

    assert found == [
        Channel("perpetual.BTC-PERPETUAL.100ms", "funding", "BTC-PERPETUAL"),
        Channel("chart.trades.BTC-PERPETUAL.1", "kline", "BTC-PERPETUAL", "1m"),
        Channel("chart.trades.BTC-PERPETUAL.1D", "kline", "BTC-PERPETUAL", "1d"),
        Channel("book.BTC-PERPETUAL.100ms", "orderbook", "BTC-PERPETUAL"),
        Channel("ticker.BTC-PERPETUAL.100ms", "ticker", "BTC-PERPETUAL"),
        Channel("trades.BTC-PERPETUAL.100ms", "trade", "BTC-PERPETUAL"),
        Channel("deribit_volatility_index.btc_usd", "volatility_index", "btc_usd"),
    ]


def test_only_perpetual_contracts_pay_funding():
    found = VENUE.channels(["funding"], [OPTION, "BTC_USDC", "ETH_USDC-PERPETUAL"], [])

    assert names(found) == ["perpetual.ETH_USDC-PERPETUAL.100ms"]


def test_options_choose_the_speed_and_the_kind_of_ticker():
    venue = Deribit({"speed": "raw", "ticker": "quote"})

    found = venue.channels(["trade", "orderbook", "ticker"], [OPTION], [])

    assert names(found) == [f"trades.{OPTION}.raw", f"book.{OPTION}.raw", f"quote.{OPTION}"]


def test_a_channel_that_is_named_twice_is_subscribed_to_once():
    assert len(VENUE.channels(["trade", "trade"], [OPTION, OPTION], [])) == 1


@pytest.mark.parametrize("options", [{"speed": "fast"}, {"pace": "raw"}, {"ticker": ""}])
def test_an_option_that_does_not_exist_is_refused(options):
    with pytest.raises(BadOption) as caught:
        Deribit(options)

    assert caught.value.field in options


@pytest.mark.parametrize(
    ("types", "symbols", "intervals", "field"),
    [
        (["candle"], [OPTION], [], "types"),
        (["kline"], [OPTION], ["4h"], "intervals"),
        (["trade"], ["BTC.PERPETUAL"], [], "symbols"),
        (["trade"], ["BTC-*"], [], "symbols"),
        (["trade"], [""], [], "symbols"),
    ],
)
def test_what_the_venue_cannot_have_is_refused_by_field(types, symbols, intervals, field):
    with pytest.raises(BadOption) as caught:
        VENUE.channels(types, symbols, intervals)

    assert caught.value.field == field


def test_intervals_matter_to_candles_only():
    assert names(VENUE.channels(["trade"], [OPTION], ["4h"])) == [f"trades.{OPTION}.100ms"]


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (Deribit.websocket_url, "wss://www.deribit.com/ws/api/v2"),
        ("wss://test.deribit.com/", "wss://test.deribit.com/ws/api/v2"),
        ("ws://127.0.0.1:8080/ws/api/v2", "ws://127.0.0.1:8080/ws/api/v2"),
        ("ws://proxy/deribit?key=1", "ws://proxy/deribit?key=1"),
    ],
)
def test_the_path_is_the_venues_where_none_is_given(endpoint, url):
    assert VENUE.link_url(endpoint) == url
    assert VENUE.link_url(endpoint, Channel("quote.A", "ticker", "A")) == url
    assert VENUE.channels_in(url) == []


def test_requests_are_json_rpc():
    channels = VENUE.channels(["trade", "orderbook"], [OPTION], [])
    wanted: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "public/subscribe",
        "params": {"channels": [f"trades.{OPTION}.100ms", f"book.{OPTION}.100ms"]},
    }

    assert json.loads(VENUE.subscribe(channels, 5)) == wanted
    wanted["method"] = "public/unsubscribe"
    assert json.loads(VENUE.unsubscribe(channels, 5)) == wanted


def test_a_link_opens_with_the_wish_for_heartbeats():
    (message,) = VENUE.opening()

    asked = json.loads(message)
    assert asked["method"] == "public/set_heartbeat"
    assert asked["params"]["interval"] >= 10

from __future__ import annotations

import json

import pytest

from pipeline.core.errors import BadOption
from pipeline.core.venues import VENUES
from pipeline.core.venues.venue import Channel

SPOT, USDM, COINM = "binance", "binance-usdm", "binance-coinm"
ALL = (SPOT, USDM, COINM)


def venue(name=SPOT, **options):
    return VENUES[name](options)


def names(found):
    return [channel.name for channel in found]


def test_every_type_has_its_stream():
    found = venue().channels(["trade", "ticker", "orderbook", "kline"], ["BTCUSDT"], ["1m", "1M"])

    assert found == [
        Channel("btcusdt@trade", "trade", "BTCUSDT"),
        Channel("btcusdt@bookTicker", "ticker", "BTCUSDT"),
        Channel("btcusdt@depth@100ms", "orderbook", "BTCUSDT"),
        Channel("btcusdt@kline_1m", "kline", "BTCUSDT", "1m"),
        Channel("btcusdt@kline_1M", "kline", "BTCUSDT", "1M"),
    ]


@pytest.mark.parametrize("name", [USDM, COINM])
def test_every_type_of_the_futures_has_its_stream(name):
    types = ["trade", "ticker", "orderbook", "kline", "funding"]

    assert names(venue(name).channels(types, ["BTCUSD_PERP"], ["1h"])) == [
        "btcusd_perp@aggTrade",
        "btcusd_perp@bookTicker",
        "btcusd_perp@depth@100ms",
        "btcusd_perp@kline_1h",
        "btcusd_perp@markPrice@1s",
    ]


@pytest.mark.parametrize("name", ALL)
def test_every_type_it_says_it_has_can_be_subscribed_to(name):
    types = sorted(VENUES[name].types)

    found = venue(name).channels(types, ["X"], ["1m"])

    assert [channel.data_type for channel in found] == types


@pytest.mark.parametrize("name", ALL)
def test_what_the_venue_does_not_have_names_the_field(name):
    with pytest.raises(BadOption) as caught:
        venue(name).channels(["volatility_index"], ["BTCUSDT"], ["1m"])
    assert caught.value.field == "types"

    with pytest.raises(BadOption) as caught:
        venue(name).channels(["kline"], ["BTCUSDT"], ["7m"])
    assert caught.value.field == "intervals"


def test_only_spot_has_candles_of_a_second():
    assert names(venue(SPOT).channels(["kline"], ["X"], ["1s"])) == ["x@kline_1s"]

    with pytest.raises(BadOption):
        venue(USDM).channels(["kline"], ["X"], ["1s"])


def test_intervals_matter_to_candles_only():
    assert names(venue(USDM).channels(["trade"], ["X"], ["1s"])) == ["x@aggTrade"]


def test_spot_has_no_funding():
    with pytest.raises(BadOption):
        venue(SPOT).channels(["funding"], ["BTCUSDT"], [])


@pytest.mark.parametrize("name", [USDM, COINM])
def test_a_contract_that_is_delivered_has_no_funding(name):
    found = venue(name).channels(["funding", "ticker"], ["BTCUSD_271231", "BTCUSD_PERP"], [])

    assert names(found) == [
        "btcusd_271231@bookTicker",
        "btcusd_perp@markPrice@1s",
        "btcusd_perp@bookTicker",
    ]


def test_symbols_are_told_as_data_write_them():
    found = venue().channels(["trade"], ["btcusdt", "币安人生usdt"], [])

    assert [channel.symbol for channel in found] == ["BTCUSDT", "币安人生USDT"]
    assert names(found) == ["btcusdt@trade", "币安人生usdt@trade"]


@pytest.mark.parametrize("symbol", ["", "BTC/USDT", "BTC@USDT", "BTC USDT", "BTC\nUSDT", "!x", "*"])
def test_what_cannot_be_a_symbol_is_refused(symbol):
    with pytest.raises(BadOption) as caught:
        venue().channels(["trade"], [symbol], [])

    assert caught.value.field == "symbols"


def test_what_an_operator_chooses():
    spot = venue(trades="aggTrade", depth="1000ms")
    futures = venue(USDM, depth="0ms")

    assert names(spot.channels(["trade", "orderbook"], ["X"], [])) == ["x@aggTrade", "x@depth"]
    assert names(futures.channels(["orderbook"], ["X"], [])) == ["x@depth@0ms"]


@pytest.mark.parametrize("name", ALL)
def test_every_choice_gives_a_stream_that_is_read(name):
    for option, choices in VENUES[name].options.items():
        for choice in choices:
            made = venue(name, **{option: choice})
            found = made.channels(["trade", "orderbook"], ["X"], [])
            streams = "/".join(names(found))
            assert made.channels_in(f"wss://h/stream?streams={streams}") == found


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        (SPOT, {"trades": "all"}, "trades"),
        (SPOT, {"depth": "0ms"}, "depth"),
        (USDM, {"trades": "trade"}, "trades"),
        (COINM, {"speed": "1"}, "speed"),
    ],
)
def test_an_option_the_venue_does_not_have_is_named(name, options, field):
    with pytest.raises(BadOption) as caught:
        venue(name, **options)

    assert caught.value.field == field


URL = "wss://stream.binance.com:9443"


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (f"{URL}/stream?streams=btcusdt@trade/ethusdt@depth@100ms", ["trade", "orderbook"]),
        (f"{URL}/ws/btcusdt@aggTrade", ["trade"]),
        (f"{URL}/ws/btcusdt@bookTicker/btcusdt@kline_1m", ["ticker", "kline"]),
        (f"{URL}/stream?streams=btcusdt%40trade&timeUnit=millisecond", ["trade"]),
        (
            f"{URL}/stream?streams=btcusdt@ticker/!bookTicker/btcusdt@depth5/btcusdt@trade",
            ["ticker", "trade"],
        ),
        (f"{URL}/ws/!bookTicker", ["ticker"]),
        (f"{URL}/stream?streams=btcusdt@kline_1d@%2B08:00/btcusdt@markPrice", []),
        (f"{URL}/stream", []),
        (f"{URL}/ws", []),
        (URL, []),
        ("", []),
    ],
)
def test_what_an_endpoint_names_itself(endpoint, expected):
    found = venue().channels_in(endpoint)

    assert [channel.data_type for channel in found] == expected
    assert {channel.symbol for channel in found if channel.name != "!bookTicker"} <= {
        "BTCUSDT", "ETHUSDT",
    }  # fmt: skip
    assert {channel.symbol for channel in found if channel.name == "!bookTicker"} <= {""}


def test_a_named_candle_has_its_interval_and_a_named_mark_price_is_funding():
    found = venue(COINM).channels_in(
        "wss://dstream.binance.com/stream?streams=btcusd_perp@kline_1M/btcusd_perp@markPrice@1s"
    )

    assert found == [
        Channel("btcusd_perp@kline_1M", "kline", "BTCUSD_PERP", "1M"),
        Channel("btcusd_perp@markPrice@1s", "funding", "BTCUSD_PERP"),
    ]


@pytest.mark.parametrize("name", [SPOT, COINM])
@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("wss://h:9443", "wss://h:9443/stream"),
        ("ws://h/", "ws://h/stream"),
        ("wss://h?timeUnit=millisecond", "wss://h/stream?timeUnit=millisecond"),
        ("wss://h/ws", "wss://h/ws"),
        ("wss://h/relay/stream", "wss://h/relay/stream"),
        ("wss://h/stream?streams=x@trade", "wss://h/stream?streams=x@trade"),
    ],
)
def test_an_endpoint_without_a_path_gets_that_of_combined_streams(name, endpoint, expected):
    channel = Channel("x@kline_1m", "kline", "X", "1m")

    assert venue(name).link_url(endpoint) == expected
    assert venue(name).link_url(endpoint, channel) == expected


@pytest.mark.parametrize(
    "endpoint",
    [
        "wss://h", "wss://h/", "wss://h/stream", "wss://h/ws", "wss://h/public", "wss://h/market/",
        "wss://h/public/ws", "wss://h/market/stream",
    ],
)  # fmt: skip
def test_the_usd_m_futures_serve_books_here_and_candles_there(endpoint):
    types = ["orderbook", "ticker", "trade", "kline", "funding"]
    usdm = venue(USDM)

    urls = [usdm.link_url(endpoint, each) for each in usdm.channels(types, ["X"], ["1m"])]

    assert urls == ["wss://h/public/stream"] * 2 + ["wss://h/market/stream"] * 3


@pytest.mark.parametrize(
    "endpoint",
    ["wss://h/relay", "wss://h/market/ws/x@aggTrade", "wss://h/public/stream?streams=x@depth"],
)
def test_an_address_that_says_more_than_the_host_is_left_as_it_is(endpoint):
    usdm = venue(USDM)

    for channel in (*usdm.channels(["orderbook", "trade"], ["X"], []), None):
        assert usdm.link_url(endpoint, channel) == endpoint


@pytest.mark.parametrize("name", ALL)
def test_requests_name_streams_and_their_number(name):
    made = venue(name)
    found = made.channels(["trade", "ticker"], ["btcusdt"], [])

    assert json.loads(made.subscribe(found, 7)) == {
        "method": "SUBSCRIBE", "params": names(found), "id": 7,
    }  # fmt: skip
    assert json.loads(made.unsubscribe(found, 8)) == {
        "method": "UNSUBSCRIBE", "params": names(found), "id": 8,
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_the_longest_request_is_short_enough(name):
    made = venue(name)
    symbols = ["X" * 64] * made.limits.channels_per_message

    assert len(made.subscribe(made.channels(["orderbook"], symbols, []), 10**9)) <= 4096

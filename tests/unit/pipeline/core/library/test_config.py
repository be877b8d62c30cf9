from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import DataSourceConfig
from pipeline.core.errors import BadOption
from pipeline.core.spec import Credentials

LOGIN = {"username": "reader", "password": "hush-hush"}
URL = "wss://feed.example.com/prices"


def fault(*place, **more):
    with pytest.raises(BadOption) as caught:
        DataSourceConfig(*place, **more)
    assert "hush-hush" not in str(caught.value)
    return caught.value.field


def feed(**more):
    return DataSourceConfig("feed", "websocket", URL, **more)


def test_the_documented_values_are_the_defaults():
    config = DataSourceConfig("feed", "websocket", URL)

    assert (config.source_id, config.protocol, config.endpoint) == ("feed", "websocket", URL)
    assert (config.credentials, config.buffer_size) == (None, 16384)
    assert (config.reconnect_interval, config.max_reconnect_attempts) == (5.0, 10)


def test_everything_can_be_said_by_name():
    config = DataSourceConfig(
        source_id="fix",
        protocol="fix",
        endpoint="fix-server.example.com:8193",
        credentials=LOGIN,
        buffer_size=32 * 1024,
        reconnect_interval=1,
        max_reconnect_attempts=3,
    )

    spec = config.spec(epoch=7)
    assert config.credentials == LOGIN
    assert spec.credentials == Credentials("reader", "hush-hush")
    assert (spec.buffer_size, spec.reconnect_interval, spec.epoch) == (32 * 1024, 1.0, 7)


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("WebSocket", "ws://127.0.0.1:9000"),
        ("fix", "fix-server.example.com:8193"),
        ("tcp", "[::1]:7"),
        ("udp", "239.1.1.1:5000"),
        ("rest", "https://api.example.com/prices"),
        ("mqtt", "broker:1883"),
        ("grpc", "host:50051"),
    ],
)
def test_each_protocol_has_its_form_of_endpoint(protocol, endpoint):
    config = DataSourceConfig("a", protocol, endpoint)

    assert (config.protocol, config.endpoint) == (protocol.lower(), endpoint)


@pytest.mark.parametrize(
    ("field", "place", "more"),
    [
        ("source_id", ("", "websocket", URL), {}),
        ("source_id", ("x" * 65, "websocket", URL), {}),
        ("source_id", ("a\nb", "websocket", URL), {}),
        ("source_id", (5, "websocket", URL), {}),
        ("protocol", ("a", "carrier pigeon", URL), {}),
        ("protocol", ("a", None, URL), {}),
        ("endpoint", ("a", "websocket", None), {}),
        ("endpoint", ("a", "websocket", ""), {}),
        ("endpoint", ("a", "websocket", "feed.example.com:80"), {}),
        ("endpoint", ("a", "websocket", "http://feed.example.com"), {}),
        ("endpoint", ("a", "websocket", "ws://"), {}),
        ("endpoint", ("a", "websocket", "ws://h:99999/"), {}),
        ("endpoint", ("a", "websocket", "ws://reader:hush-hush@h/"), {}),
        ("endpoint", ("a", "fix", "wss://feed.example.com"), {}),
        ("endpoint", ("a", "fix", "fix-server.example.com"), {}),
        ("endpoint", ("a", "tcp", "h:0"), {}),
        ("endpoint", ("a", "tcp", "h:65536"), {}),
        ("endpoint", ("a", "rest", "ws://h"), {}),
        ("credentials", ("a", "websocket", URL), {"credentials": "reader:hush-hush"}),
        ("credentials", ("a", "websocket", URL), {"credentials": {"password": "hush-hush"}}),
        ("credentials", ("a", "websocket", URL), {"credentials": {**LOGIN, "username": 5}}),
        ("buffer_size", ("a", "websocket", URL), {"buffer_size": 100}),
        ("buffer_size", ("a", "websocket", URL), {"buffer_size": "16384"}),
        ("reconnect_interval", ("a", "websocket", URL), {"reconnect_interval": 0}),
        ("reconnect_interval", ("a", "websocket", URL), {"reconnect_interval": math.inf}),
        ("reconnect_interval", ("a", "websocket", URL), {"reconnect_interval": math.nan}),
        ("max_reconnect_attempts", ("a", "websocket", URL), {"max_reconnect_attempts": -1}),
        ("max_reconnect_attempts", ("a", "websocket", URL), {"max_reconnect_attempts": True}),
        ("silence_s", ("a", "websocket", URL), {"silence_s": -1.0}),
        ("venue", ("a", "websocket", ""), {"venue": "nowhere"}),
        ("types", ("a", "websocket", ""), {"venue": "okx", "types": ["x"], "symbols": ["B"]}),
        ("symbols", ("a", "websocket", URL), {"venue": "okx", "types": ["trade"]}),
        ("symbols", ("a", "websocket", ""), {"venue": "okx", "symbols": "BTC-USDT"}),
        ("types", ("a", "websocket", ""), {"venue": "okx"}),
        ("symbols", ("a", "websocket", URL), {"symbols": ["BTC-USDT"]}),
        ("rest_endpoint", ("a", "websocket", URL), {"rest_endpoint": "https://h"}),
        ("rest_endpoint", ("a", "websocket", URL), {"venue": "okx", "rest_endpoint": "h:1"}),
        ("handshake", ("a", "websocket", URL), {"handshake": [{"sent": "hush-hush"}]}),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(field, place, more):
    assert fault(*place, **more) == field


def test_a_venue_stands_for_its_own_endpoint():
    config = DataSourceConfig(
        "btc", "websocket", "", venue="binance", types=["trade"], symbols=["BTCUSDT"]
    )

    assert config.spec().symbols == ("BTCUSDT",)


def test_no_secret_is_shown():
    config = DataSourceConfig(
        "feed",
        "websocket",
        "wss://feed.example.com/prices?apikey=hush-hush",
        credentials=LOGIN,
        handshake=[{"send": "login hush-hush", "expect": "ok"}],
    )

    assert "hush-hush" not in repr(config) + str(config) + repr(config.spec().credentials)
    assert "feed.example.com" in repr(config)
    assert "credentials=***" in repr(config)


def test_nothing_can_be_changed_behind_the_checks():
    with pytest.raises(AttributeError):
        feed().buffer_size = 1


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


FIELDS = [
    "credentials", "buffer_size", "reconnect_interval", "max_reconnect_attempts", "venue", "types",
    "symbols", "intervals", "options", "rest_endpoint", "silence_s", "handshake", "ping_text",
]  # fmt: skip
whatever = (
    anything | st.lists(anything, max_size=3) | st.dictionaries(st.text(), anything, max_size=3)
)


@given(anything, anything, anything, st.dictionaries(st.sampled_from(FIELDS), whatever))
def test_whatever_is_said_is_a_source_or_our_error(source_id, protocol, endpoint, more):
    for place in [(source_id, protocol, endpoint), ("feed", "websocket", URL)]:
        with suppress(BadOption):
            DataSourceConfig(*place, **more).spec()

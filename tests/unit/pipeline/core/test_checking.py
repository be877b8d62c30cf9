from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.checking import SHAPES, faults, shaped
from pipeline.core.errors import BadOption
from pipeline.core.spec import HandshakeStep, SourceSpec
from pipeline.core.venues import VENUES
from tests.unit.pipeline.core.anything import json_values


def spec(venue="binance", **more):
    return SourceSpec(
        **({"source_id": "a", "protocol": "websocket", "endpoint": "", "venue": venue} | more)
    )


def wrong(**fields):
    return {fault.field: fault.reason for fault in faults(spec(**fields))}


WHOLE = {"types": ("trade",), "symbols": ("BTCUSDT",)}
SYMBOLS = {
    "binance": "BTCUSDT", "binance-usdm": "BTCUSDT", "binance-coinm": "BTCUSD_PERP",
    "okx": "BTC-USDT-SWAP", "deribit": "BTC-PERPETUAL",
}  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_a_source_of_each_venue_needs_no_more_than_types_and_symbols(venue):
    types = tuple(VENUES[venue].types - {"volatility_index"})

    assert wrong(venue=venue, types=types, symbols=(SYMBOLS[venue],)) == {}


@pytest.mark.parametrize("venue", VENUES)
def test_each_choice_of_each_option_is_one(venue):
    for name, choices in VENUES[venue].options.items():
        for choice in choices:
            assert wrong(venue=venue, **WHOLE | {"symbols": (SYMBOLS[venue],)}, options={
                name: choice
            }) == {}, (name, choice)  # fmt: skip


def test_an_endpoint_may_name_everything_itself():
    assert wrong(endpoint="ws://h/stream?streams=btcusdt@trade") == {}


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"venue": "kraken"}, "venue", "is none of binance"),
        ({}, "types", "at least one"),
        ({}, "symbols", "at least one"),
        # Only Binance's addresses name streams.
        ({"venue": "okx", "endpoint": "wss://ws.okx.com:8443"}, "types", "at least one"),
        ({"venue": "deribit", "endpoint": "ws://h/"}, "symbols", "at least one"),
        ({"types": ("trade",), "endpoint": "ws://h/"}, "symbols", "at least one"),
        ({"symbols": ("X",), "endpoint": "ws://h/"}, "types", "at least one"),
        (WHOLE | {"types": ("volatility_index",)}, "types", "has no volatility index; it has"),
        (WHOLE | {"types": ("candle",)}, "types", "has no candle"),
        (WHOLE | {"types": ("trade", "trade")}, "types", "trade is there twice"),
        (WHOLE | {"symbols": ("X", "X")}, "symbols", "X is there twice"),
        (WHOLE | {"symbols": ("B C",)}, "symbols", "space or a control character"),
        (WHOLE | {"symbols": ("B\n",)}, "symbols", "space or a control character"),
        (WHOLE | {"types": ("kline",), "intervals": ()}, "intervals", "at least one"),
        (WHOLE | {"types": ("kline",), "intervals": ("7m",)}, "intervals", "7m"),
        (WHOLE | {"types": ("kline",), "intervals": ("1m", "1m")}, "intervals", "twice"),
        (
            WHOLE | {"types": ("kline",), "symbols": ("*",), "intervals": ("7m",)},
            "intervals", "7m",
        ),
        (WHOLE | {"symbols": ("*USDT",), "endpoint": "ws://h/"}, "symbols", "REST endpoint"),
        (WHOLE | {"stale_s": {"trades": 5.0}}, "stale_s", "trades is none of trade,"),
        (WHOLE | {"options": {"colour": "red"}}, "options", "colour"),
        (WHOLE | {"options": {"depth": "7ms"}}, "options", "depth"),
        (WHOLE | {"handshake": (HandshakeStep(),)}, "handshake", "step 1 says nothing"),
        (WHOLE | {"handshake": (HandshakeStep("x" * 10_001),)}, "handshake", "more than 10000"),
        (WHOLE | {"handshake": (HandshakeStep("x", within_s=601),)}, "handshake", "more than 600"),
        (
            {"venue": "binance-usdm", "types": ("funding",), "symbols": ("BTCUSDT_260327",)},
            "types", "none of the symbols",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_of_its_field(fields, field, reason):
    found = wrong(**fields)

    assert reason in found[field]


def test_a_pattern_is_looked_up_where_the_venue_or_the_operator_has_a_table():
    pattern = WHOLE | {"symbols": ("*USDT",)}

    assert wrong(**pattern) == {}
    assert wrong(**pattern, endpoint="wss://stream.binance.com:443/stream") == {}
    assert wrong(**pattern, endpoint="ws://h/", rest_endpoint="http://h") == {}


def outcome(field, value):
    try:
        return shaped(field, value)
    except BadOption as e:
        return e


@given(st.sampled_from(sorted(SHAPES)), json_values)
def test_any_json_has_its_shape_or_is_refused_by_name(field, value):
    found = outcome(field, value)

    if isinstance(found, BadOption):
        assert found.field == field
    elif field != "handshake":
        assert found == value


def test_a_refusal_names_the_place_and_quotes_nothing():
    with pytest.raises(BadOption) as caught:
        shaped("handshake", [{"send": "login hush", "expect": ["hush"]}])

    assert "handshake[0].expect" in caught.value.reason
    assert "hush" not in str(caught.value)

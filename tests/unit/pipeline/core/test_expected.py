from __future__ import annotations

import pytest

from pipeline.core.errors import BadOption
from pipeline.core.expected import Expected, expected, overlapping
from pipeline.core.handshake import masked, unmasked
from pipeline.core.spec import HandshakeStep, SourceSpec


def spec(source_id="a", **more):
    return SourceSpec(
        **({"source_id": source_id, "protocol": "websocket", "endpoint": "", "venue": "binance"})
        | more
    )


def test_what_a_source_should_bring_is_what_it_and_its_endpoint_ask_for():
    found = expected(
        spec(
            endpoint="ws://h/stream?streams=ethusdt@bookTicker/btcusdt@trade",
            types=("trade", "kline"),
            symbols=("BTCUSDT", "*BTC"),
            intervals=("1m", "1h"),
        )
    )

    assert found == [
        Expected("binance", "kline", "*BTC", "1h"),
        Expected("binance", "kline", "*BTC", "1m"),
        Expected("binance", "kline", "BTCUSDT", "1h"),
        Expected("binance", "kline", "BTCUSDT", "1m"),
        Expected("binance", "ticker", "ETHUSDT"),
        Expected("binance", "trade", "*BTC"),
        Expected("binance", "trade", "BTCUSDT"),
    ]


def test_a_stream_of_all_symbols_overlaps_with_each():
    one = spec(types=("ticker",), symbols=("BTCUSDT",))
    everything = spec("b", endpoint="ws://h/ws/!bookTicker")

    assert expected(everything) == [Expected("binance", "ticker", "*")]
    assert overlapping(one, [everything]) == ["b"]


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [
        ({"symbols": ("BTCUSDT",)}, True),
        ({"symbols": ("*",)}, True),
        ({"symbols": ("BTC?SDT",)}, True),
        ({"symbols": ("ETHUSDT",)}, False),
        ({"symbols": ("ETH*",)}, False),
        ({"symbols": ("BTCUSDT",), "types": ("ticker",)}, False),
        ({"symbols": ("BTCUSDT",), "venue": "binance-usdm"}, False),
        ({"symbols": ("BTCUSDT",), "source_id": "a"}, False),
        ({"types": (), "endpoint": "ws://h/ws/btcusdt@trade"}, True),
        ({"types": (), "endpoint": "ws://h/ws/!bookTicker"}, False),
    ],
)
def test_sources_of_the_same_subject_are_found_either_way(other, overlaps):
    one = spec(types=("trade",), symbols=("BTCUSDT",))
    another = spec(**{"source_id": "b", "types": ("trade",)} | other)

    assert overlapping(one, [another]) == (["b"] if overlaps else [])
    assert overlapping(another, [one]) == (["a"] if overlaps else [])


STEPS = [HandshakeStep("first"), HandshakeStep("", "ready"), HandshakeStep("third", "ok")]


def test_a_mark_stands_for_each_text_and_stays_with_it():
    marked = masked(STEPS)

    assert [step.send for step in marked] == ["***1", "", "***3"]
    assert unmasked(marked, STEPS) == STEPS
    assert unmasked(marked[::-1], STEPS) == STEPS[::-1]
    assert unmasked([HandshakeStep("***")], STEPS) == [HandshakeStep("first")]
    assert unmasked([HandshakeStep("****")], STEPS) == [HandshakeStep("****")]


@pytest.mark.parametrize("mark", ["***0", "***2", "***4", "***999"])
def test_a_mark_that_stands_for_nothing_is_refused(mark):
    with pytest.raises(BadOption, match="step 1"):
        unmasked([HandshakeStep(mark)], STEPS)

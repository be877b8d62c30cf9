from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.patterns import fits, resolved
from pipeline.core.venues.venue import Instrument


def instrument(symbol, expiry_ns=0):
    return Instrument(symbol, "spot", "", "", expiry_ns=expiry_ns)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_means_what_a_regular_expression_of_it_would(pattern, symbol):
    expression = pattern.replace("*", "[ab]*").replace("?", "[ab]")

    assert fits(pattern, symbol) is bool(re.fullmatch(expression, symbol))


def test_many_stars_take_no_time():
    began = time.process_time()

    assert not fits("*a" * 30 + "b", "a" * 64)

    assert time.process_time() - began < 1


def test_plain_symbols_stay_and_patterns_become_what_lives():
    table = [instrument("BTCUSDT"), instrument("ETHUSDT"), instrument("BTC-OLD", expiry_ns=5)]

    assert resolved(["ETHUSDT", "XYZ", "BTC*"], table, 5) == ("ETHUSDT", "XYZ", "BTCUSDT")
    assert resolved(["BTC*"], table, 4) == ("BTC-OLD", "BTCUSDT")
    assert resolved(["XYZ"], table, 5) == ("XYZ",)

from __future__ import annotations

from streams.core import definition

GOOD = {"subjects": ["market.>"], "max_age": 3_600_000_000_000, "max_msgs": 1_000_000}


def test_what_is_declared_is_asked_for_and_the_rest_is_our_default():
    body = definition.request("MARKET_DATA", GOOD)

    assert body["name"] == "MARKET_DATA"
    assert body["max_msgs"] == 1_000_000
    assert body["max_bytes"] == -1
    assert body["duplicate_window"] == 120_000_000_000


def test_the_duplicate_window_is_never_longer_than_messages_live():
    body = definition.request("MARKET_DATA", {**GOOD, "max_age": 10_000_000_000})

    assert body["duplicate_window"] == 10_000_000_000

from __future__ import annotations

import pytest

from pipeline.core.addresses import completed
from pipeline.core.spec import SourceSpec
from pipeline.core.venues import VENUES

BINANCE = VENUES["binance"]


@pytest.mark.parametrize(
    ("endpoint", "rest_endpoint", "expected"),
    [
        ("", "", BINANCE.rest_url),
        (BINANCE.websocket_url + "/stream?streams=btcusdt@trade", "", BINANCE.rest_url),
        ("ws://127.0.0.1:9443/stream", "", ""),
        ("ws://127.0.0.1:9443/stream", "http://127.0.0.1:80/", "http://127.0.0.1:80"),
        ("", "http://127.0.0.1:80", "http://127.0.0.1:80"),
    ],
)
def test_the_books_of_a_stranger_are_not_asked_of_the_venue(endpoint, rest_endpoint, expected):
    spec = SourceSpec(
        source_id="a",
        protocol="websocket",
        endpoint=endpoint,
        rest_endpoint=rest_endpoint,
        venue="binance",
    )

    found = completed(spec, BINANCE)

    assert found.rest_endpoint == expected
    assert found.endpoint == (endpoint or BINANCE.websocket_url)

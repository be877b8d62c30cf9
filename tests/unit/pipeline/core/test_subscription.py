from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.subscription import Subscription, UnknownPath


def ask(subscription, **request):
    return json.loads(subscription.answer(json.dumps(request)))


def test_a_combined_url_names_streams():
    found = Subscription("/stream?streams=btcusdt@trade/btcusdt@depth@100ms")

    assert found.combined
    assert found.streams == {"btcusdt@trade", "btcusdt@depth@100ms"}


def test_a_plain_url_names_streams():
    found = Subscription("/ws/btcusdt@trade/ethusdt@trade")

    assert not found.combined
    assert found.streams == {"btcusdt@trade", "ethusdt@trade"}


@pytest.mark.parametrize("path", ["/stream", "/ws", "/ws/", "/stream?streams="])
def test_a_url_may_name_none(path):
    assert not Subscription(path).named


@pytest.mark.parametrize("path", ["/", "/wss", "/stream/x", ""])
def test_nothing_else_is_served(path):
    with pytest.raises(UnknownPath):
        Subscription(path)


def test_requests_change_what_is_heard():
    subscription = Subscription("/ws")

    assert ask(subscription, method="SUBSCRIBE", params=["a@trade", "b@trade"], id=1) == {
        "result": None, "id": 1,
    }  # fmt: skip
    assert ask(subscription, method="UNSUBSCRIBE", params=["a@trade"], id=2)["result"] is None
    assert ask(subscription, method="LIST_SUBSCRIPTIONS", id="x") == {
        "result": ["b@trade"], "id": "x",
    }  # fmt: skip
    assert subscription.hears("b@trade")
    assert not subscription.hears("a@trade")


@given(st.binary() | st.text())
def test_any_request_is_answered_with_json(request):
    assert "id" in json.loads(Subscription("/ws").answer(request))

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.simulate.binance.session import COMBINED, PLAIN, Session
from pipeline.core.simulate.mouth import Close, UnknownPath


def ask(session, **request):
    return json.loads(session.answer(json.dumps(request))[0])


def test_a_combined_url_names_streams():
    found = Session("/stream?streams=btcusdt@trade/btcusdt@depth@100ms")

    assert found.form == COMBINED
    assert found.channels == {"btcusdt@trade", "btcusdt@depth@100ms"}


def test_a_plain_url_names_streams():
    found = Session("/ws/btcusdt@trade/ethusdt@trade")

    assert found.form == PLAIN
    assert found.channels == {"btcusdt@trade", "ethusdt@trade"}


@pytest.mark.parametrize("path", ["/stream", "/ws", "/ws/", "/stream?streams="])
def test_a_url_may_name_none(path):
    assert not Session(path).named


@pytest.mark.parametrize("path", ["/", "/wss", "/stream/x", ""])
def test_nothing_else_is_served(path):
    with pytest.raises(UnknownPath):
        Session(path)


def test_requests_change_what_is_heard():
    session = Session("/ws")

    assert ask(session, method="SUBSCRIBE", params=["a@trade", "b@trade"], id=1) == {
        "result": None, "id": 1,
    }  # fmt: skip
    assert ask(session, method="UNSUBSCRIBE", params=["a@trade"], id=2)["result"] is None
    assert ask(session, method="LIST_SUBSCRIPTIONS", id="x") == {
        "result": ["b@trade"], "id": "x",
    }  # fmt: skip
    assert session.hears("b@trade")
    assert not session.hears("a@trade")


@given(st.binary() | st.text())
def test_any_request_is_answered_with_json(request):
    (reply,) = Session("/ws").answer(request)

    assert isinstance(reply, bytes)
    assert "id" in json.loads(reply)


def test_what_is_refused_changes_nothing():
    session = Session("/ws", refuses=lambda stream: stream == "b@trade")

    found = ask(session, method="SUBSCRIBE", params=["a@trade", "b@trade"], id=1)

    assert found["error"]["code"] == 2
    assert session.channels == set()


def test_who_asks_too_often_is_closed():
    session = Session("/ws", messages_per_s=5)
    said = [session.answer('{"method":"LIST_SUBSCRIPTIONS"}', 10.0 + n / 10) for n in range(6)]

    assert not any(isinstance(word, Close) for (word,) in said[:5])
    assert isinstance(said[5][0], Close)
    assert not isinstance(session.answer("{}", 12.0)[0], Close)


def test_a_parted_market_speaks_of_books_at_one_path_and_of_trades_at_the_other():
    books = Session("/public/stream?streams=a@depth/a@aggTrade", parted=True)
    trades = Session("/market/ws/a@depth/a@aggTrade", parted=True)
    old = Session("/ws/a@depth/a@aggTrade", parted=True)

    assert [books.hears("a@depth", "depth"), books.hears("a@aggTrade", "aggTrade")] == [True, False]
    assert [trades.hears("a@depth", "depth"), trades.hears("a@aggTrade", "aggTrade")] == [
        False, True,
    ]  # fmt: skip
    assert old.hears("a@depth", "depth")


def test_the_parts_are_paths_of_that_market_only():
    with pytest.raises(UnknownPath):
        Session("/public/stream")

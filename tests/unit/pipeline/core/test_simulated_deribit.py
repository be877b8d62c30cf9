from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from pipeline.core.messages import (
    Demand,
    Funding,
    Kline,
    OrderBook,
    Ticker,
    Trade,
    VolatilityIndex,
)  # fmt: skip
from pipeline.core.simulate.mouth import Close, UnknownPath
from pipeline.core.venues import VENUES
from tests.unit.pipeline.core.mouths import BEGAN_MS, Stage

SYMBOL = "BTC-PERPETUAL"
NOW_S = BEGAN_MS / 1000


def request(method, **params):
    return {"jsonrpc": "2.0", "id": 7, "method": f"public/{method}", "params": params}


def listening(*channels, **options):
    stage = Stage("deribit", **options)
    stage.join("/ws/api/v2")
    if channels:
        stage.replies = stage.ask(request("subscribe", channels=list(channels)))
    return stage


def said(stage, kind):
    frames = [frame["params"] for frame in stage.said()]
    return [params["data"] for params in frames if params["channel"].startswith(f"{kind}.")]


def rest(stage, method, **query):
    answer = stage.mouth.rest(f"/api/v2/public/{method}", query, stage.now_ms)
    return json.loads(answer.body, parse_float=str)


def test_every_frame_is_read_by_our_venue_and_lacks_nothing():
    stage = listening(
        f"trades.{SYMBOL}.100ms", f"book.{SYMBOL}.100ms", f"ticker.{SYMBOL}.100ms",
        f"quote.{SYMBOL}", f"chart.trades.{SYMBOL}.1", f"perpetual.{SYMBOL}.100ms",
        "deribit_volatility_index.btc_usd",
    ).pass_ticks(30)  # fmt: skip
    decoder = VENUES["deribit"]({})

    found = {type(heard) for frame in stage.frames for heard in decoder.decode(frame)}

    assert found == {Trade, Ticker, OrderBook, Kline, Funding, VolatilityIndex}


def test_only_what_there_is_is_taken_and_the_reply_says_which():
    wanted = [
        f"book.{SYMBOL}.100ms", "book.NOTHING.100ms", f"dance.{SYMBOL}",
        "perpetual.BTC-27DEC30.100ms", f"chart.trades.{SYMBOL}.7",
    ]  # fmt: skip

    assert listening(*wanted).replies[0]["result"] == wanted[:1]


@pytest.mark.parametrize("speed", ["100ms", "agg2", "raw"])
def test_a_book_begins_with_a_snapshot_and_the_changes_lead_on_to_the_true_book(speed):
    stage = Stage("deribit")
    stage.join("/ws/api/v2")
    stage.ask(request("auth", client_id="me", client_secret="it is"))
    stage.pass_ticks(11)
    stage.ask(request("subscribe", channels=[f"book.{SYMBOL}.{speed}"]))

    found = said(stage.pass_ticks(60), "book")

    assert [data["type"] for data in found] == ["snapshot"] + ["change"] * (len(found) - 1)
    assert all(b["prev_change_id"] == a["change_id"] for a, b in pairwise(found))
    held: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    for data in found:
        for side, levels in held.items():
            for action, price, amount in data[side]:
                assert (Decimal(price) in levels) is (action != "new")
                if action == "delete":
                    assert not Decimal(amount)
                    del levels[Decimal(price)]
                else:
                    levels[Decimal(price)] = Decimal(amount)
        assert (held["bids"], held["asks"]) == stage.truth(SYMBOL).book(data["change_id"])


def test_raw_channels_want_a_login():
    stage = listening(f"book.{SYMBOL}.raw")

    assert stage.replies[0]["error"]["code"] == 13778
    (refused,) = stage.ask(request("auth", client_id="me", client_secret="wrong"))
    assert refused["error"]["code"] == 13004


def test_who_wished_for_heartbeats_and_does_not_answer_is_disconnected():
    stage = listening()
    stage.ask(request("set_heartbeat", interval=10))

    assert stage.session.due(NOW_S + 9) == []
    heartbeat, test = stage.session.due(NOW_S + 10)
    (demand,) = VENUES["deribit"]({}).decode(test)
    assert isinstance(demand, Demand)
    assert b"test_request" not in heartbeat
    stage.session.answer(demand.answer, NOW_S + 11)
    assert len(stage.session.due(NOW_S + 20)) == 2
    assert isinstance(stage.session.due(NOW_S + 30)[0], Close)


def test_heartbeats_are_ten_seconds_apart_at_least():
    (reply,) = listening().ask(request("set_heartbeat", interval=5))

    assert reply["error"]["code"] == -32602


def test_credits_are_used_up_by_subscriptions_and_come_back_with_time():
    session = listening().session
    text = json.dumps(request("subscribe", channels=[f"quote.{SYMBOL}"]))

    at_once = [session.answer(text, NOW_S) for _ in range(11)]
    assert [any(isinstance(word, Close) for word in words) for words in at_once] == (
        [False] * 10 + [True]
    )
    assert json.loads(at_once[10][0])["error"]["code"] == 10028
    assert len(session.answer(text, NOW_S + 1)) == 1


def test_missed_trades_are_found_from_a_number_on():
    stage = listening(f"trades.{SYMBOL}.100ms").pass_ticks(60)
    told = [trade for data in said(stage, "trades") for trade in data]
    numbers = [trade["trade_seq"] for trade in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    first = str(numbers[5])
    found = rest(
        stage, "get_last_trades_by_instrument",
        instrument_name=SYMBOL, start_seq=first, count="4", sorting="asc",
    )["result"]  # fmt: skip

    assert [trade["trade_seq"] for trade in found["trades"]] == numbers[5:9]
    assert found["has_more"]


def test_the_symbol_table_is_read_by_our_venue():
    stage = listening()
    body = stage.mouth.rest("/api/v2/public/get_instruments", {"currency": "any"}, BEGAN_MS).body

    found = VENUES["deribit"]({}).instruments(body)

    assert {(one.symbol, one.kind) for one in found if one.kind != "index"} == {
        (book.instrument.symbol, book.instrument.kind) for book in stage.market.books.values()
    }
    assert {one.symbol for one in found if one.kind == "index"} == {"btc_usd", "eth_usd"}


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", -32700), ("[]", -32700), ('{"method":"public/dance","id":1}', -32601)],
)
def test_a_bad_request_is_an_error(text, code):
    (reply,) = listening().answers(text)

    assert json.loads(reply)["error"]["code"] == code


def test_another_path_is_not_served():
    with pytest.raises(UnknownPath):
        Stage("deribit").join("/ws/api/v3")

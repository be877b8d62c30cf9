from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from pipeline.core.messages import Farewell, Funding, Kline, OrderBook, Ticker, Trade
from pipeline.core.simulate.mouth import Close, UnknownPath
from pipeline.core.venues import VENUES
from tests.unit.pipeline.core.mouths import BEGAN_MS, Stage

SYMBOL = "BTC-USDT"


def listening(*channels, symbol=SYMBOL, path="public", **options):
    stage = Stage("okx", **options)
    stage.join(f"/ws/v5/{path}")
    if channels:
        args = [{"channel": channel, "instId": symbol} for channel in channels]
        stage.replies = stage.ask({"op": "subscribe", "args": args, "id": "7"})
    return stage


def books(stage):
    return [
        (frame["action"], frame["data"][0])
        for frame in stage.said()
        if frame["arg"]["channel"] == "books"
    ]


def levels(texts):
    return {Decimal(price): Decimal(size) for price, size, *_ in texts}


def rest(stage, path, **query):
    return json.loads(stage.mouth.rest(f"/api/v5/{path}", query, stage.now_ms).body)


def test_every_frame_is_read_by_our_venue_and_lacks_nothing():
    decoder, found = VENUES["okx"]({}), set()
    public = listening("trades", "tickers", "books", "funding-rate", symbol="BTC-USDT-SWAP")
    business = listening("candle1m", "trades-all", path="business")
    for stage in (public, business):
        for frame in stage.pass_ticks(30).frames:
            found |= {type(heard) for heard in decoder.decode(frame)}

    assert found == {Trade, Ticker, OrderBook, Kline, Funding}


def test_each_subscription_is_answered_alone():
    stage = listening("books", "nothing", "candle1m")

    assert [reply["event"] for reply in stage.replies] == ["subscribe", "error", "error"]
    assert stage.replies[0]["arg"] == {"channel": "books", "instId": SYMBOL}
    assert {reply.get("code") for reply in stage.replies[1:]} == {"60018"}
    assert {reply["id"] for reply in stage.replies} == {"7"}


def test_the_same_channel_is_served_at_one_address_only():
    assert listening("candle1m", path="business").replies[0]["event"] == "subscribe"
    assert listening("books", path="business").replies[0]["event"] == "error"
    with pytest.raises(UnknownPath):
        Stage("okx").join("/ws/v5/private")


def test_a_book_begins_with_a_snapshot_and_the_updates_lead_on_to_the_true_book():
    stage = listening("books", checksums=True).pass_ticks(80)
    venue = VENUES["okx"]({})

    found = books(stage)

    assert [action for action, _ in found] == ["snapshot"] + ["update"] * (len(found) - 1)
    assert found[0][1]["prevSeqId"] == -1
    assert all(b["prevSeqId"] == a["seqId"] for (_, a), (_, b) in pairwise(found))
    sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    for _, data in found:
        for side, held in sides.items():
            held.update(levels(data[side]))
            for price in [price for price, size in held.items() if not size]:
                del held[price]
        assert (sides["bids"], sides["asks"]) == stage.truth(SYMBOL).book(data["seqId"])
    best = [
        [(f"{p.normalize():f}", f"{q.normalize():f}") for p, q in sorted(side, reverse=down)]
        for side, down in ((sides["bids"].items(), True), (sides["asks"].items(), False))
    ]
    assert venue.checksum(*best) == found[-1][1]["checksum"]


def test_checksums_are_naught_unless_asked_for_and_can_be_spoilt():
    assert {data["checksum"] for _, data in books(listening("books").pass_ticks(20))} == {0}

    true, spoilt = listening("books", checksums=True), listening("books", checksums=True)
    spoilt.faults.bad_checksum(SYMBOL, "books")
    pairs = zip(books(true.pass_ticks(20)), books(spoilt.pass_ticks(20)), strict=True)

    assert [a["checksum"] == b["checksum"] for (_, a), (_, b) in pairs].count(False) == 1


def test_who_is_silent_for_half_a_minute_is_closed_and_a_ping_is_enough():
    session = listening("books").session
    now_s = BEGAN_MS / 1000

    assert session.answer("ping", now_s + 29) == [b"pong"]
    assert session.due(now_s + 58) == []
    assert isinstance(session.due(now_s + 60)[0], Close)


def test_an_unsubscribed_channel_is_silent():
    stage = listening("trades").pass_ticks(30)
    before = len(stage.frames)
    args = [{"channel": "trades", "instId": SYMBOL}]

    (reply,) = stage.ask({"op": "unsubscribe", "args": args})

    assert (reply["event"], before > 0) == ("unsubscribe", True)
    assert len(stage.pass_ticks(30).frames) == before


@pytest.mark.parametrize("text", ["{", "[]", '{"op":"dance","args":[{}]}', '{"op":"subscribe"}'])
def test_a_bad_request_is_an_error_event(text):
    (reply,) = listening().answers(text)

    assert json.loads(reply)["event"] == "error"


def test_missed_trades_are_found_below_a_number_youngest_first():
    stage = listening("trades").pass_ticks(80)
    numbers = [int(frame["data"][0]["tradeId"]) for frame in stage.said()]

    below = str(numbers[9])
    found = rest(stage, "market/history-trades", instId=SYMBOL, type="1", after=below, limit="4")

    assert [int(trade["tradeId"]) for trade in found["data"]] == numbers[8:4:-1]


def test_the_symbol_table_is_read_by_our_venue():
    stage, venue = listening(), VENUES["okx"]({})
    found = set()
    for kind in ("SPOT", "SWAP", "FUTURES"):
        body = stage.mouth.rest("/api/v5/public/instruments", {"instType": kind}, BEGAN_MS).body
        found |= {(one.symbol, one.kind, one.price_decimals) for one in venue.instruments(body)}

    assert found == {
        (book.instrument.symbol, book.instrument.kind, book.instrument.decimals)
        for book in stage.market.books.values()
    }


def test_an_instrument_that_is_not_there_is_an_error_of_the_venue():
    assert rest(listening(), "market/books", instId="NO")["code"] == "51001"


def test_the_notice_of_a_shutdown_is_read_by_our_venue():
    (heard,) = VENUES["okx"]({}).decode(listening().mouth.farewell(BEGAN_MS))

    assert isinstance(heard, Farewell)

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from pipeline.core.messages import Funding, Kline, OrderBook, Ticker, Trade
from pipeline.core.venues import VENUES
from tests.unit.pipeline.core.mouths import BEGAN_MS, Stage

SYMBOLS = {"binance": "BTCUSDT", "binance-usdm": "BTCUSDT", "binance-coinm": "BTCUSD_PERP"}
FUTURES = ("binance-usdm", "binance-coinm")


def listening(venue, *channels, path="/stream", **options):
    symbol = SYMBOLS[venue].lower()
    stage = Stage(venue, **options)
    stage.join(f"{path}?streams={'/'.join(f'{symbol}@{channel}' for channel in channels)}")
    return stage


def levels(texts):
    return {Decimal(price): Decimal(quantity) for price, quantity in texts}


def rest(stage, name, **query):
    query = {key: str(value) for key, value in query.items()}
    return stage.mouth.rest(f"{stage.mouth.rest_root}/{name}", query, stage.now_ms)


@pytest.mark.parametrize("venue", SYMBOLS)
def test_every_frame_is_read_by_our_venue_and_lacks_nothing(venue):
    kinds = ["trade", "aggTrade", "bookTicker", "depth@100ms", "kline_1m"]
    wanted = {Trade, Ticker, OrderBook, Kline}
    if venue in FUTURES:
        kinds += ["markPrice@1s"]
        wanted |= {Funding}
    paths = ["/public/stream", "/market/stream"] if venue == "binance-usdm" else ["/stream"]
    decoder = VENUES[venue]({})

    found = set()
    for path in paths:
        for frame in listening(venue, *kinds, path=path).pass_ticks(30).frames:
            found |= {type(heard) for heard in decoder.decode(frame)}

    assert found == wanted


@pytest.mark.parametrize("speed", ["depth@100ms", "depth"])
def test_updates_of_spot_follow_one_another_without_a_hole(speed):
    said = listening("binance", speed).pass_ticks(60).said()

    updates = [frame["data"] for frame in said]
    assert len(updates) >= 6
    assert all(b["U"] == a["u"] + 1 for a, b in pairwise(updates))


@pytest.mark.parametrize("venue", FUTURES)
def test_updates_of_futures_name_the_one_before_and_skip_numbers(venue):
    updates = [frame["data"] for frame in listening(venue, "depth@100ms").pass_ticks(60).said()]

    assert all(b["pu"] == a["u"] and b["U"] > a["u"] for a, b in pairwise(updates))
    assert any(b["U"] != a["u"] + 1 for a, b in pairwise(updates))


@pytest.mark.parametrize("venue", SYMBOLS)
def test_a_snapshot_and_the_updates_after_it_are_the_true_book(venue):
    symbol = SYMBOLS[venue]
    stage = listening(venue, "depth@100ms").pass_ticks(20)
    stage.market.step(stage.now_ms)  # A snapshot falls into the middle of an update.
    snapshot = json.loads(rest(stage, "depth", symbol=symbol, limit=100).body)
    stage.pass_ticks(20)

    book = {side: levels(snapshot[side]) for side in ("bids", "asks")}
    joined = False
    for update in (frame["data"] for frame in stage.said()):
        if update["u"] <= snapshot["lastUpdateId"]:
            continue
        if not joined:
            # Futures: also in the hole between the update before and this one.
            assert update.get("pu", update["U"] - 1) <= snapshot["lastUpdateId"]
            joined = True
        for side, changed in (("bids", update["b"]), ("asks", update["a"])):
            book[side].update(levels(changed))
            book[side] = {price: size for price, size in book[side].items() if size}
        assert (book["bids"], book["asks"]) == stage.truth(symbol).book(update["u"])
    assert joined


def test_a_faulty_snapshot_is_an_older_true_book():
    stage = listening("binance", "trade").pass_ticks(50)
    stage.faults.old_snapshot("BTCUSDT", changes=120)

    old, new = (json.loads(rest(stage, "depth", symbol="BTCUSDT").body) for _ in range(2))

    assert new["lastUpdateId"] == stage.truth("BTCUSDT").number == old["lastUpdateId"] + 120
    bids, asks = stage.truth("BTCUSDT").book(old["lastUpdateId"])
    assert (levels(old["bids"]), levels(old["asks"])) == (bids, asks)


def test_trades_can_be_asked_for_from_a_number_on():
    stage = listening("binance", "trade").pass_ticks(60)
    told = [frame["data"] for frame in stage.said()]
    first = told[4]["t"]

    found = json.loads(rest(stage, "historicalTrades", symbol="BTCUSDT", fromId=first).body)
    few = json.loads(rest(stage, "aggTrades", symbol="BTCUSDT", fromId=first, limit=3).body)

    assert [trade["id"] for trade in found] == [trade["t"] for trade in told[4:]]
    assert [trade["a"] for trade in few] == [first, first + 1, first + 2]
    assert [(t["price"], t["qty"]) for t in found] == [(t["p"], t["q"]) for t in told[4:]]


def test_calls_weigh_what_the_venue_charges():
    stage = listening("binance", "trade")

    weights = [
        rest(stage, "depth", symbol="BTCUSDT", limit=limit).weight for limit in (100, 500, 5000)
    ]

    assert weights == [5, 25, 250]


@pytest.mark.parametrize(
    ("query", "code"),
    [({}, -1102), ({"symbol": "NO"}, -1121), ({"symbol": "BTCUSDT", "limit": "x"}, -1100)],
)
def test_a_bad_call_is_refused_in_the_venues_words(query, code):
    answer = rest(listening("binance", "trade"), "depth", **query)

    assert (answer.status, json.loads(answer.body)["code"]) == (400, code)


@pytest.mark.parametrize("venue", SYMBOLS)
def test_the_symbol_table_is_read_by_our_venue(venue):
    stage = listening(venue, "trade")

    found = VENUES[venue]({}).instruments(rest(stage, "exchangeInfo").body)

    assert {(one.symbol, one.kind, one.price_decimals) for one in found} == {
        (book.instrument.symbol, book.instrument.kind, book.instrument.decimals)
        for book in stage.market.books.values()
    }


def test_candles_close_at_the_end_of_their_interval_and_hold_the_trades():
    stage = listening("binance", "trade", "kline_1m").pass_ticks(1300)

    candles = [f["data"]["k"] for f in stage.said() if f["data"]["e"] == "kline"]
    trades = [f["data"] for f in stage.said() if f["data"]["e"] == "trade"]

    closed = [candle for candle in candles if candle["x"]]
    assert [candle["t"] for candle in closed] == sorted({candle["t"] for candle in closed})
    whole = closed[-1]
    within = [trade for trade in trades if whole["t"] <= trade["T"] <= whole["T"]]
    assert (whole["t"] > BEGAN_MS, len(within)) == (True, whole["n"])
    assert Decimal(whole["v"]) == sum(Decimal(trade["q"]) for trade in within)
    assert Decimal(whole["q"]) == sum(Decimal(t["q"]) * Decimal(t["p"]) for t in within)
    assert Decimal(whole["h"]) == max(
        [Decimal(whole["o"]), *(Decimal(trade["p"]) for trade in within)]
    )


def test_the_notice_of_a_shutdown_is_read_by_our_venue():
    stage = listening("binance", "trade")

    (heard,) = VENUES["binance"]({}).decode(stage.mouth.farewell(BEGAN_MS))

    assert type(heard).__name__ == "Farewell"

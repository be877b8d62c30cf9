from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import BadOption, DecodeError
from pipeline.core.messages import Accepted, Aggressor, Flag, OrderBook, Trade
from pipeline.core.normalise import BackfillTrades, Normaliser
from pipeline.core.venues import VENUES
from pipeline.core.venues.okx import Okx
from pipeline.core.venues.venue import Instrument, Step
from streams.core.templates import STANDARD

PUBLIC = "wss://ws.okx.com:8443/ws/v5/public"
BUSINESS = "wss://ws.okx.com:8443/ws/v5/business"


def book(last_seq, prev_seq=-1, *, event_ns=0, snapshot=False):
    return OrderBook("A", event_ns, 0, 0, 0, last_seq, [], [], [], [], prev_seq, snapshot=snapshot)


def trade(seq):
    return Trade("BTC-USDT", 0, 0, 0, str(seq), seq, 0, 1, 1, Aggressor.BUYER)


def body(*data, **more):
    return json.dumps({"code": "0", "msg": "", "data": list(data)} | more).encode()


# Subscriptions


def test_okx_is_one_of_the_venues():
    assert VENUES["okx"] is Okx


def test_each_type_of_each_symbol_becomes_a_channel_and_candles_one_for_each_interval():
    found = Okx({}).channels(
        ["trade", "ticker", "orderbook", "kline"], ["btc-usdt", "ETH-USD-260327"], ["1m", "1d"]
    )

    assert [(one.name, one.data_type, one.symbol, one.interval) for one in found[:5]] == [
        ("trades:BTC-USDT", "trade", "BTC-USDT", ""),
        ("tickers:BTC-USDT", "ticker", "BTC-USDT", ""),
        ("books:BTC-USDT", "orderbook", "BTC-USDT", ""),
        ("candle1m:BTC-USDT", "kline", "BTC-USDT", "1m"),
        ("candle1Dutc:BTC-USDT", "kline", "BTC-USDT", "1d"),
    ]
    assert len(found) == 10


def test_only_perpetual_contracts_pay_funding():
    found = Okx({}).channels(["funding"], ["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-260327"], [])

    assert [one.name for one in found] == ["funding-rate:BTC-USDT-SWAP"]


@pytest.mark.parametrize("books", Okx.options["books"])
@pytest.mark.parametrize("trades", Okx.options["trades"])
def test_the_operator_chooses_among_the_channels_of_a_type(books, trades):
    okx = Okx({"books": books, "trades": trades})

    found = okx.channels(["trade", "orderbook"], ["A"], [])

    assert [one.name for one in found] == [f"{trades}:A", f"{books}:A"]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"depth": "5"}, "depth"), ({"books": "books6"}, "books"), ({"trades": ""}, "trades")],
)
def test_options_that_okx_does_not_have_are_named(given, field):
    with pytest.raises(BadOption) as caught:
        Okx(given)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("types", "symbols", "intervals", "field"),
    [
        (["volatility_index"], ["BTC-USDT"], [], "types"),
        (["kline"], ["BTC-USDT"], ["8h"], "intervals"),
        (["trade"], [""], [], "symbols"),
        (["trade"], ["BTC USDT"], [], "symbols"),
        (["trade"], ["BTC:USDT"], [], "symbols"),
        (["trade"], ["BTC-*"], [], "symbols"),
        (["trade"], ["BTC\x00"], [], "symbols"),
    ],
)
def test_what_okx_cannot_have_is_named(types, symbols, intervals, field):
    with pytest.raises(BadOption) as caught:
        Okx({}).channels(types, symbols, intervals)

    assert caught.value.field == field


def test_requests_name_channel_and_instrument_apart():
    okx = Okx({})
    channels = okx.channels(["trade", "orderbook"], ["BTC-USDT"], [])
    args = [
        {"channel": "trades", "instId": "BTC-USDT"},
        {"channel": "books", "instId": "BTC-USDT"},
    ]

    assert json.loads(okx.subscribe(channels, 7)) == {"id": "7", "op": "subscribe", "args": args}
    assert json.loads(okx.unsubscribe(channels, 8)) == {
        "id": "8", "op": "unsubscribe", "args": args,
    }  # fmt: skip


def test_the_longest_message_is_well_below_what_the_venue_takes():
    okx = Okx({"books": "books50-l2-tbt"})
    channels = okx.channels(["orderbook"], ["A" * 64] * okx.limits.channels_per_message, [])

    assert len(okx.subscribe(channels, 10**9)) < 64 * 1024


def test_an_answer_names_the_channel_as_the_request_did():
    okx = Okx({})
    (channel,) = okx.channels(["orderbook"], ["BTC-USDT"], [])
    (arg,) = json.loads(okx.subscribe([channel], 7))["args"]

    (found,) = okx.decode(json.dumps({"id": "7", "event": "subscribe", "arg": arg}).encode())

    assert found == Accepted(7, (channel.name,))


@pytest.mark.parametrize(
    ("endpoint", "public", "business"),
    [
        (PUBLIC, PUBLIC, BUSINESS),
        (BUSINESS, PUBLIC, BUSINESS),
        ("wss://ws.okx.com:8443", PUBLIC, BUSINESS),
        ("wss://ws.okx.com:8443/", PUBLIC, BUSINESS),
        (
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
            "wss://wspap.okx.com:8443/ws/v5/business?brokerId=9999",
        ),
        ("ws://127.0.0.1:9/mine", "ws://127.0.0.1:9/mine", "ws://127.0.0.1:9/mine"),
    ],
)
def test_candles_and_single_trades_are_served_at_an_address_of_their_own(
    endpoint, public, business
):
    okx = Okx({})
    types = ["trade", "ticker", "orderbook", "funding"]
    (candle,) = okx.channels(["kline"], ["A"], ["1m"])
    (single,) = Okx({"trades": "trades-all"}).channels(["trade"], ["A"], [])

    for channel in (None, *okx.channels(types, ["A-SWAP"], [])):
        assert okx.link_url(endpoint, channel) == public
    for channel in (candle, single):
        assert okx.link_url(endpoint, channel) == business


# Sequences


@pytest.mark.parametrize(
    ("last", "update", "step"),
    [
        (10, book(15, 10), Step.NEXT),
        (15, book(15, 15), Step.OLD),  # nothing changed for a minute
        (15, book(3, 15), Step.NEXT),  # counted anew after maintenance
        (3, book(5, 3), Step.NEXT),
        (15, book(20, 16), Step.GAP),
        (15, book(20, 12), Step.GAP),
        (15, book(15, 10), Step.OLD),
        (15, book(12, 10), Step.OLD),
        (0, book(0), Step.NEXT),  # without numbers only a checksum tells
    ],
)
def test_an_update_follows_what_it_says_it_follows(last, update, step):
    assert Okx({}).follows(last, update) is step


@pytest.mark.parametrize(("event_ns", "step"), [(99, Step.OLD), (100, Step.OLD), (101, Step.GAP)])
def test_small_numbers_of_a_younger_update_belong_to_a_count_whose_beginning_was_lost(
    event_ns, step
):
    assert Okx({}).follows(15, book(5, 3, event_ns=event_ns), 100) is step


@pytest.mark.parametrize(
    ("update", "step"),
    [
        (book(15, 10), Step.NEXT),
        (book(15, 8), Step.NEXT),  # of a snapshot by REST, which is made between two updates
        (book(10, 10), Step.OLD),
        (book(10, 8), Step.OLD),
        (book(9, 8), Step.OLD),
        (book(15, 11), Step.GAP),
        (book(3, 10), Step.NEXT),
    ],
)
def test_the_first_update_joins_a_snapshot_that_it_holds_the_end_of(update, step):
    assert Okx({}).joins(book(10, snapshot=True), update) is step


def test_a_sequence_as_the_documentation_shows_it_has_no_gap():
    okx = Okx({})
    snapshot, *updates = [
        book(10, snapshot=True), book(15, 10), book(15, 15), book(3, 15), book(5, 3),
    ]  # fmt: skip

    steps, last = [okx.joins(snapshot, updates[0])], 15
    for update in updates[1:]:
        steps.append(okx.follows(last, update))
        last = update.last_seq

    assert steps == [Step.NEXT, Step.OLD, Step.NEXT, Step.NEXT]


@given(st.lists(st.integers(1, 9), min_size=2, max_size=30), st.data())
def test_one_lost_update_is_always_a_gap_and_a_repeat_never(steps, data):
    okx = Okx({})
    updates, last = [], 100
    for at, step in enumerate(steps):
        updates.append(book(last + step, last, event_ns=at + 1))
        last += step
    lost = data.draw(st.integers(0, len(updates) - 2))

    last, last_ns = 100, 0
    for update in updates[:lost]:
        assert okx.follows(last, update, last_ns) is Step.NEXT
        last, last_ns = update.last_seq, update.event_ns
        assert okx.follows(last, update, last_ns) is Step.OLD

    assert okx.follows(last, updates[lost + 1], last_ns) is Step.GAP


# Checksums


@pytest.mark.parametrize(
    ("bids", "asks", "text"),
    [
        (
            [("3366.1", "7"), ("3366", "6")],
            [("3366.8", "9"), ("3368", "8")],
            "3366.1:7:3366.8:9:3366:6:3368:8",
        ),
        (
            [("3366.1", "7")],
            [("3366.8", "9"), ("3368", "8"), ("3372", "8")],
            "3366.1:7:3366.8:9:3368:8:3372:8",
        ),
        ([], [], ""),
        ([("1", "2")], [], "1:2"),
    ],
)
def test_a_checksum_is_that_of_the_text_which_the_documentation_shows(bids, asks, text):
    unsigned = zlib.crc32(text.encode())

    found = Okx({}).checksum(bids, asks)

    assert -(2**31) <= found < 2**31
    assert found % 2**32 == unsigned


def test_levels_below_the_twenty_fifth_are_not_in_the_checksum():
    okx = Okx({})
    levels = [(str(price), "1") for price in range(30)]

    assert okx.checksum(levels, levels) == okx.checksum(levels[:25], levels[:25])
    assert okx.checksum(levels, levels) != okx.checksum(levels[:24], levels)


# REST

SPOT: dict[str, Any] = {
    "instId": "BTC-USDT", "instType": "SPOT", "baseCcy": "BTC", "quoteCcy": "USDT", "uly": "",
    "expTime": "", "lotSz": "0.00000001", "tickSz": "0.1", "state": "live", "instIdCode": 1,
}  # fmt: skip
SWAP = SPOT | {
    "instId": "BTC-USD-SWAP", "instType": "SWAP", "baseCcy": "", "quoteCcy": "", "uly": "BTC-USD",
    "lotSz": "1", "tickSz": "0.50",
}  # fmt: skip
FUTURE = SWAP | {"instId": "BTC-USD-260327", "instType": "FUTURES", "expTime": "1774569600000"}
OPTION = FUTURE | {"instId": "BTC-USD-260327-22000-C", "instType": "OPTION", "tickSz": "0.0005"}


def test_the_symbol_table_is_asked_for_by_kind_and_options_by_family():
    assert [call.path for call in Okx({}).instruments_calls()] == [
        "/api/v5/public/instruments?instType=SPOT",
        "/api/v5/public/instruments?instType=SWAP",
        "/api/v5/public/instruments?instType=FUTURES",
        "/api/v5/public/instruments?instType=OPTION&instFamily=BTC-USD",
        "/api/v5/public/instruments?instType=OPTION&instFamily=ETH-USD",
    ]


def test_the_symbol_table_says_kind_currencies_decimals_and_expiry():
    assert Okx({}).instruments(body(SPOT, SWAP, FUTURE, OPTION)) == [
        Instrument("BTC-USDT", "spot", "BTC", "USDT", 1, 8),
        Instrument("BTC-USD-SWAP", "perpetual", "BTC", "USD", 1, 0),
        Instrument("BTC-USD-260327", "future", "BTC", "USD", 1, 0, 1774569600000_000_000),
        Instrument("BTC-USD-260327-22000-C", "option", "BTC", "USD", 4, 0, 1774569600000_000_000),
    ]


@pytest.mark.parametrize("state", ["preopen", "test"])
def test_what_is_not_traded_yet_is_left_out(state):
    assert Okx({}).instruments(body(SPOT | {"state": state})) == []


def test_a_step_that_the_venue_does_not_tell_leaves_the_decimals_open():
    (found,) = Okx({}).instruments(body(SPOT | {"tickSz": "", "lotSz": ""}))

    assert (found.price_decimals, found.quantity_decimals) == (-1, -1)


def test_a_snapshot_by_rest_is_a_book_with_a_number():
    okx = Okx({})
    call = okx.snapshot_call("BTC-USDT")
    assert call is not None
    assert call.path == "/api/v5/market/books?instId=BTC-USDT&sz=400"

    found = okx.snapshot(
        "BTC-USDT",
        body(
            {
                "asks": [["41006.8", "0.6", "0", "1"]],
                "bids": [["41006.3", "0.3", "0", "2"]],
                "ts": "1629966436396",
                "seqId": 3235851742,
            }
        ),
    )

    assert found == OrderBook(
        symbol="BTC-USDT",
        event_ns=1629966436396_000_000,
        price_exponent=-1,
        quantity_exponent=-1,
        first_seq=0,
        last_seq=3235851742,
        bid_prices=[410063],
        bid_quantities=[3],
        ask_prices=[410068],
        ask_quantities=[6],
        snapshot=True,
    )


def test_missed_trades_are_asked_for_by_number_a_hundred_at_a_time():
    okx = Okx({})

    call, latest = okx.trades_call("BTC-USDT", trade(100)), okx.trades_call("BTC-USDT", trade(0))

    # The venue gives those below the number, the youngest first.
    assert call is not None
    assert call.path == ("/api/v5/market/history-trades?instId=BTC-USDT&type=1&after=201&limit=100")
    assert latest is not None
    assert latest.path == "/api/v5/market/trades?instId=BTC-USDT&limit=500"


TOLD = {
    "instId": "BTC-USDT", "side": "sell", "sz": "0.00001", "source": "0", "px": "29963.2",
    "tradeId": "242720720", "ts": "1654161646974",
}  # fmt: skip


def test_missed_trades_come_out_in_the_order_in_which_they_happened():
    found = Okx({}).trades("BTC-USDT", body(TOLD, TOLD | {"tradeId": "242720719"}))

    assert [(one.seq, one.first_seq, one.trade_id) for one in found] == [
        (242720719, 0, "242720719"),
        (242720720, 0, "242720720"),
    ]
    assert found[1].aggressor is Aggressor.SELLER
    assert found[1].trade_ns == 1654161646974_000_000


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b'{"code":0,"data":[]}',
        b'{"data":[]}',
        body(code="50011", msg="Too Many Requests"),
        body(code="x" * 1_000),
        body(7),
        body({}),
        body() + b"x",
        b'{"code":"0","data":' + b"[" * 100_000,
        body({"asks": [], "bids": [], "ts": "-1"}),
        body(TOLD | {"instId": "ETH-USDT"}, SPOT | {"expTime": "soon"}),
        body(SPOT | {"instId": "A\nB"}),
        body(SPOT | {"expTime": "9" * 20}),
    ],
)
def test_bad_answers_are_our_error(bad):
    okx = Okx({})

    for read in (
        okx.instruments,
        lambda answer: okx.snapshot("BTC-USDT", answer),
        lambda answer: okx.trades("BTC-USDT", answer),
    ):
        with pytest.raises(DecodeError):
            read(bad)


def test_the_code_of_an_error_is_told_and_its_words_are_not():
    with pytest.raises(DecodeError, match=r"error 50011$"):
        Okx({}).instruments(body(code="50011", msg="Too Many Requests"))


@given(st.binary() | st.text().map(lambda text: body({"instId": text, "instType": text})))
def test_any_answer_is_read_or_our_error(data):
    okx = Okx({})

    for read in (
        okx.instruments,
        lambda answer: okx.snapshot("A", answer),
        lambda answer: okx.trades("A", answer),
    ):
        try:
            read(data)
        except DecodeError:
            continue


# Trades of several, and their numbers


def numbers(outgoing):
    return [(one.content.first_seq, one.content.seq, one.flags) for one in outgoing]


def test_trades_that_were_missed_are_filled_in_up_to_the_first_that_the_next_one_sums_up():
    wants: list[Any] = []
    okx = Okx({})
    normaliser = Normaliser(okx, STANDARD, epoch=1, ask=wants.append, can_call=True)
    channels = okx.channels(["trade"], ["BTC-USDT"], [])
    normaliser.subscribed(channels, 1)

    def live(trade_id, count):
        data = TOLD | {"tradeId": str(trade_id), "count": str(count)}
        frame = {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [data]}
        (heard,) = okx.decode(json.dumps(frame).encode())
        assert isinstance(heard, Trade)
        return normaliser.take(heard, 2)

    assert numbers(live(100, 1)) == [(0, 100, 0)]
    assert numbers(live(103, 3)) == [(101, 103, 0)]
    normaliser.disconnected(channels, "lost", 3)
    normaliser.subscribed(channels, 4)

    (gap,) = live(110, 3)
    assert (gap.content.first_missing, gap.content.last_missing) == (104, 107)
    (want,) = wants
    assert isinstance(want, BackfillTrades)
    call = okx.trades_call(want.symbol, want.after)
    assert call is not None
    assert "&after=204&" in call.path
    answer = body(*(TOLD | {"tradeId": str(number)} for number in range(112, 98, -1)))
    said = normaliser.backfilled("BTC-USDT", okx.trades("BTC-USDT", answer), 5)

    assert numbers(said) == [
        *((0, number, Flag.BACKFILL) for number in range(104, 108)),
        (108, 110, 0),
    ]

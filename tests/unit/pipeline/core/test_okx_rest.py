from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, Flag, OrderBook, Trade
from pipeline.core.normalise import BackfillTrades, Normaliser
from pipeline.core.venues.okx import Okx
from pipeline.core.venues.venue import Instrument
from streams.core.templates import STANDARD


def trade(seq):
    return Trade("BTC-USDT", 0, 0, 0, str(seq), seq, 0, 1, 1, Aggressor.BUYER)


def body(*data, **more):
    return json.dumps({"code": "0", "msg": "", "data": list(data)} | more).encode()


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

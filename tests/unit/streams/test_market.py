from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import market
from streams.core.errors import BadSubject
from streams.core.proto.market_pb2 import (
    AGGRESSOR_SELLER,
    FLAG_BACKFILL,
    FLAG_CONTROL,
    FLAG_SNAPSHOT,
    FLAG_UNSYNCED,
    Control,
    Funding,
    Kline,
    OrderBook,
    Ticker,
    Trade,
    VolatilityIndex,
)
from streams.core.templates import TYPES

SUBJECT = "market.binance.BTCUSDT."


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-18, 3))
def test_decimal_text_is_exact_and_plain(number, exponent):
    text = market.decimal(number, exponent)

    assert "E" not in text.upper()
    assert Decimal(text) == Decimal(number) * Decimal(10) ** exponent


def test_a_trade_reads_as_text_and_milliseconds():
    trade = Trade(
        venue="binance", symbol="BTCUSDT", event_ns=1_700_000_000_123_000_000, received_ns=5,
        price_exponent=-8, quantity_exponent=-5, trade_id="77", price=6183763000000,
        quantity=2000, trade_ns=1_700_000_000_122_000_000, aggressor=AGGRESSOR_SELLER,
    )  # fmt: skip

    shown = market.readable(SUBJECT + "trade", trade.SerializeToString())

    assert shown["price"] == "61837.63000000"
    assert shown["quantity"] == "0.02000"
    assert (shown["eventMs"], shown["tradeMs"]) == (1_700_000_000_123, 1_700_000_000_122)
    assert (shown["tradeId"], shown["aggressor"]) == ("77", "seller")


def test_an_aggressor_of_a_later_schema_is_unknown():
    later = Trade(symbol="X").SerializeToString() + b"\x60\x07"  # field 12, value 7

    assert market.readable(SUBJECT + "trade", later)["aggressor"] == "unknown"


def test_a_venue_that_gives_no_time_shows_none():
    shown = market.readable(SUBJECT + "ticker", Ticker(symbol="X", last_seq=3).SerializeToString())

    assert shown["eventMs"] is None
    assert shown["lastSeq"] == 3


def test_book_levels_read_as_pairs():
    book = OrderBook(price_exponent=-1, bid_prices=[15, 14], bid_quantities=[2, 0], last_seq=9)

    shown = market.readable(SUBJECT + "orderbook", book.SerializeToString())

    assert shown["bids"] == [["1.5", "2"], ["1.4", "0"]]
    assert shown["asks"] == []


def test_columns_of_unequal_length_are_not_shown_as_if_they_matched():
    book = OrderBook(bid_prices=[1, 2], bid_quantities=[1])

    with pytest.raises(market.Undecodable):
        market.readable(SUBJECT + "orderbook", book.SerializeToString())


@pytest.mark.parametrize("subject", ["market.x.y.nothing", "market.x.y", "account.a.b.trade"])
def test_other_subjects_have_no_schema(subject):
    with pytest.raises(BadSubject):
        market.parse(subject, b"")


PLACES = [*(set(TYPES.values()) - {"kline"}), "kline.1m"]


@given(st.binary(max_size=200), st.sampled_from(sorted(PLACES)))
def test_any_bytes_are_readable_or_undecodable(payload, place):
    try:
        shown = market.readable(SUBJECT + place, payload)
    except market.Undecodable:
        return
    assert set(shown) >= {"venue", "symbol"}


def test_a_candle_reads_with_each_volume_in_its_own_units():
    kline = Kline(
        venue="okx", symbol="BTC-USDT", interval="1m", open_ns=60_000_000_000,
        close_ns=119_999_999_999, price_exponent=-1, quantity_exponent=-3, quote_exponent=-2,
        open=10, high=15, low=9, close=12, volume=1500, closed=True, quote_volume=123456, trades=0,
    )  # fmt: skip

    shown = market.readable("market.okx.BTC-USDT.kline.1m", kline.SerializeToString())

    prices = {"open": "1.0", "high": "1.5", "low": "0.9", "close": "1.2"}
    assert shown.items() >= prices.items()
    assert (shown["interval"], shown["openMs"], shown["closeMs"]) == ("1m", 60_000, 119_999)
    assert (shown["volume"], shown["quoteVolume"], shown["trades"]) == ("1.500", "1234.56", 0)
    assert shown["closed"] is True
    assert "takerVolume" not in shown


def test_an_index_and_a_funding_rate_read_as_decimals():
    index = VolatilityIndex(symbol="btc_usd", price_exponent=-2, value=4512)
    funding = Funding(
        symbol="BTC-PERPETUAL", price_exponent=-1, rate=-15, rate_exponent=-7, mark_price=615
    )

    value = market.readable("market.deribit.btc_usd.volatility-index", index.SerializeToString())
    rate = market.readable("market.deribit.X.funding", funding.SerializeToString())

    assert value["value"] == "45.12"
    assert (rate["rate"], rate["nextMs"], rate["markPrice"]) == ("-0.0000015", None, "61.5")
    assert "indexPrice" not in rate


def test_what_a_ticker_has_beside_bid_and_ask_is_left_out_where_it_is_not_told():
    bare = market.words(Ticker(price_exponent=-1, quantity_exponent=-2, bid_price=15))
    full = market.words(
        Ticker(
            price_exponent=-1,
            quantity_exponent=-2,
            last_price=15,
            last_quantity=4,
            mark_price=0,
            index_price=-3,
            open_interest=250,
        )
    )

    more = {
        "lastPrice": "1.5", "lastQuantity": "0.04", "markPrice": "0.0", "indexPrice": "-0.3",
        "openInterest": "2.50",
    }  # fmt: skip
    assert full.items() >= more.items()
    assert not bare.keys() & more.keys()


def test_a_message_tells_its_number_its_epoch_and_what_is_special():
    shown = market.words(
        Trade(local_seq=7, epoch=3, flags=FLAG_BACKFILL | 1 << 20, seq=12, first_seq=9)
    )

    assert (shown["localSeq"], shown["epoch"], shown["flags"]) == (7, 3, ["backfill"])
    assert (shown["seq"], shown["firstSeq"]) == (12, 9)
    assert not {"seq", "firstSeq"} & market.words(Trade()).keys()


def test_a_snapshot_says_that_it_is_one():
    book = OrderBook(flags=FLAG_SNAPSHOT | FLAG_UNSYNCED, last_seq=9, prev_seq=0, checksum=-5)

    shown = market.words(book)

    assert shown["flags"] == ["snapshot", "unsynced"]
    assert (shown["prevSeq"], shown["checksum"]) == (0, -5)
    assert not {"prevSeq", "checksum"} & market.words(OrderBook()).keys()


@pytest.mark.parametrize("kind", [Trade, Ticker, OrderBook, Kline, VolatilityIndex, Funding])
def test_a_control_message_shows_no_data(kind):
    gap = Control(
        kind=Control.KIND_GAP, reason="missing updates", first_missing=8, last_missing=9,
        since_ns=5_000_000,
    )  # fmt: skip
    message = kind(venue="v", symbol="S", local_seq=4, epoch=2, flags=FLAG_CONTROL, control=gap)

    shown = market.words(message)

    assert market.is_control(message)
    assert shown == {
        "venue": "v", "symbol": "S", "eventMs": None, "receivedMs": 0, "localSeq": 4, "epoch": 2,
        "flags": ["control"],
        "control": {
            "kind": "gap", "reason": "missing updates", "firstMissing": 8, "lastMissing": 9,
            "sinceMs": 5,
        },
    }  # fmt: skip


def test_either_mark_makes_a_control_message():
    later = Trade(flags=FLAG_CONTROL)
    unmarked = Trade(control=Control(kind=Control.KIND_STALE))

    assert market.words(later)["control"]["kind"] == "unknown"
    assert market.words(unmarked)["control"]["kind"] == "stale"
    assert not market.is_control(Trade(flags=FLAG_SNAPSHOT))

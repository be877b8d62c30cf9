from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import market
from streams.core.errors import BadSubject
from streams.core.proto.market_pb2 import AGGRESSOR_SELLER, OrderBook, Ticker, Trade

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


@given(st.binary(max_size=200), st.sampled_from(["trade", "ticker", "orderbook"]))
def test_any_bytes_are_readable_or_undecodable(payload, kind):
    try:
        shown = market.readable(SUBJECT + kind, payload)
    except market.Undecodable:
        return
    assert set(shown) >= {"venue", "symbol"}

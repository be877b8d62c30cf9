from __future__ import annotations

import random
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.messages import OrderBook, Skipped, Ticker, Trade
from pipeline.core.simulate.market import INSTRUMENTS, Market, decimal_text, streams
from pipeline.core.venues.binance.decode import decode as heard
from pipeline.simulate.exchange import _frame


def decode(data):
    (found,) = heard(data)
    return found


FIRST = 1_700_000_000_000_000


def events(seed, tenths=300):
    market = Market(random.Random(seed), FIRST)  # noqa: S311
    return [event for n in range(tenths) for event in market.tenth(1_700_000_000_000 + n * 100)]


@pytest.fixture(scope="module", params=range(3))
def records(request):
    found = defaultdict(list)
    for event in events(request.param):
        record = decode(_frame(event, combined=True).encode())
        assert not isinstance(record, Skipped)
        found[record.symbol].append(record)
    return found


def test_every_symbol_has_every_kind(records):
    assert set(records) == {instrument.symbol for instrument in INSTRUMENTS}
    for found in records.values():
        assert {type(record) for record in found} == {Trade, Ticker, OrderBook}


def test_each_update_begins_where_the_one_before_ended(records):
    for found in records.values():
        books = [record for record in found if isinstance(record, OrderBook)]
        assert books[0].first_seq == FIRST + 1
        assert all(b.first_seq == a.last_seq + 1 for a, b in pairwise(books))


def test_trade_numbers_and_ticker_numbers_only_grow(records):
    for found in records.values():
        trades = [int(record.trade_id) for record in found if isinstance(record, Trade)]
        tickers = [record.last_seq for record in found if isinstance(record, Ticker)]
        assert trades == sorted(set(trades))
        assert tickers == sorted(set(tickers))


def test_the_best_bid_and_offer_is_the_top_of_the_book_that_the_updates_build(records):
    for found in records.values():
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        told = None
        for record in found:
            if isinstance(record, OrderBook):
                for side, prices, quantities in (
                    (bids, record.bid_prices, record.bid_quantities),
                    (asks, record.ask_prices, record.ask_quantities),
                ):
                    side.update(zip(prices, quantities, strict=True))
                    for price in [price for price, quantity in side.items() if not quantity]:
                        del side[price]
                assert max(bids) < min(asks)
                if told is not None and told.last_seq == record.last_seq:
                    top = (max(bids), bids[max(bids)], min(asks), asks[min(asks)])
                    assert top == (
                        told.bid_price, told.bid_quantity, told.ask_price, told.ask_quantity,
                    )  # fmt: skip
            elif isinstance(record, Ticker):
                told = record


def test_the_same_seed_walks_the_same_way():
    assert events(7, 20) == events(7, 20)
    assert events(7, 20) != events(8, 20)


def test_about_a_hundred_to_two_hundred_frames_a_second_come():
    assert 100 <= len(events(1)) / 30 <= 200


def test_only_the_streams_that_are_listed_are_spoken():
    assert {event.stream for event in events(1)} == set(streams())


@given(st.integers(0, 10**12), st.integers(0, 8))
def test_prices_are_written_exactly_and_padded(number, decimals):
    text = decimal_text(number, decimals)

    whole, _, rest = text.partition(".")
    assert len(rest) == 8
    assert int(whole + rest) == number * 10 ** (8 - decimals)

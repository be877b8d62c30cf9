from __future__ import annotations

import random
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.simulate.book import Deal, Top
from pipeline.core.simulate.instrument import BY_VENUE, SPOT
from pipeline.core.simulate.journal import Journal
from pipeline.core.simulate.market import Market
from pipeline.core.simulate.text import binary, padded, short
from pipeline.core.simulate.truth import Truth

FIRST = 1_700_000_000_000_000
BEGAN_MS = 1_700_000_000_000


def walked(seed, steps=400, instruments=SPOT, **options):
    market = Market(instruments, random.Random(seed), FIRST, **options)  # noqa: S311
    return market, [event for n in range(steps) for event in market.step(BEGAN_MS + 50 * n)]


@pytest.fixture(scope="module", params=[(1, False), (2, True)])
def walk(request):
    seed, holes = request.param
    return walked(seed, holes=holes)


def test_the_same_seed_walks_the_same_way():
    def told(seed):
        return [(event.number, event.at_ms) for event in walked(seed, 40)[1]]

    assert told(7) == told(7)
    assert told(7) != told(8)


def test_the_best_bid_and_offer_is_the_top_of_the_book_at_that_number(walk):
    _, events = walk
    tops = [event for event in events if isinstance(event, Top)][::37]
    assert len(tops) > 20

    for top in tops:
        levels = top.book.journal.at(top.number)
        assert (max(levels.bids), min(levels.asks)) == (top.bid, top.ask)
        assert (levels.bids[top.bid], levels.asks[top.ask]) == (top.bid_lots, top.ask_lots)


def test_a_book_is_never_crossed_whichever_change_one_looks_at(walk):
    market, _ = walk
    journal = market.books["BTCUSDT"].journal
    for number in journal._numbers[60:600]:
        levels = journal.at(number)
        if levels.bids and levels.asks:
            assert max(levels.bids) < min(levels.asks)


def test_what_changed_since_a_number_leads_from_that_book_to_this_one(walk):
    market, _ = walk
    for book in market.books.values():
        before = book.journal.back(123)
        levels = book.journal.at(before)

        first, changed = book.journal.since(before)

        assert before < first <= book.number
        for side, changes in ((levels.bids, changed.bids), (levels.asks, changed.asks)):
            side.update(changes)
        assert {price: lots for price, lots in levels.bids.items() if lots} == book.levels.bids
        assert {price: lots for price, lots in levels.asks.items() if lots} == book.levels.asks


def test_trades_are_numbered_one_by_one(walk):
    market, events = walk
    for book in market.books.values():
        numbers = [e.number for e in events if isinstance(e, Deal) and e.book is book]
        assert numbers[0] == FIRST + 1
        assert all(b == a + 1 for a, b in pairwise(numbers))


def test_numbers_of_changes_skip_some_only_where_the_venue_does():
    for holes in (False, True):
        market, _ = walked(3, 50, holes=holes)
        numbers = market.books["ETHUSDT"].journal._numbers
        assert (numbers[-1] - numbers[0] > len(numbers) - 1) is holes


def test_the_truth_is_told_in_decimals():
    market, _ = walked(5, 50, BY_VENUE["okx"])
    truth = Truth(market.books["BTC-USDT"])

    bids, asks = truth.book()
    (trade, *_) = truth.trades()

    assert max(bids) < min(asks)
    assert max(bids) == Decimal(market.books["BTC-USDT"].top(0).bid) / 10
    assert {trade.number for trade in truth.trades(trade.number, trade.number)} == {FIRST + 1}
    assert truth.book(FIRST) == ({}, {})


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.booleans())), st.integers(1, 5))
def test_a_journal_that_forgets_still_knows_the_later_books(changes, most):
    whole, short_one = Journal(0, None), Journal(0, most)
    for number, (price, lots, bid_side) in enumerate(changes, start=1):
        whole.note(number, price, lots, bid_side=bid_side)
        short_one.note(number, price, lots, bid_side=bid_side)

    for number in range(max(0, len(changes) - most), len(changes) + 1):
        assert short_one.at(number) == whole.at(number)
        assert short_one.since(number) == whole.since(number)


def test_what_is_forgotten_is_not_made_up():
    market, _ = walked(1, 200, most=10)

    with pytest.raises(LookupError):
        Truth(market.books["BTCUSDT"]).book(FIRST + 1)


def test_candles_hold_every_trade_and_close_once():
    market = Market(SPOT[:1], random.Random(4), FIRST)  # noqa: S311
    (book,) = market.books.values()
    found, lots = [], 0
    for n in range(400):
        now_ms = BEGAN_MS + 50 * n
        book.candles.of(1000, now_ms) if n == 0 else None
        lots += sum(event.lots for event in market.step(now_ms) if isinstance(event, Deal))
        found += [candle for candle in book.candles.of(1000, now_ms) if candle.closed]

    assert len(found) == 19
    assert all(b.open_ms == a.close_ms + 1 and b.open == a.close for a, b in pairwise(found))
    assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in found)
    (still_open,) = book.candles.of(1000, BEGAN_MS + 50 * 399)
    assert sum(candle.volume for candle in [*found, still_open]) == lots


@given(st.integers(0, 10**15), st.integers(0, 8))
def test_numbers_are_written_exactly(number, decimals):
    value = Decimal(number).scaleb(-decimals)

    assert Decimal(padded(number, decimals, 8)) == value
    assert padded(number, decimals, 8)[-9] == "."
    assert Decimal(short(number, decimals)) == value
    assert not short(number, decimals).endswith((".", ".0"))


@given(st.integers(0, 2**53 - 1), st.integers(0, 6))
def test_a_float_is_the_one_that_reads_as_the_number(number, decimals):
    if number < 10**15:
        assert Decimal(repr(binary(number, decimals))) == Decimal(number).scaleb(-decimals)

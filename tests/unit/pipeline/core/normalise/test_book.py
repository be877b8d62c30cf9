from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.normalise.book import MAX_LEVELS, Book
from tests.unit.pipeline.core.normalise.exchange import book_message, decimals

levels = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=8)
exponents = st.integers(-9, 3)


@st.composite
def messages(draw):
    message = book_message("BTC", draw(levels), draw(levels), first_seq=0, last_seq=0)
    return msgspec.structs.replace(
        message, price_exponent=draw(exponents), quantity_exponent=draw(exponents)
    )


def slowly(said):
    """Return the sides that these messages leave behind, level by level in exact decimals."""
    sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
    for message in said:
        for side, prices, quantities in zip(
            sides,
            (message.bid_prices, message.ask_prices),
            (message.bid_quantities, message.ask_quantities),
            strict=True,
        ):
            for price, quantity in zip(prices, quantities, strict=True):
                side[Decimal(price).scaleb(message.price_exponent)] = Decimal(quantity).scaleb(
                    message.quantity_exponent
                )
    return tuple({price: q for price, q in side.items() if q} for side in sides)


@given(st.lists(messages(), min_size=1, max_size=6), messages())
def test_whatever_exponents_the_messages_have_the_levels_are_exact(said, later):
    first, *updates = said

    book = Book(first)
    for update in updates:
        book.apply(update)

    assert decimals(book) == slowly(said)
    book.replace(later)
    assert decimals(book) == slowly([later])


@given(messages())
def test_the_best_levels_come_first(message):
    book = Book(message)
    bids, asks = book.bids(), book.asks()

    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert book.best_bid() == (bids[0] if bids else None)
    assert book.best_ask() == (asks[0] if asks else None)
    assert book.crossed() is (bool(bids and asks) and bids[0][0] >= asks[0][0])


def test_texts_are_kept_as_written_and_go_with_their_levels():
    def texts(levels):
        return [(f"{price}.0", f"{quantity}.00") for price, quantity in levels]

    def message(bids, asks, **more):
        return book_message(
            "BTC", bids, asks, first_seq=0, last_seq=0, bid_texts=texts(bids),
            ask_texts=texts(asks), **more,
        )  # fmt: skip

    book = Book(message([(9, 1), (8, 2), (7, 3)], [(10, 1)]))
    book.apply(message([(9, 0), (6, 4)], [(10, 5)]))
    # Ten times as fine, and written otherwise: the same prices.
    book.apply(message([(80, 7)], [], exponent=-3))

    assert book.texts(2) == ([("80.0", "7.00"), ("7.0", "3.00")], [("10.0", "5.00")])
    assert Book(book_message("BTC", [(9, 1)], [], first_seq=0, last_seq=0)).texts(2) is None


def test_a_peer_that_makes_levels_up_fills_no_memory_and_the_best_ones_stay():
    book = Book(book_message("BTC", [(1, 1)], [(10**9, 1)], first_seq=0, last_seq=0))

    for start in range(0, 3 * MAX_LEVELS, 1_000):
        bids = [(2 + start + n, 1) for n in range(1_000)]
        asks = [(10**9 + 1 + start + n, 1) for n in range(1_000)]
        book.apply(book_message("BTC", bids, asks, first_seq=0, last_seq=0))

    assert len(book.bids()) <= MAX_LEVELS
    assert len(book.asks()) <= MAX_LEVELS
    assert book.best_bid() == (3 * MAX_LEVELS + 1, 1)
    assert book.best_ask() == (10**9, 1)

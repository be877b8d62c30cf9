from __future__ import annotations

import pytest

from pipeline.core.messages import OrderBook
from pipeline.core.venues.deribit import Deribit
from pipeline.core.venues.venue import Recovery, Step

VENUE = Deribit({})


def book(last_seq, prev_seq=-1, *, snapshot=False):
    return OrderBook("A", 1, 0, 0, last_seq, last_seq, [], [], [], [], prev_seq, snapshot)


@pytest.mark.parametrize(
    ("last_seq", "prev_seq", "step"),
    [
        (107, 100, Step.NEXT),
        (107, 93, Step.NEXT),  # overlaps: as another link gathered it
        (100, 93, Step.OLD),
        (93, 90, Step.OLD),
        (107, 101, Step.GAP),
    ],
)
def test_the_chain_of_change_ids_says_how_a_change_stands(last_seq, prev_seq, step):
    change = book(last_seq, prev_seq)

    assert VENUE.joins(book(100, snapshot=True), change) is step
    assert VENUE.follows(100, change) is step


def test_a_snapshot_follows_whatever_was_there():
    assert VENUE.follows(100, book(90, snapshot=True)) is Step.NEXT


def test_a_book_recovers_by_a_new_subscription():
    assert VENUE.recovery is Recovery.RESUBSCRIBE
    assert VENUE.snapshot_call("BTC-PERPETUAL") is None

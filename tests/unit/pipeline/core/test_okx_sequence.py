from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.messages import OrderBook
from pipeline.core.venues.okx import Okx
from pipeline.core.venues.venue import Step


def book(last_seq, prev_seq=-1, *, event_ns=0, snapshot=False):
    return OrderBook("A", event_ns, 0, 0, 0, last_seq, [], [], [], [], prev_seq, snapshot=snapshot)


@pytest.mark.parametrize(
    ("last", "update", "step"),
    [
        (10, book(15, 10), Step.NEXT),
        (15, book(15, 15), Step.OLD),  # nothing changed for a minute
        (15, book(3, 15), Step.NEXT),  # counted anew after maintenance
        (3, book(5, 3), Step.NEXT),
        (15, book(20, 16), Step.GAP),
        (15, book(20, 12), Step.NEXT),  # of another link, which cuts the changes elsewhere
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

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.messages import OrderBook
from pipeline.core.venues import VENUES
from pipeline.core.venues.venue import Step

SPOT = VENUES["binance"]({})
FUTURES = VENUES["binance-usdm"]({})


def update(first, last, prev=-1):
    return OrderBook("X", 0, 0, 0, first, last, [], [], [], [], prev_seq=prev)


def snapshot(last):
    return OrderBook("X", 0, 0, 0, last, last, [], [], [], [], snapshot=True)


def test_a_spot_update_begins_where_the_one_before_ended():
    assert SPOT.follows(10, update(11, 12)) is Step.NEXT
    assert SPOT.follows(10, update(12, 12)) is Step.GAP
    assert SPOT.follows(10, update(9, 10)) is Step.OLD
    assert SPOT.follows(10, update(9, 11)) is Step.NEXT


def test_the_first_spot_update_holds_the_snapshot_s_number_or_the_next():
    assert SPOT.joins(snapshot(10), update(8, 10)) is Step.OLD
    assert SPOT.joins(snapshot(10), update(8, 11)) is Step.NEXT
    assert SPOT.joins(snapshot(10), update(11, 14)) is Step.NEXT
    assert SPOT.joins(snapshot(10), update(12, 14)) is Step.GAP


def test_a_futures_update_names_the_one_before():
    assert FUTURES.follows(10, update(15, 20, prev=10)) is Step.NEXT
    assert FUTURES.follows(10, update(11, 20, prev=9)) is Step.NEXT
    assert FUTURES.follows(10, update(15, 20, prev=12)) is Step.GAP
    assert FUTURES.follows(10, update(5, 10, prev=4)) is Step.OLD
    assert FUTURES.follows(10, update(15, 20)) is Step.GAP


def test_the_first_futures_update_holds_the_snapshot_s_number():
    assert FUTURES.joins(snapshot(10), update(5, 9, prev=4)) is Step.OLD
    assert FUTURES.joins(snapshot(10), update(5, 10, prev=4)) is Step.OLD
    assert FUTURES.joins(snapshot(10), update(10, 20, prev=9)) is Step.NEXT
    assert FUTURES.joins(snapshot(10), update(15, 20, prev=10)) is Step.NEXT
    assert FUTURES.joins(snapshot(10), update(15, 20, prev=12)) is Step.GAP
    assert FUTURES.joins(snapshot(10), update(10, 20)) is Step.NEXT
    assert FUTURES.joins(snapshot(10), update(11, 20)) is Step.GAP


@st.composite
def histories(draw):
    """Changes of one level, cut into updates, with a snapshot in between."""
    count = draw(st.integers(2, 30))
    # The numbers of the futures have holes; spot's have none.
    steps = draw(
        st.lists(st.integers(1, draw(st.sampled_from([1, 4]))), min_size=count, max_size=count)
    )
    numbers = [sum(steps[: place + 1]) for place in range(count)]
    cuts = sorted({0, count, *draw(st.lists(st.integers(1, count - 1), max_size=5))})
    updates, prev = [], 0
    for start, end in pairwise(cuts):
        updates.append(update(numbers[start], numbers[end - 1], prev))
        prev = numbers[end - 1]
    return set(steps) == {1}, numbers, updates, draw(st.integers(0, numbers[-1]))


@given(histories(), st.data())
def test_whatever_the_snapshot_nothing_is_missing_or_there_is_a_gap(history, data):
    counted, numbers, updates, at = history
    heard = updates[data.draw(st.integers(0, len(updates) - 1)) :]
    lost = data.draw(st.sets(st.sampled_from(range(len(heard)))))
    heard = [each for place, each in enumerate(heard) if place not in lost]

    for venue in (SPOT, FUTURES) if counted else (FUTURES,):
        known, gap = taken(venue, snapshot(at), heard, numbers)

        assert known == {number for number in numbers if number <= max(known, default=0)}
        assert gap is is_missing(at, heard)


def taken(venue, start, heard, numbers):
    """Return (the changes that a book knows in the end, whether it stopped at a gap)."""
    known = {number for number in numbers if number <= start.last_seq}
    last = None
    for each in heard:
        step = venue.joins(start, each) if last is None else venue.follows(last, each)
        if step is Step.GAP:
            return known, True
        if step is Step.NEXT:
            known |= {number for number in numbers if each.prev_seq < number <= each.last_seq}
            last = each.last_seq
    return known, False


def is_missing(at, heard):
    """Return whether an update came whose changes do not touch what was known before it."""
    for each in heard:
        if each.prev_seq > at:
            return True
        at = max(at, each.last_seq)
    return False

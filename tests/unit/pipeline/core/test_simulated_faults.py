from __future__ import annotations

import pytest

from pipeline.core.simulate.faults import Fault, Faults
from pipeline.core.simulate.frame import Frame


def frame(number, symbol="A", kind="books"):
    return Frame(f"{kind}:{symbol}", symbol, kind, "orderbook", {"n": number}, number)


def sent(faults, frames):
    return [one.number for each in frames for one in faults.through(each)]


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (Faults.drop_next, [2, 3, 4]),
        (Faults.duplicate_next, [1, 1, 2, 3, 4]),
        (Faults.reorder_next, [2, 1, 3, 4]),
        (Faults.stall, []),
    ],
)
def test_a_fault_happens_to_the_next_frame(order, wanted):
    faults = Faults()
    order(faults, "A", "books")

    assert sent(faults, map(frame, (1, 2, 3, 4))) == wanted
    assert faults.done[0].frame.number == 1


@pytest.mark.parametrize("channel", ["books:A", "books", "orderbook", ""])
def test_a_channel_is_named_in_full_by_its_kind_or_by_its_type(channel):
    faults = Faults()
    faults.drop_next("A", channel)

    assert sent(faults, [frame(1, "B"), frame(2, "A"), frame(3, "A")]) == [1, 3]


def test_others_are_left_alone():
    faults = Faults()
    faults.drop_next("A", "trades", count=2)

    assert sent(faults, [frame(1), frame(2, "B", "trades"), frame(3, "A", "trades")]) == [1, 2]
    assert [done.fault for done in faults.done] == [Fault.DROP]


def test_a_stall_ends_when_it_is_told_to():
    faults = Faults()
    faults.stall("A")
    assert sent(faults, [frame(1), frame(2, "B")]) == [2]

    faults.resume()

    assert sent(faults, [frame(3)]) == [3]


def test_a_snapshot_of_one_client_is_no_frame_to_drop():
    faults = Faults()
    faults.drop_next()
    snapshot = Frame("books:A", "A", "books", "orderbook", {}, 1, snapshot=True)

    assert faults.through(snapshot) == [snapshot]


def test_orders_are_used_up_and_can_be_taken_back():
    faults = Faults()
    faults.rest("busy", "depth", count=2)
    faults.refuse("A", count=1)

    assert faults.of_call("/api/v3/trades") is None
    assert [bool(faults.of_call("/api/v3/depth")) for _ in range(3)] == [True, True, False]
    assert [faults.refuses("A", "x") for _ in range(2)] == [True, False]

    faults.drop_next()
    faults.clear()
    assert sent(faults, [frame(1)]) == [1]


def test_a_hitch_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="dance"):
        Faults().rest("dance")

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.messages import Control
from pipeline.core.normalise import BackfillTrades, trades
from pipeline.core.normalise.held import MAX_HELD
from tests.unit.pipeline.core.normalise.exchange import Engine, channel, trade

CHANNEL = channel(data_type="trade")


def missing(engine):
    """Return the numbers of each GAP."""
    return [
        (said.content.first_missing, said.content.last_missing)
        for said in engine.said
        if isinstance(said.content, Control) and said.content.kind.name == "GAP"
    ]


def ready(**options):
    engine = Engine(**options)
    engine.take(trade(1))
    return engine


def test_trades_go_through_and_repeats_do_not():
    engine = Engine()

    said = [engine.take(trade(number)) for number in (7, 8, 8, 7, 9)]

    assert said == [["7"], ["8"], [], [], ["9"]]
    assert engine.normaliser.counts.repeated == 2
    assert engine.asked() == []


def test_one_trade_that_sums_up_several_follows_by_its_first():
    engine = ready()

    assert engine.take(trade(4, first_seq=2)) == ["4"]
    assert engine.take(trade(9, first_seq=7)) == ["GAP"]
    assert missing(engine) == [(5, 6)]


def test_missed_trades_are_asked_for_and_published_in_their_place():
    engine = ready()

    assert engine.take(trade(4), at_s=2) == ["GAP"]
    assert engine.take(trade(5), at_s=2) == []
    assert engine.asked() == [BackfillTrades("BTC", trade(1))]
    answer = [trade(number) for number in (1, 2, 3, 4, 5, 6)]
    assert engine.backfilled(answer) == ["2 backfill", "3 backfill", "4", "5"]
    assert engine.take(trade(6)) == ["6"]
    assert missing(engine) == [(2, 3)]
    assert engine.normaliser.counts.backfilled == 2


def test_an_answer_that_is_too_short_is_continued():
    engine = ready()
    engine.take(trade(9))
    engine.asked()

    assert engine.backfilled([trade(2), trade(3)]) == ["2 backfill", "3 backfill"]
    assert engine.asked() == [BackfillTrades("BTC", trade(3))]
    assert engine.backfilled([trade(4)]) == ["4 backfill"]
    assert engine.backfilled([]) == ["9"]  # More is not to be had.
    assert engine.take(trade(10)) == ["10"]


def test_what_nobody_can_give_is_a_gap_and_the_stream_goes_on():
    for engine in (ready(can_call=False), ready(backfill=False)):
        assert engine.take(trade(4)) == ["GAP", "4"]
        assert engine.take(trade(5)) == ["5"]
        assert engine.asked() == []


def test_a_call_that_failed_lets_the_live_ones_go():
    engine = ready()
    engine.take(trade(4))
    (want,) = engine.asked()

    assert engine.note(engine.normaliser.failed(want, 3)) == ["4"]
    assert engine.backfilled([trade(2)]) == []


def test_live_trades_do_not_wait_for_ever_and_a_late_answer_is_published_late():
    engine = ready()
    engine.take(trade(4), at_s=2)
    engine.take(trade(5), at_s=3)

    assert engine.look(at_s=11.9) == []
    assert engine.look(at_s=12.1) == ["4", "5"]
    assert engine.take(trade(6), at_s=13) == ["6"]
    assert engine.backfilled([trade(n) for n in range(2, 7)]) == ["2 backfill", "3 backfill"]
    assert engine.take(trade(7)) == ["7"]
    assert engine.backfilled([trade(2)]) == []
    assert missing(engine) == [(2, 3)]


def test_no_more_than_a_number_of_live_trades_waits():
    engine = ready()
    engine.take(trade(4))

    said = [word for n in range(5, 5 + MAX_HELD) for word in engine.take(trade(n))]

    assert said == [str(n) for n in range(4, 5 + MAX_HELD)]


def test_a_gap_among_those_that_wait_is_told_when_they_go():
    engine = ready()
    engine.take(trade(4))
    engine.take(trade(6))
    engine.take(trade(7))
    engine.asked()

    assert engine.backfilled([trade(n) for n in (2, 3, 4)]) == [
        "2 backfill", "3 backfill", "4", "GAP",
    ]  # fmt: skip
    assert engine.asked() == [BackfillTrades("BTC", trade(4))]
    assert engine.backfilled([trade(5), trade(6)]) == ["5 backfill", "6", "7"]


def test_what_waits_when_a_symbol_is_given_up_is_published_first():
    engine = ready()
    for number in (4, 5, 8, 9, 12):
        engine.take(trade(number))

    said = engine.note(engine.normaliser.let_go([CHANNEL]))

    assert said == ["4", "5", "GAP", "8", "9", "GAP", "12"]
    assert missing(engine) == [(2, 3), (6, 7), (10, 11)]
    assert engine.backfilled([trade(2), trade(3)]) == []
    assert engine.normaliser.let_go([CHANNEL]) == []
    assert engine.take(trade(13)) == ["13"]


def test_an_answer_to_an_older_question_does_not_end_the_waiting():
    engine = ready()
    engine.take(trade(4))
    asked = engine.asked()

    assert engine.backfilled([trade(0), trade(1)]) == []
    assert engine.asked() == asked
    assert engine.backfilled([trade(2), trade(3)]) == ["2 backfill", "3 backfill", "4"]


def test_answers_that_bring_nothing_new_end_the_waiting_soon():
    engine = ready()
    engine.take(trade(4))

    said = [engine.backfilled([trade(1)]) for _ in range(4)]

    assert said == [[], [], ["4"], []]
    assert len(engine.asked()) == 3


def test_numbers_that_begin_anew_are_a_gap_of_unknown_size():
    engine = Engine()
    engine.take(trade(1_000))

    assert engine.take(trade(1, at_s=1_002)) == ["GAP", "1"]
    assert engine.take(trade(2, at_s=1_003)) == ["2"]
    assert missing(engine) == [(0, 0)]


class TestWhereOnlyIdsTell:
    def named(self, *numbers):
        return [trade(number, counted=False) for number in numbers]

    def test_repeats_are_known_by_their_ids(self):
        engine = Engine()

        said = [engine.take(each) for each in self.named(5, 3, 5, 9, 3)]

        assert said == [["5"], ["3"], [], ["9"], []]

    def test_the_memory_is_bounded_and_covers_the_last_ones(self):
        engine = Engine()
        for each in self.named(*range(3 * trades.MAX_IDS)):
            engine.take(each)

        (stream,) = engine.normaliser._streams.values()
        assert isinstance(stream, trades.Trades)
        assert len(stream._ids) + len(stream._older_ids) <= 2 * trades.MAX_IDS + 1
        for each in self.named(*range(2 * trades.MAX_IDS + 1, 3 * trades.MAX_IDS)):
            assert engine.take(each) == []

    def test_after_an_interruption_what_may_have_been_missed_is_asked_for(self):
        engine = Engine()
        for each in self.named(1, 2):
            engine.take(each)
        assert engine.disconnected(CHANNEL, at_s=5) == ["DISCONNECT"]

        assert engine.take(trade(5, counted=False), at_s=6) == []
        assert engine.take(trade(6, counted=False), at_s=7) == []
        assert engine.asked() == [BackfillTrades("BTC", trade(2, counted=False))]
        assert engine.backfilled(self.named(1, 2, 3, 4, 5, 6, 7)) == [
            "3 backfill", "4 backfill", "5", "6",
        ]  # fmt: skip
        assert engine.take(trade(7, counted=False)) == ["7"]
        assert engine.normaliser.counts.gaps == 0

    def test_an_answer_that_begins_later_than_asked_is_cut_by_time(self):
        engine = Engine()
        engine.take(trade(1, counted=False))
        engine.disconnected(CHANNEL, at_s=5)
        engine.take(trade(5, counted=False), at_s=6)

        assert engine.backfilled(self.named(3, 4)) == ["3 backfill", "4 backfill"]
        assert engine.backfilled(self.named(6, 7)) == ["5"]

    def test_an_interruption_while_they_wait_is_seen_to_as_well(self):
        engine = Engine()
        engine.take(trade(1, counted=False))
        engine.disconnected(CHANNEL, at_s=5)
        engine.take(trade(3, counted=False), at_s=6)
        engine.disconnected(CHANNEL, at_s=7)
        engine.take(trade(5, counted=False), at_s=8)
        engine.asked()

        assert engine.backfilled(self.named(1, 2, 3)) == ["2 backfill", "3"]
        assert engine.asked() == [BackfillTrades("BTC", trade(3, counted=False))]
        assert engine.backfilled(self.named(4, 5)) == ["4 backfill", "5"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["go", "lose", "twice", "swap", "old", "cut", "answer", "wait"]),
        st.integers(1, 5),
    ),
    max_size=40,
)


class Link:
    """One engine, and the trades that happened at the venue."""

    def __init__(self, can_call):
        self.engine = Engine(can_call=can_call)
        self.now_s = 1.0
        self.last = 0

    def step(self, what, count):
        self.now_s += 0.1
        getattr(self, what)(count)

    def happen(self, count):
        self.last += count
        return [self.trade(number) for number in range(self.last - count + 1, self.last + 1)]

    def trade(self, number):
        return trade(number, at_s=1)

    def hear(self, trades):
        for each in trades:
            self.engine.take(each, self.now_s)

    def go(self, count):
        self.hear(self.happen(count))

    def lose(self, count):
        self.happen(count)

    def twice(self, count):
        self.hear(self.happen(count) * 2)

    def swap(self, count):
        self.hear(reversed(self.happen(count)))

    def old(self, count):
        if self.last > count:
            self.hear([self.trade(self.last - count)])

    def cut(self, count):
        self.engine.disconnected(CHANNEL, at_s=self.now_s)

    def answer(self, count):
        for want in self.engine.asked()[-1:]:
            begin = want.after.seq + 1
            page = range(begin, min(begin + count, self.last + 1))
            self.engine.backfilled([self.trade(number) for number in page], at_s=self.now_s)

    def wait(self, count):
        self.now_s += 4 * count
        self.engine.look(self.now_s)


@pytest.mark.parametrize("can_call", [True, False])
@given(steps=steps)
def test_each_trade_comes_once_in_order_or_is_told_to_be_missing(can_call, steps):
    link = Link(can_call)
    for what, count in steps:
        link.step(what, count)
    link.go(1)
    while link.engine.normaliser._shared.waiting:
        link.wait(5)

    data = [said for said in link.engine.said if not isinstance(said.content, Control)]
    numbers = [said.content.seq for said in data]
    live = [said.content.seq for said in data if not said.flags]
    assert len(set(numbers)) == len(numbers)
    assert live == sorted(live)
    assert max(numbers) == link.last
    told = [n for first, end in missing(link.engine) for n in range(first, end + 1)]
    assert len(set(told)) == len(told)
    assert set(range(min(numbers), max(numbers) + 1)) - set(numbers) <= set(told)
    # Nothing is said to be missing that came in its place.
    assert not set(told) & set(live)
    assert link.engine.normaliser.counts.backfilled == len(data) - len(live)


@given(steps=steps)
def test_trades_that_are_asked_for_in_time_come_in_their_place(steps):
    link = Link(can_call=True)
    link.go(1)
    for what, count in steps:
        if what not in ("wait", "answer"):
            link.step(what, count)
        while link.engine.wants:
            link.answer(3)
    link.go(1)
    while link.engine.wants:
        link.answer(3)

    data = [said for said in link.engine.said if not isinstance(said.content, Control)]
    assert [said.content.seq for said in data] == list(range(1, link.last + 1))

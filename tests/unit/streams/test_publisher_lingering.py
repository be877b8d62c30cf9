"""When a publisher writes: at once after a silence, then at its pace; and that it wakes in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.broker.lanes import FLUSH, FLUSH_S
from streams.broker.records import NEVER_S
from tests.unit.streams.test_publisher_dispatch import Stream, World

EARLY = 1e-9


class Sleeper(World):
    """Works only when it was told to, by what happened or by what it saw last."""

    def __init__(self, **options):
        super().__init__(window=2_000, a=Stream("A", flow=500), **options)
        self.wake_s = 0.0
        self.dispatch._on_news = self._told
        self.written_s: list[float] = []
        # Its stream is known, and that it takes batches.
        for _ in range(3):
            self.submit("a.x")
        self.settle()
        self.now_s += 1
        self.wake_s = NEVER_S
        self.written_s.clear()

    def _told(self, due_s):
        self.wake_s = min(self.wake_s, due_s)

    def submit_lingering(self, linger_s):
        payload = b"%d" % len(self.submitted)
        self.submitted.append(("a.x", payload))
        self.dispatch.submit("a.x", payload, f"id-{len(self.submitted)}", linger_s)

    def go_to(self, at_s, *, answering=True):
        """Let time pass; work when it is due, and only then; answers come at once."""
        while self.wake_s <= at_s + EARLY:
            self.now_s = max(self.now_s, self.wake_s)
            self.wake_s = NEVER_S
            before = len(self.up)
            self.write()
            # Without the tick that looks after what is lost.
            dues = [lane.due_s for lane in self.dispatch._lanes.values()]
            self.wake_s = min([self.wake_s, *dues])
            if len(self.up) > before:
                self.written_s.append(self.now_s)
            if answering:
                self.serve(10_000)
                self.hear(10_000)
        self.now_s = at_s


def test_the_first_record_after_a_silence_goes_at_once_and_the_next_at_the_pace():
    world = Sleeper()
    began_s = world.now_s

    world.submit("a.x")
    world.go_to(began_s + FLUSH_S / 4)
    world.submit("a.x")
    world.go_to(began_s + 1)

    assert world.written_s == pytest.approx([began_s, began_s + FLUSH_S])
    assert world.streams["a"].stored == world.submitted


def test_records_that_linger_go_together():
    world = Sleeper()
    began_s = world.now_s

    for number in range(20):
        world.go_to(began_s + number * 0.001)
        world.submit_lingering(0.005)
    world.go_to(began_s + 1)

    paces = [began_s + number * 0.005 for number in range(5)]
    assert world.written_s == pytest.approx(paces)
    assert world.streams["a"].stored == world.submitted


def test_one_that_does_not_linger_takes_the_others_with_it():
    world = Sleeper()
    began_s = world.now_s

    world.submit_lingering(0.005)
    world.go_to(began_s + 0.0005)
    world.submit_lingering(0.005)
    world.go_to(began_s + 0.001)
    world.submit("a.x")
    world.go_to(began_s + 1)

    assert world.written_s == pytest.approx([began_s, began_s + FLUSH_S])
    assert world.streams["a"].stored == world.submitted


def test_many_records_do_not_wait():
    world = Sleeper()
    began_s = world.now_s

    world.submit_lingering(0.005)
    world.go_to(began_s)
    for _ in range(FLUSH):
        world.submit_lingering(0.005)
    world.go_to(began_s + 0.0001)

    assert world.written_s == [began_s, began_s]


def test_while_the_end_of_a_batch_is_awaited_nobody_is_woken():
    world = Sleeper()
    for _ in range(2):
        world.submit("a.x")
    world.go_to(world.now_s, answering=False)
    assert len(world.written_s) == 1

    world.serve(1)
    world.hear(1)  # The batch has begun.

    assert world.wake_s == NEVER_S
    world.serve(1)
    world.hear(1)
    assert world.streams["a"].stored == world.submitted


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0001, 0.001, 0.004, 0.02]),
            st.sampled_from([0.0, 0.001, 0.005]),
            st.integers(1, 3),
        ),
        max_size=40,
    )
)
def test_none_waits_longer_than_it_may(script):
    world = Sleeper()
    due: list[float] = []
    for pause_s, linger_s, count in script:
        world.go_to(world.now_s + pause_s)
        for _ in range(count):
            world.submit_lingering(linger_s)
            due.append(world.now_s + max(linger_s, FLUSH_S))
        # At the latest then, all of it is stored.
        world.go_to(world.now_s)
        late = [at_s for at_s in due[len(world.streams["a"].stored) - 3 :] if at_s < world.now_s]
        assert not late

    world.go_to(world.now_s + 0.006)

    assert world.streams["a"].stored == world.submitted

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from accounts.publish.outlet import Counts
from accounts.publish.window import Job, Parcel, Window


@dataclass
class Broker:
    """Collects what the window sends, and the jobs that it reports as finished."""

    size: int = 3
    most_waiting: int = 100
    sent: list[str] = field(default_factory=list)
    finished: list[Job] = field(default_factory=list)

    def __post_init__(self):
        self.window = Window(
            lambda parcels: self.sent.extend(p.id for p in parcels), self.finished.append,
            size=self.size, most_waiting=self.most_waiting,
        )  # fmt: skip
        self.window.open()

    def lose(self, reason):
        self.window.shut(reason)
        self.window.shed(reason)

    def confirm(self, tag, *, multiple=False, refused=False):
        self.window.settle(tag, multiple=multiple, refused=refused)


def job(*ids, letters=1):
    return Job([Parcel(name, "state.0", b"", letters) for name in ids])


def test_no_more_is_sent_than_the_window_holds_and_a_confirm_makes_room_for_the_next():
    broker, five = Broker(), job(*"abcde")

    broker.window.take(five)
    assert broker.sent == ["a", "b", "c"]
    broker.confirm(1)
    assert broker.sent == ["a", "b", "c", "d"]
    assert (broker.window.in_flight, broker.window.waiting) == (3, 1)
    broker.confirm(3, multiple=True)

    assert broker.sent == list("abcde")
    assert five.answers == ["", "", "", None, None]
    assert broker.finished == []


def test_jobs_leave_in_the_order_in_which_they_came():
    broker, first, second = Broker(size=1), job("a", "b"), job("c")

    broker.window.take(first)
    broker.window.take(second)
    for tag in (1, 2, 3):
        broker.confirm(tag)

    assert broker.sent == ["a", "b", "c"]
    assert broker.finished == [first, second]


def test_a_return_counts_before_the_acknowledgement_that_follows_it():
    broker, two = Broker(), job("a", "b")
    broker.window.take(two)

    broker.window.returned("a")
    broker.confirm(2, multiple=True)

    assert two.answers == ["returned: no queue takes state.0", ""]
    assert broker.window.counts() == Counts(confirmed=1, returned=1)


def test_each_return_of_one_id_spoils_one_acknowledgement():
    broker, same = Broker(), job("a", "a", "a")
    broker.window.take(same)

    broker.window.returned("a")
    broker.window.returned("a")
    broker.confirm(3, multiple=True)

    assert broker.window.counts() == Counts(confirmed=1, returned=2)


def test_a_refusal_is_told_and_stops_no_other():
    broker, two = Broker(), job("a", "b")
    broker.window.take(two)

    broker.confirm(1, refused=True)
    broker.confirm(2)

    assert two.answers == ["refused by RabbitMQ: a queue is full", ""]
    assert broker.window.counts() == Counts(confirmed=1, nacked=1)


def test_after_the_deadline_what_was_sent_is_in_doubt_and_the_rest_is_never_sent():
    broker, late, next_job = Broker(size=2), job(*"abcd"), job("e")
    broker.window.take(late)
    broker.window.take(next_job)
    broker.confirm(1)

    broker.window.expire(late)

    assert late.answers == [
        "", "no confirm in time", "no confirm in time", "never sent: no room within the deadline",
    ]  # fmt: skip
    assert broker.finished == [late]
    broker.confirm(3, multiple=True)
    assert broker.sent == ["a", "b", "c", "e"]


def test_a_confirm_after_the_deadline_changes_nothing_but_makes_room():
    broker, late = Broker(size=1), job("a")
    broker.window.take(late)
    broker.window.expire(late)
    answers, counts = list(late.answers), broker.window.counts()

    broker.confirm(1)

    assert late.answers == answers == ["no confirm in time"]
    assert broker.window.counts() == counts == Counts(unknown=1)
    assert broker.finished == [late]
    assert broker.window.in_flight == 0


def test_a_lost_link_answers_everything_and_the_next_counts_from_one():
    broker, old, new = Broker(size=2), job(*"abc"), job("d")
    broker.window.take(old)

    broker.lose("the link was lost")
    broker.window.open()
    broker.window.take(new)
    broker.confirm(1)

    assert old.answers == [
        "in doubt: the link was lost", "in doubt: the link was lost",
        "never sent: the link was lost",
    ]  # fmt: skip
    assert new.answers == [""]
    assert broker.window.counts() == Counts(confirmed=1, unknown=2, shed=1)


def test_a_job_can_be_refused_as_a_whole():
    broker, two = Broker(), job("a", "b")

    broker.window.refuse(two, "blocked: low on memory")

    assert two.answers == ["never sent: blocked: low on memory"] * 2
    assert broker.finished == [two]
    assert broker.sent == []


def test_while_it_is_shut_everything_waits():
    broker, two = Broker(), job("a", "b")
    broker.window.shut("the channel was given up")
    broker.window.take(two)
    assert broker.sent == []

    broker.window.open()
    broker.confirm(2, multiple=True)

    assert two.answers == ["", ""]


def test_a_window_is_choked_when_it_is_full_and_nothing_comes_back():
    broker, full, next_job = Broker(size=2), job("a", "b"), job("c")
    broker.window.take(full)
    assert broker.window.expire(full)

    broker.window.take(next_job)
    broker.confirm(1)
    assert broker.sent == ["a", "b", "c"]
    assert not broker.window.expire(next_job)


def test_a_window_that_is_not_full_is_not_choked():
    broker, one = Broker(size=2), job("a")
    broker.window.take(one)

    assert not broker.window.expire(one)


def test_a_blocked_broker_sheds_what_waits_and_leaves_what_was_sent():
    broker, both = Broker(size=1), job("a", "b")
    broker.window.take(both)

    broker.window.shed("blocked: low on memory")
    broker.confirm(1)

    assert both.answers == ["", "never sent: blocked: low on memory"]
    assert broker.sent == ["a"]


def test_no_more_waits_than_there_is_room_for():
    broker, first, second = Broker(size=1, most_waiting=2), job("a", "b"), job("c", "d", "e")

    broker.window.take(first)
    broker.window.take(second)

    assert broker.window.waiting == 2
    assert second.answers == [None, *["never sent: 2 publishes wait already"] * 2]


def test_letters_are_counted_and_not_the_parcels_they_travel_in():
    broker, batch = Broker(), job("a", letters=10)

    broker.window.take(batch)
    broker.confirm(1)

    assert broker.window.counts() == Counts(confirmed=10)


calls = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 6)),
    st.tuples(st.just("confirm"), st.integers(1, 30), st.booleans(), st.booleans()),
    st.tuples(st.just("return"), st.integers(0, 30)),
    st.tuples(st.just("expire"), st.integers(0, 5)),
    st.tuples(st.just("shed")),
    st.tuples(st.just("lose")),
    st.tuples(st.just("replace")),
)


@given(st.lists(calls, max_size=40))
def test_whatever_happens_every_parcel_is_answered_and_counted_exactly_once(happenings):
    broker, jobs, made = Broker(most_waiting=8), [], 0
    for name, *told in happenings:
        if name == "take":
            jobs.append(job(*(str(made + n) for n in range(told[0]))))
            made += told[0]
            broker.window.take(jobs[-1])
        elif name == "confirm":
            broker.confirm(told[0], multiple=told[1], refused=told[2])
        elif name == "return":
            broker.window.returned(str(told[0]))
        elif name == "expire" and told[0] < len(jobs):
            broker.window.expire(jobs[told[0]])
        elif name == "shed":
            broker.window.shed("blocked")
        elif name == "lose":
            broker.lose("lost")
            broker.window.open()
        elif name == "replace":
            broker.window.shut("given up")
            broker.window.open()
        assert broker.window.in_flight <= broker.size
        assert broker.window.waiting <= broker.most_waiting
    broker.lose("lost")

    counts = broker.window.counts()
    assert sum(getattr(counts, name) for name in Counts.__struct_fields__) == made
    assert sorted(map(id, broker.finished)) == sorted(map(id, jobs))
    assert all(answer is not None for each in jobs for answer in each.answers)
    assert len(broker.sent) == len(set(broker.sent))

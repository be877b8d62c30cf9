"""What becomes of messages while the broker dies, blocks, or loses its queues."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pika
import pytest

from accounts.core.errors import BrokerAway, PublisherForked
from tests.integration.accounts.letters import (
    EVENTS,
    QUEUE,
    age,
    arrive,
    counted,
    drained,
    drained_fast,
    event,
    message,
    reachable,
)
from tests.servers.process import wait_until

pytestmark = pytest.mark.integration


class Publishing(threading.Thread):
    """Publishes on a thread of its own; `answers` waits for what came of it."""

    def __init__(self, publish, letters, within_s):
        super().__init__(daemon=True)
        self._call = lambda: publish(letters, within_s)
        self._answers = None
        self.start()

    def run(self):
        self._answers = self._call()

    def answers(self):
        self.join(60)
        assert self._answers is not None
        return self._answers


def in_child(test):
    """Return the exit code of a fork of this process that runs `test`: 0 when it returns True."""
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run in the child, whatever happens.
        answer = 1
        with contextlib.suppress(BaseException):
            answer = 0 if test() is True else 1
        os._exit(answer)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def test_no_event_is_lost_when_the_broker_is_killed_in_mid_window(rabbit, rabbitmq_server, channel):
    events = [event(n) for n in range(1, 10_001)]
    age(rabbitmq_server, rabbit)
    before = rabbit.counts().confirmed
    publishing = Publishing(rabbit.publish_events, events, 60)
    wait_until(lambda: rabbit.counts().confirmed > before, 30, "the window turns")

    rabbitmq_server.kill()

    answers = publishing.answers()
    again = [e for e, answer in zip(events, answers, strict=True) if answer]
    in_doubt = answers.count("in doubt: the link was lost")
    assert 0 < in_doubt <= 1000
    assert len(again) == in_doubt + answers.count("never sent: the link was lost")
    assert rabbit.counts().confirmed - before == len(events) - len(again)
    assert rabbit.counts().unknown == in_doubt

    rabbitmq_server.start()
    wait_until(lambda: arrive(rabbit, again), 30, "all that is owed has arrived")

    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    found = drained_fast(connection.channel(), EVENTS)
    connection.close()
    assert {(p.message_id, body) for p, body in found} >= {(e.id, e.payload) for e in events}
    # Twice, and with the same id, came what was in doubt and no more; and what we began with.
    assert len(found) - len({p.message_id for p, _ in found}) <= in_doubt + 1


def test_a_memory_alarm_sheds_with_its_reason_and_late_confirms_change_nothing(
    rabbit, rabbitmq_server, channel
):
    rabbit.publish_events([event(0)], 10)
    rabbitmq_server.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        began_at = time.monotonic()
        answers = rabbit.publish_events([event(n) for n in range(1, 3001)], 3)
        assert time.monotonic() - began_at < 4
    finally:
        rabbitmq_server.ctl("set_vm_memory_high_watermark", "0.4")

    assert answers[:1000] == ["no confirm in time"] * 1000
    assert len(set(answers[1000:])) == 1
    assert "low on memory" in answers[-1]
    assert counted(rabbit) == {"confirmed": 1, "unknown": 1000, "shed": 2000}
    # The broker reads on and confirms the thousand, for which nobody waits any more.
    wait_until(lambda: arrive(rabbit, [event(3001)]), 20, "the alarm is over")
    counts = rabbit.counts()
    assert (counts.confirmed, counts.unknown) == (2, 1000)
    assert len(drained_fast(channel, EVENTS)) == 1002


def test_a_blocked_broker_costs_state_its_deadline_once_and_then_nothing(rabbit, rabbitmq_server):
    rabbit.publish([message(1)], 10)
    rabbitmq_server.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        with pytest.raises(BrokerAway, match="no confirm in time"):
            rabbit.publish([message(2)], 1)
        wait_until(lambda: not reachable(rabbit), 10, "the alarm is known")
        began_at = time.monotonic()
        with pytest.raises(BrokerAway, match="accepts nothing now: low on memory"):
            rabbit.publish([message(n) for n in range(3, 30)], 10)
        assert time.monotonic() - began_at < 1
    finally:
        rabbitmq_server.ctl("set_vm_memory_high_watermark", "0.4")
    wait_until(lambda: reachable(rabbit), 20, "the alarm is over")
    assert rabbit.publish([message(30)], 10) == [""]
    assert counted(rabbit) == {"confirmed": 2, "unknown": 1, "shed": 27}


def test_a_queue_of_events_that_answers_nothing_holds_back_neither_state_nor_itself_for_ever(
    rabbit, rabbitmq_server, channel
):
    rabbit.publish_events([event(0)], 10)
    rabbitmq_server.ctl("eval", f"sys:suspend('%2F_{EVENTS}').")
    try:
        answers = rabbit.publish_events([event(n) for n in range(1, 1501)], 1.5)
        assert answers[:1000] == ["no confirm in time"] * 1000
        assert answers[1000:] == ["never sent: no room within the deadline"] * 500

        assert rabbit.publish([message(n) for n in range(100)], 5) == [""] * 100
    finally:
        rabbitmq_server.ctl("eval", f"sys:resume('%2F_{EVENTS}').")

    owed = [event(n) for n in range(1, 1501)]
    wait_until(lambda: arrive(rabbit, owed), 20, "events are taken again")
    assert rabbit.lost_at() is None
    assert {p.message_id for p, _ in drained_fast(channel, EVENTS)} == {
        f"event-{n}" for n in range(1501)
    }  # fmt: skip


# From Python 3.12 on os.fork warns in a process that has threads; here that is the point.
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_publisher_that_was_open_refuses_to_serve_a_process_that_forked(rabbit, channel):
    assert rabbit.publish([message(1)], 10) == [""]

    def refused():
        calls = (
            lambda: rabbit.publish([message(2)], 10),
            lambda: rabbit.publish_events([event(2)], 10),
            lambda: rabbit.check(10),
        )
        for call in calls:
            with pytest.raises(PublisherForked):
                call()
        return rabbit.lost_at() is None and rabbit.warning() == ""

    assert in_child(refused) == 0
    assert rabbit.publish([message(3)], 10) == [""]
    assert [body for _, body in drained(channel)] == [message(n).payload for n in (1, 3)]


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_publisher_that_was_never_open_serves_the_process_that_forked(rabbit, channel):
    assert in_child(lambda: rabbit.publish([message(2)], 10) == [""]) == 0

    assert rabbit.publish([message(3)], 10) == [""]
    assert [body for _, body in drained(channel)] == [message(n).payload for n in (2, 3)]


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_publisher_that_was_closed_serves_the_process_that_forked(rabbit, channel):
    rabbit.publish([message(1)], 10)
    rabbit.close()

    assert in_child(lambda: rabbit.publish([message(2)], 10) == [""]) == 0


def test_a_queue_that_somebody_deletes_is_declared_again(rabbit, channel):
    rabbit.publish([message(1)], 10)
    channel.queue_delete(QUEUE)

    with pytest.raises(BrokerAway, match=r"returned: no queue takes state\.0"):
        rabbit.publish([message(2)], 10)

    wait_until(lambda: reachable(rabbit) and rabbit.lost_at(), 20, "the queue is back")
    assert counted(rabbit) == {"confirmed": 1, "returned": 1}
    assert rabbit.publish([message(3)], 10) == [""]
    assert [body for _, body in drained(channel)] == [message(3).payload]


def test_a_deleted_queue_is_noticed_though_another_takes_the_same_messages(
    rabbitmq_server, channel, rabbit
):
    rabbit.publish([message(1)], 10)
    channel.queue_declare("others")
    channel.queue_bind("others", "mt5.accounts", "#")

    channel.queue_delete(QUEUE)

    wait_until(rabbit.lost_at, 10, "the loss is noticed, and snapshots follow")
    assert rabbit.publish([message(2)], 10) == [""]
    assert [body for _, body in drained(channel)] == [message(2).payload]
    assert [body for _, body in drained(channel, "others")] == [message(2).payload]


def test_a_queue_that_a_consumer_declared_anew_is_bound_again(rabbit, channel):
    rabbit.publish([message(1)], 10)
    channel.queue_declare("others")
    channel.queue_bind("others", "mt5.accounts", "#")

    channel.queue_unbind(QUEUE, "mt5.accounts", "state.#")

    def arrives():
        rabbit.publish([message(2)], 10)
        return [body for _, body in drained(channel)][-1:] == [message(2).payload]

    drained(channel)
    wait_until(arrives, 10, "the queue is bound again")


def test_a_queue_with_other_arguments_is_used_as_it_is_and_told(rabbit, channel, caplog):
    channel.queue_declare(QUEUE, durable=True, arguments={"x-max-length": 5})

    assert rabbit.publish([message(1)], 10) == [""]
    assert rabbit.publish_events([event(1)], 10) == [""]

    assert rabbit.warning().startswith("the queue socket_data exists with other arguments: ")
    assert "x-m" in rabbit.warning()
    assert [body for _, body in drained(channel)] == [message(1).payload]
    said = [r for r in caplog.records if "other arguments" in r.getMessage()]
    assert len(said) == 1


def test_a_warning_ends_with_its_cause(rabbit, channel):
    channel.queue_declare(QUEUE, durable=True, arguments={"x-max-length": 5})
    rabbit.check(10)
    assert rabbit.warning()

    channel.queue_delete(QUEUE)

    wait_until(lambda: not rabbit.warning(), 10, "the queue is declared as it should be")


def test_a_queue_of_events_that_differs_stops_neither_state_nor_events(rabbit, channel):
    channel.queue_declare(EVENTS, durable=True)

    assert rabbit.publish([message(1)], 10) == [""]
    assert rabbit.publish_events([event(1)], 10) == [""]

    assert "the queue account_events exists with other arguments" in rabbit.warning()
    assert len(drained(channel, EVENTS)) == 1

"""Events on RabbitMQ: a quorum queue that refuses when full, and what becomes of the refused."""

from __future__ import annotations

import json
from functools import partial

import pytest

from accounts.core.errors import BrokerAway
from accounts.publish.deadletters import DeadLetter, collect
from accounts.publish.rabbit import Rabbit
from accounts.publish.topology import Topology
from tests.integration.accounts.letters import (
    EVENTS,
    QUEUE,
    arrive,
    counted,
    drained,
    event,
    message,
)
from tests.servers.process import free_port, wait_until

pytestmark = pytest.mark.integration

DEAD = f"{EVENTS}.dead"
SMALL = Topology(
    exchange="test.small", state_queue="test_small", event_queue="test_small_events", most_events=50
)


@pytest.fixture
def small(rabbitmq_server, channel):
    """A publisher whose queue of events holds fifty."""
    channel.queue_delete(SMALL.event_queue)
    rabbit = Rabbit(rabbitmq_server.url, topology=SMALL)
    yield rabbit
    rabbit.close()


def arrived(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def nobody(letters):
    pytest.fail(f"there are {len(letters)} dead letters")


def reject(channel, *, times=1):
    """Take the oldest event and refuse it, for good or so often that the broker gives up."""
    for _ in range(times):
        wait_until(lambda: arrived(channel, EVENTS), 10, "the event is back")
        method, _, _ = channel.basic_get(EVENTS)
        channel.basic_reject(method.delivery_tag, requeue=times > 1)
    wait_until(lambda: arrived(channel, DEAD), 10, "the event is dead")


def test_each_event_is_a_message_with_its_identity_and_in_order(rabbit, channel):
    assert rabbit.publish_events([event(n) for n in range(30)], 10) == [""] * 30

    found = drained(channel, EVENTS)
    assert [body for _, body in found] == [event(n).payload for n in range(30)]
    assert [properties.message_id for properties, _ in found] == [f"event-{n}" for n in range(30)]
    headers = found[7][0].headers or {}
    assert headers["kind"] == "position.opened"
    assert (headers["number"], headers["server"], headers["login"]) == (7, "S", "1")
    assert {properties.delivery_mode for properties, _ in found} == {2}
    assert drained(channel) == []


def test_the_queue_of_events_is_a_quorum_queue_that_refuses_when_full(rabbit, rabbitmq_server):
    rabbit.check(10)

    listed = json.loads(
        rabbitmq_server.ctl("list_queues", "name", "type", "arguments", "--formatter=json")
    )
    queues = {queue["name"]: queue for queue in listed}
    assert queues[EVENTS]["type"] == queues[DEAD]["type"] == "quorum"
    for argument in ("reject-publish", "delivery-limit", "at-least-once", DEAD, "1000000"):
        assert argument in str(queues[EVENTS]["arguments"])


def test_a_full_queue_refuses_and_what_was_refused_can_be_sent_again(small, channel):
    events = [event(n) for n in range(500)]

    answers = small.publish_events(events, 10)

    refused = [e for e, answer in zip(events, answers, strict=True) if answer]
    assert {answer for answer in answers if answer} == {"refused by RabbitMQ: a queue is full"}
    assert counted(small) == {"confirmed": 500 - len(refused), "nacked": len(refused)}
    held = drained(channel, SMALL.event_queue)
    for one in refused:
        # With the queue empty the broker soon takes some again.
        wait_until(partial(arrive, small, [one]), 10, "it is taken")
        held += drained(channel, SMALL.event_queue)
    assert sorted(properties.message_id for properties, _ in held) == sorted(e.id for e in events)


def test_a_full_queue_of_events_holds_back_no_state(small, channel):
    answers = small.publish_events([event(n) for n in range(500)], 10)
    assert any(answers)

    small.check(1)
    assert small.publish([message(1)], 10) == [""]


def test_a_blocked_broker_leaves_events_with_their_sender(rabbit, rabbitmq_server):
    rabbit.publish_events([event(1)], 10)
    rabbitmq_server.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        # The broker blocks whoever publishes next, and says so then.
        assert rabbit.publish_events([event(2)], 1) == ["no confirm in time"]
        with pytest.raises(BrokerAway, match="accepts nothing now: low on memory"):
            rabbit.publish_events([event(3)], 5)
    finally:
        rabbitmq_server.ctl("set_vm_memory_high_watermark", "0.4")
    wait_until(lambda: arrive(rabbit, [event(2)]), 20, "the alarm is over")
    assert rabbit.publish_events([event(3)], 10) == [""]
    counts = rabbit.counts()
    assert (counts.confirmed, counts.unknown) == (3, 1)
    assert counts.shed >= 1


def test_an_event_that_is_rejected_is_collected_and_can_be_sent_again(
    rabbit, channel, rabbitmq_server
):
    rabbit.publish_events([event(7), event(8)], 10)
    reject(channel)
    kept: list[DeadLetter] = []

    assert collect(rabbitmq_server.url, 10, kept.extend) == 1

    [letter] = kept
    assert (letter.message_id, letter.number, letter.kind) == ("event-7", 7, "position.opened")
    assert (letter.reason, letter.deaths, letter.payload) == ("rejected", 1, event(7).payload)
    assert letter.routing_key == "event.position.opened.0"
    assert collect(rabbitmq_server.url, 10, kept.extend) == 0
    rabbit.publish_events([event(7)], 10)
    assert [p.message_id for p, _ in drained(channel, EVENTS)] == ["event-8", "event-7"]


def test_an_event_that_is_given_back_too_often_dies(rabbit, channel, rabbitmq_server):
    rabbit.publish_events([event(1)], 10)
    reject(channel, times=21)
    kept: list[DeadLetter] = []

    collect(rabbitmq_server.url, 10, kept.extend)

    assert [letter.reason for letter in kept] == ["delivery_limit"]


def test_what_could_not_be_kept_stays_on_the_queue(rabbit, channel, rabbitmq_server):
    rabbit.publish_events([event(1)], 10)
    reject(channel)
    kept: list[DeadLetter] = []

    def fail(letters):
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="database is away"):
        collect(rabbitmq_server.url, 10, fail)
    assert collect(rabbitmq_server.url, 10, kept.extend) == 1
    assert kept[0].message_id == "event-1"


def test_a_collection_takes_no_more_than_it_is_told(rabbit, channel, rabbitmq_server):
    rabbit.publish_events([event(n) for n in range(3)], 10)
    for _ in range(3):
        reject(channel)
    wait_until(lambda: arrived(channel, DEAD) == 3, 10, "all three are dead")
    kept: list[DeadLetter] = []

    assert collect(rabbitmq_server.url, 2, kept.extend) == 2
    assert collect(rabbitmq_server.url, 2, kept.extend) == 1
    assert [letter.number for letter in kept] == [0, 1, 2]


def test_before_anything_was_published_nothing_is_dead(channel, rabbitmq_server):
    assert collect(rabbitmq_server.url, 10, nobody) == 0


def test_a_broker_that_is_not_there_is_our_error_without_its_password():
    with pytest.raises(BrokerAway) as caught:
        collect(f"amqp://guest:wordpass@127.0.0.1:{free_port()}/", 10, nobody)
    assert "wordpass" not in str(caught.value)


def test_events_do_not_wait_behind_a_queue_of_state_that_is_gone(rabbit, channel):
    rabbit.check(10)
    channel.queue_delete(QUEUE)

    assert rabbit.publish_events([event(1)], 10) == [""]

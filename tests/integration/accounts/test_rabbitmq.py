from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pika
import pytest
from pika.exceptions import AMQPError

from accounts import services
from accounts.core.errors import BrokerAway, PublishError, QueueDiffers
from accounts.core.messages import Message, snapshot
from accounts.core.schedule import Intervals
from accounts.core.simulate import state_at
from accounts.models import Account
from accounts.publish.rabbit import ARGUMENTS, QUEUE, Rabbit
from tests.servers.process import free_port, wait_until
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.consumer import Consumer

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def channel(rabbitmq_server):
    """A consumer's channel, with the queue gone."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    channel = connection.channel()
    channel.queue_delete(QUEUE)
    yield channel
    with contextlib.suppress(AMQPError):
        connection.close()


@pytest.fixture
def rabbit(rabbitmq_server, channel):
    rabbit = Rabbit(rabbitmq_server.url)
    yield rabbit
    rabbit.close()


def message(seq, size=200, kind="update"):
    payload = json.dumps({"type": kind, "seq": seq, "pad": ""}).encode()
    padded = payload[:-2] + b"x" * (size - len(payload)) + payload[-2:]
    return Message(
        id=f"a:1:{seq}", key=1, server="S", login="1", kind=kind, seq=seq, payload=padded
    )


def drained(channel):
    """Return (properties, body) of everything in the queue."""
    found: list[tuple[pika.BasicProperties, bytes]] = []
    while True:
        method, properties, body = channel.basic_get(QUEUE, auto_ack=True)
        if method is None:
            return found
        found.append((properties, body))


def reachable(broker):
    try:
        broker.check(1)
    except PublishError:
        return False
    return True


def test_the_queue_is_declared_with_the_arguments_of_the_contract(rabbit, rabbitmq_server):
    assert rabbit.publish([message(1)], 10) == [""]

    listed = rabbitmq_server.ctl("list_queues", "name", "durable", "arguments", "--formatter=json")
    queue = next(q for q in json.loads(listed) if q["name"] == QUEUE)
    assert queue["durable"] is True
    assert "60000" in str(queue["arguments"])
    assert "10000" in str(queue["arguments"])


def test_a_consumer_that_declares_the_queue_of_the_contract_is_welcome(rabbit, channel):
    channel.queue_declare(QUEUE, durable=True, arguments=dict(ARGUMENTS))

    assert rabbit.publish([message(1)], 10) == [""]
    assert len(drained(channel)) == 1


def test_after_a_bug_in_the_thread_the_link_begins_anew_and_what_was_sent_is_in_doubt(rabbit):
    rabbit.publish([message(1)], 10)

    rabbit._loop._ioloop.add_callback_threadsafe(lambda: 1 / 0)

    wait_until(rabbit.lost_at, 10, "the link was given up")
    wait_until(lambda: reachable(rabbit), 20, "the link is back")
    assert rabbit.publish([message(2)], 10) == [""]


def test_messages_are_persistent_json_with_a_time_and_an_identity(rabbit, channel):
    rabbit.publish([message(1)], 10)

    [(properties, _)] = drained(channel)
    assert properties.content_type == "application/json"
    assert properties.delivery_mode == 2
    assert properties.message_id == "a:1:1"
    assert abs(properties.timestamp - time.time()) < 60


def test_messages_travel_in_batches_and_a_large_one_alone(rabbit, channel):
    messages = [*(message(n) for n in range(12)), message(12, 3000), message(13)]

    assert rabbit.publish(messages, 10) == [""] * 14

    bodies = [body for _, body in drained(channel)]
    assert [body.count(b"\n") + 1 for body in bodies] == [10, 2, 1, 1]
    assert b"\n".join(bodies) == b"\n".join(m.payload for m in messages)


def test_every_publish_is_logged_with_its_type_and_account_and_never_a_password(
    rabbit, rabbitmq_server, caplog
):
    with caplog.at_level(logging.DEBUG, logger="accounts.publish"):
        rabbit.publish([message(1, kind="orders")], 10)

    lines = [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "accounts.publish"]
    assert lines == [
        ("INFO", "S/1: orders published to rabbitmq"),
        ("DEBUG", "S/1: orders seq 1 has 200 bytes"),
    ]
    assert "guest:guest" not in caplog.text


def test_a_queue_with_other_arguments_is_said_in_words_and_left_alone(rabbit, channel, caplog):
    channel.queue_declare(QUEUE, durable=True, arguments={"x-max-length": 5})

    with pytest.raises(QueueDiffers, match="queue socket_data exists with other arguments"):
        rabbit.check(10)
    with pytest.raises(QueueDiffers):
        rabbit.publish([message(1)], 10)

    said = [r for r in caplog.records if "other arguments" in r.getMessage()]
    assert len(said) == 1
    assert "inequivalent arg" in said[0].getMessage()
    assert drained(channel) == []


def test_a_queue_that_somebody_deletes_is_declared_again(rabbit, channel):
    rabbit.publish([message(1)], 10)
    channel.queue_delete(QUEUE)

    with pytest.raises(BrokerAway, match="does not exist"):
        rabbit.publish([message(2)], 10)

    wait_until(lambda: reachable(rabbit), 20, "the queue is back")
    assert rabbit.lost_at() is not None
    assert rabbit.publish([message(3)], 10) == [""]
    assert [body for _, body in drained(channel)] == [message(3).payload]


def test_a_broker_that_is_not_there_costs_no_more_than_a_moment():
    rabbit = Rabbit(f"amqp://guest:wordpass@127.0.0.1:{free_port()}/")
    began_at = time.monotonic()

    with pytest.raises(BrokerAway, match="refused") as caught:
        rabbit.check(5)
    with pytest.raises(BrokerAway):
        rabbit.publish([message(1)], 5)

    assert time.monotonic() - began_at < 4
    assert "wordpass" not in str(caught.value)
    rabbit.close()


def test_wrong_credentials_are_said_in_words(rabbitmq_server):
    url = rabbitmq_server.url.replace("guest:guest", "guest:wordpass")
    rabbit = Rabbit(url)

    with pytest.raises(BrokerAway, match=r"(?i)refused|access|auth") as caught:
        rabbit.check(10)
    assert "wordpass" not in str(caught.value)
    rabbit.close()


def test_a_broker_that_never_confirms_costs_the_deadline_and_no_more(rabbit, rabbitmq_server):
    rabbit.publish([message(1)], 10)
    rabbitmq_server.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        began_at = time.monotonic()
        with pytest.raises(BrokerAway, match=r"no confirm in time|accepts nothing now"):
            rabbit.publish([message(2)], 1.5)
        assert time.monotonic() - began_at < 3
        wait_until(lambda: not reachable(rabbit), 10, "the alarm is known")
    finally:
        rabbitmq_server.ctl("set_vm_memory_high_watermark", "0.4")
    wait_until(lambda: reachable(rabbit), 20, "the alarm is over")
    assert rabbit.publish([message(3)], 10) == [""]


# From Python 3.12 on os.fork warns in a process that has threads; here that is the point.
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_process_that_forked_makes_its_own_connection(rabbit, channel):
    assert rabbit.publish([message(1)], 10) == [""]

    child = os.fork()
    if child == 0:
        # Nothing of pytest may run in the child, whatever happens.
        answer = 1
        with contextlib.suppress(BaseException):
            answer = 0 if rabbit.publish([message(2)], 10) == [""] else 1
        os._exit(answer)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert rabbit.publish([message(3)], 10) == [""]
    assert [body for _, body in drained(channel)] == [message(n).payload for n in (1, 2, 3)]


def run(second, *brokers, **options):
    return services.publish_shard(
        shard=0, now=NOW + timedelta(seconds=second), brokers=brokers, **options
    )


def sources(second):
    return {
        (a.server, str(a.login)): snapshot(
            state_at(str(a.login), a.server, NOW + timedelta(seconds=second), leverage=a.leverage)
        )
        for a in Account.objects.all()
    }


def consume(consumer, channel):
    for _, body in drained(channel):
        consumer.feed(body)


@pytest.mark.django_db
def test_a_consumer_rebuilds_the_exact_state_of_every_account(rabbit, channel):
    services.declare_demo_accounts(count=25)
    for second in range(45):
        run(second, rabbit)
    run(60, rabbit, intervals=Intervals(account_s=3600))

    consumer = Consumer()
    consume(consumer, channel)

    assert consumer.held == sources(60)
    assert consumer.gaps == []
    assert {m["type"] for m in consumer.messages} == {"account", "update", "positions", "orders"}
    assert all(isinstance(m["login"], str) for m in consumer.messages)
    assert all(isinstance(held["balance"], Decimal) for held in consumer.held.values())


@pytest.mark.django_db
def test_after_a_killed_broker_every_account_is_sent_in_full(rabbit, rabbitmq_server, channel):
    services.declare_demo_accounts(count=12)
    nats = MemoryBroker("nats")
    for second in range(5):
        run(second, nats, rabbit)
    consumer = Consumer()
    consume(consumer, channel)

    rabbitmq_server.kill()
    wait_until(lambda: not reachable(rabbit), 10, "the loss is known")
    for second in range(5, 15):
        report = run(second, nats, rabbit)
        assert report.accounts == 12
    assert Account.objects.filter(last_error__startswith="rabbitmq: ").count() == 12
    assert nats.consumer.gaps == []

    rabbitmq_server.start()
    wait_until(lambda: reachable(rabbit), 30, "the link is back")
    assert run(15, nats, rabbit).messages["account"] == 12
    run(26, nats, rabbit, intervals=Intervals(account_s=3600))

    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    consume(consumer, connection.channel())
    connection.close()
    assert consumer.held == nats.consumer.held == sources(26)
    assert consumer.gaps == nats.consumer.gaps == []
    assert set(Account.objects.values_list("last_error", flat=True)) == {""}


@pytest.mark.django_db
def test_a_queue_with_other_arguments_is_shown_with_every_account(rabbit, channel):
    channel.queue_declare(QUEUE, durable=False)
    services.declare_demo_accounts(count=2)
    nats = MemoryBroker("nats")

    report = run(0, nats, rabbit)

    assert report.messages == {"account": 2}
    for error in Account.objects.values_list("last_error", flat=True):
        assert error.startswith("rabbitmq: the queue socket_data exists with other arguments")

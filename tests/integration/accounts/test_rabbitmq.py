from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pika
import pytest

from accounts import services
from accounts.core.errors import BrokerAway
from accounts.core.messages import snapshot
from accounts.core.simulate import state_at
from accounts.models import Account
from accounts.publish.rabbit import Rabbit
from accounts.publish.topology import STATE_ARGUMENTS
from tests.integration.accounts.letters import QUEUE, age, drained, message, reachable
from tests.servers.process import free_port, wait_until
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.consumer import Consumer

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
POLICY = Path(__file__).resolve().parents[3] / "docker" / "rabbitmq.policy.json"


def test_the_queue_is_declared_with_the_arguments_of_the_contract(rabbit, channel, rabbitmq_server):
    assert rabbit.publish([message(1)], 10) == [""]

    listed = rabbitmq_server.ctl("list_queues", "name", "durable", "arguments", "--formatter=json")
    queue = next(q for q in json.loads(listed) if q["name"] == QUEUE)
    assert queue["durable"] is True
    assert "60000" in str(queue["arguments"])
    assert "10000" in str(queue["arguments"])
    # The broker compares them to the letter.
    channel.queue_declare(
        QUEUE, durable=True, arguments={"x-message-ttl": 60_000, "x-max-length": 10_000}
    )


def test_a_consumer_that_declares_the_queue_of_the_contract_is_welcome(rabbit, channel):
    channel.queue_declare(QUEUE, durable=True, arguments=dict(STATE_ARGUMENTS))

    assert rabbit.publish([message(1)], 10) == [""]
    assert len(drained(channel)) == 1


def test_others_may_bind_a_queue_of_their_own(rabbit, channel):
    rabbit.publish([message(0)], 10)
    channel.queue_declare("others")
    channel.queue_bind("others", "mt5.accounts", "state.3")

    rabbit.publish([message(1, shard=2), message(2, shard=3)], 10)

    assert [body for _, body in drained(channel, "others")] == [message(2).payload]
    assert len(drained(channel)) == 3


def test_the_policy_limits_the_queue_by_bytes_beside_its_arguments(
    rabbit, channel, rabbitmq_server
):
    policy = json.loads(POLICY.read_text())["policies"][0]
    limit, size = policy["definition"]["max-length-bytes"], 9000
    sent = limit // size + 500
    assert sent < STATE_ARGUMENTS["x-max-length"]
    rabbitmq_server.ctl(
        "set_policy", "--apply-to", policy["apply-to"], policy["name"], policy["pattern"],
        json.dumps(policy["definition"]),
    )  # fmt: skip
    try:
        assert rabbit.publish([message(n, size) for n in range(sent)], 60) == [""] * sent
        held = channel.queue_declare(QUEUE, passive=True).method.message_count
    finally:
        rabbitmq_server.ctl("clear_policy", policy["name"])

    assert limit * 0.9 <= held * size <= limit
    channel.queue_declare(QUEUE, durable=True, arguments=dict(STATE_ARGUMENTS))


def test_after_a_bug_in_the_thread_the_link_begins_anew_and_what_was_sent_is_in_doubt(rabbit):
    rabbit.publish([message(1)], 10)

    rabbit._links.state._ioloop.add_callback_threadsafe(lambda: 1 / 0)

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


def test_a_message_larger_than_a_frame_arrives_whole_among_others(rabbit, channel):
    messages = [message(1), message(2, 300_000), message(3)]

    assert rabbit.publish(messages, 10) == [""] * 3

    assert [body for _, body in drained(channel)] == [m.payload for m in messages]


def test_a_batch_holds_messages_of_one_shard(rabbit, channel):
    rabbit.publish([message(n, shard=n // 3) for n in range(6)], 10)

    bodies = [body for _, body in drained(channel)]
    assert [body.count(b"\n") + 1 for body in bodies] == [3, 3]


def test_messages_that_must_not_have_company_travel_alone(rabbitmq_server, channel):
    rabbit = Rabbit(rabbitmq_server.url, company=1)
    rabbit.publish([message(n) for n in range(3)], 10)
    rabbit.close()

    assert [body for _, body in drained(channel)] == [message(n).payload for n in range(3)]


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


def consume_anew(consumer, server):
    connection = pika.BlockingConnection(pika.URLParameters(server.url))
    consume(consumer, connection.channel())
    connection.close()


def consume(consumer, channel):
    for _, body in drained(channel):
        consumer.feed(body)


@pytest.mark.django_db
def test_a_consumer_rebuilds_the_exact_state_of_every_account(rabbit, channel):
    services.declare_demo_accounts(count=25)
    for second in range(45):
        run(second, rabbit)
    services.request_snapshots(accounts=Account.objects.all())
    run(60, rabbit)

    consumer = Consumer()
    consume(consumer, channel)

    assert consumer.held == sources(60)
    assert consumer.gaps == []
    assert {m["type"] for m in consumer.messages} == {"account", "update", "positions", "orders"}
    assert all(isinstance(m["login"], str) for m in consumer.messages)
    assert all(isinstance(held["balance"], Decimal) for held in consumer.held.values())


@pytest.mark.django_db
def test_after_a_killed_broker_every_account_is_sent_in_full(rabbit, rabbitmq_server, channel):
    age(rabbitmq_server, rabbit)
    services.declare_demo_accounts(count=12)
    nats = MemoryBroker("nats")
    for second in range(5):
        run(second, nats, rabbit)
    consumer = Consumer()
    consume_anew(consumer, rabbitmq_server)

    rabbitmq_server.kill()
    wait_until(lambda: not reachable(rabbit), 10, "the loss is known")
    for second in range(5, 15):
        report = run(second, nats, rabbit)
        assert report.accounts == 12
    assert Account.objects.filter(last_error__startswith="rabbitmq: ").count() == 12
    assert nats.consumer.gaps == []

    rabbitmq_server.start()
    wait_until(lambda: reachable(rabbit), 30, "the link is back")
    # Spread over ten seconds.
    sent = [run(second, nats, rabbit).messages.get("account", 0) for second in range(15, 27)]
    assert sum(sent) >= 12
    services.request_snapshots(accounts=Account.objects.all())
    run(60, nats, rabbit)

    consume_anew(consumer, rabbitmq_server)
    assert consumer.held == nats.consumer.held == sources(60)
    assert consumer.gaps == nats.consumer.gaps == []
    assert set(Account.objects.values_list("last_error", flat=True)) == {""}

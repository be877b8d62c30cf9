from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.models import Account, AccountEvent
from accounts.services import relay
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return Account.objects.create(server="S", login=7, provider="push")


def happened(account, *numbers, **sent):
    relay.add(
        AccountEvent(
            account=account,
            number=number,
            message_id=uuid.uuid4(),
            kind="alert",
            payload="{}",
            **sent,
        )
        for number in numbers
    )


def relayed(*brokers):
    return relay.relay(Account.objects.all(), brokers, away={}, now=NOW)


def test_the_backlog_of_one_broker_delays_no_event_to_the_other(account, monkeypatch):
    monkeypatch.setattr(relay, "AT_ONCE", 3)
    nats, rabbitmq = MemoryBroker("nats"), MemoryBroker("rabbitmq")
    rabbitmq.refused = {str(account): "refused by RabbitMQ: a queue is full"}
    for number in range(1, 10):
        happened(account, number)
        relayed(nats, rabbitmq)

    assert [event.number for event in nats.events] == list(range(1, 10))

    rabbitmq.refused = {}
    for _ in range(3):
        relayed(nats, rabbitmq)
    assert [event.number for event in rabbitmq.events] == list(range(1, 10))
    assert len(nats.events) == 9


def test_without_rabbitmq_looking_for_events_does_not_grow_with_those_that_were_sent(account):
    happened(account, *range(1, 50), nats_at=NOW)
    nats = MemoryBroker()

    with CaptureQueriesContext(connection) as asked:
        services.tick()
        relay.owing(Account.objects.all(), [nats])
        relayed(nats)

    looked = [query["sql"] for query in asked if "accounts_accountevent" in query["sql"]]
    assert len(looked) == 3
    with connection.cursor() as cursor:
        for sql in looked:
            plan = str(cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall())
            assert "accounts_event_owed_nats" in plan

"""What every broker must do alike: the one in memory, which other tests use, and the real ones."""

from __future__ import annotations

import pytest

from accounts.core.errors import BrokerAway
from accounts.core.events import Event
from accounts.core.messages import Message
from accounts.publish.bus import Bus
from accounts.publish.outlet import Counts
from accounts.publish.rabbit import Rabbit
from accounts.publish.topology import Topology
from streams.broker.link import Link
from tests.servers.process import free_port
from tests.unit.accounts.brokers import MemoryBroker

pytestmark = pytest.mark.integration


def message(seq):
    payload = (
        b'{"type":"account","login":"1","server":"S","accountId":"a","epoch":1,"seq":%d,"v":1}'
    )
    return Message(
        id=f"a:1:{seq}", key=1, server="S", login="1", kind="account", seq=seq,
        payload=payload % seq,
    )  # fmt: skip


def event(number):
    return Event(
        id=f"event-{number}", key=1, server="S", login="1", kind="position.opened", number=number,
        payload=b'{"number":%d}' % number,
    )  # fmt: skip


@pytest.fixture(params=["memory", "nats", "rabbitmq"])
def outlet(request):
    if request.param == "memory":
        yield MemoryBroker()
    elif request.param == "nats":
        link = Link(request.getfixturevalue("nats_server").url, name="test outlets")
        yield Bus(link)
        link.close()
    else:
        server = request.getfixturevalue("rabbitmq_server")
        names = Topology(exchange="test", state_queue="test_outlets", event_queue="test_events")
        rabbit = Rabbit(server.url, topology=names)
        yield rabbit
        rabbit.close()


@pytest.fixture(params=["memory", "nats", "rabbitmq"])
def unreachable(request):
    if request.param == "memory":
        broker = MemoryBroker()
        broker.away = "cannot be reached"
        yield broker
    elif request.param == "nats":
        link = Link(f"nats://127.0.0.1:{free_port()}", name="test outlets")
        yield Bus(link)
        link.close()
    else:
        rabbit = Rabbit(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
        yield rabbit
        rabbit.close()


def test_an_outlet_answers_each_message_in_order(outlet):
    outlet.check(10)

    assert outlet.publish([message(seq) for seq in range(25)], 10) == [""] * 25
    assert outlet.publish([], 10) == []
    assert outlet.lost_at() is None
    assert outlet.warning() == ""


def test_an_outlet_answers_each_event_in_order(outlet):
    outlet.check(10)

    assert outlet.publish_events([event(number) for number in range(25)], 10) == [""] * 25
    assert outlet.publish_events([], 10) == []


def test_an_outlet_counts_messages_and_events(outlet):
    outlet.check(10)
    assert outlet.counts() == Counts()

    outlet.publish([message(seq) for seq in range(25)], 10)
    outlet.publish_events([event(1)], 10)

    assert outlet.counts() == Counts(confirmed=26)


def test_an_outlet_that_is_away_says_so_for_the_check_and_for_the_publish(unreachable):
    with pytest.raises(BrokerAway, match=r"."):
        unreachable.check(1)
    with pytest.raises(BrokerAway, match=r"."):
        unreachable.publish([message(1)], 1)
    with pytest.raises(BrokerAway, match=r"."):
        unreachable.publish_events([event(1)], 1)
    assert unreachable.counts().confirmed == 0
    assert unreachable.counts().shed + unreachable.counts().unknown == 2

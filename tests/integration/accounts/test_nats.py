from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import nats as client
import pytest

from accounts import services
from accounts.core.errors import BrokerAway, PublishError
from accounts.core.events import Event
from accounts.core.messages import Message, snapshot
from accounts.core.simulate import state_at
from accounts.models import Account, AccountEvent
from accounts.publish.bus import Bus
from streams.broker.link import Link
from tests.servers.process import free_port, wait_until
from tests.unit.accounts.consumer import Consumer

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Subscriber:
    """Everything under `account.`, received on a thread of its own: (subject, payload)."""

    def __init__(self, url):
        self.received = []
        self.ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(url)))
        self._thread.start()
        assert self.ready.wait(10)

    async def _run(self, url):
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        link = await client.connect(url)

        async def take(message):
            self.received.append((message.subject, message.data))

        await link.subscribe("account.>", cb=take)
        await link.flush()
        self.ready.set()
        await self._ended.wait()
        await link.close()

    def wait_for(self, count):
        wait_until(lambda: len(self.received) >= count, 10, f"{count} messages arrive")
        return self.received

    def close(self):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)


@contextlib.contextmanager
def opened(server):
    link = Link(server.url, name="test accounts")
    subscriber = Subscriber(server.url)
    try:
        yield Bus(link), subscriber
    finally:
        subscriber.close()
        link.close()


def message(seq, server="S"):
    return Message(
        id=f"a:1:{seq}", key=1, server=server, login="1", kind="update", seq=seq,
        payload=b"%d" % seq,
    )  # fmt: skip


def run(second, bus, **options):
    return services.publish_shard(
        shard=0, now=NOW + timedelta(seconds=second), brokers=[bus], **options
    )


def test_each_message_is_one_of_nats_under_its_accounts_subject(nats_server):
    with opened(nats_server) as (bus, subscriber):
        assert bus.publish([message(1), message(2, "Broker.Live 2")], 5) == ["", ""]

        assert subscriber.wait_for(2) == [
            ("account.S.1.update", b"1"),
            ("account.Broker%2ELive%202.1.update", b"2"),
        ]


def test_an_event_goes_where_it_says_or_to_its_accounts_subject(nats_server):
    plain = Event(
        id="e-1", key=1, server="S", login="1", kind="position.opened", number=1, payload=b"1"
    )
    alert = msgspec.structs.replace(plain, subject="account.S.1.elsewhere", payload=b"2")
    with opened(nats_server) as (bus, subscriber):
        assert bus.publish_events([plain, alert], 5) == ["", ""]

        assert subscriber.wait_for(2) == [
            ("account.S.1.event", b"1"),
            ("account.S.1.elsewhere", b"2"),
        ]


def test_a_message_that_the_server_does_not_take_stops_no_other(nats_server):
    large = msgspec.structs.replace(message(2), payload=bytes(1024 * 1024 + 1))
    with opened(nats_server) as (bus, subscriber):
        bus.check(5)

        answers = bus.publish([message(1), large, message(3)], 5)

        assert [bool(answer) for answer in answers] == [False, True, False]
        assert [payload for _, payload in subscriber.wait_for(2)] == [b"1", b"3"]


@pytest.mark.django_db(transaction=True)
def test_a_subscriber_rebuilds_the_exact_state_of_every_account(nats_server):
    services.declare_demo_accounts(count=10)
    with opened(nats_server) as (bus, subscriber):
        sent = sum(sum(run(second, bus).messages.values()) for second in range(30))
        services.request_snapshots(accounts=Account.objects.all())
        sent += sum(run(45, bus).messages.values())
        received = [
            payload
            for subject, payload in subscriber.wait_for(sent + AccountEvent.objects.count())
            if not subject.endswith(".event")
        ]

    consumer = Consumer()
    for payload in received:
        consumer.feed(payload)
    at = NOW + timedelta(seconds=45)
    assert consumer.gaps == []
    assert consumer.held == {
        (a.server, str(a.login)): snapshot(
            state_at(str(a.login), a.server, at, leverage=a.leverage)
        )
        for a in Account.objects.all()
    }


def test_a_server_that_is_not_there_is_our_error():
    bus = Bus(Link(f"nats://127.0.0.1:{free_port()}", name="test accounts"))

    with pytest.raises(BrokerAway, match="NATS"):
        bus.check(1)
    # Told again without asking again: the tick is not held up a second time.
    with pytest.raises(BrokerAway, match="NATS"):
        bus.check(1)


@pytest.mark.django_db(transaction=True)
def test_after_a_killed_server_accounts_flow_again(own_nats):
    services.declare_demo_accounts(count=3)
    with opened(own_nats) as (bus, _):
        assert run(0, bus).messages == {"account": 3}
        own_nats.kill()
        wait_until(lambda: not _reachable(bus), 10, "the loss is known")
        assert run(1, bus).messages == {}

        own_nats.start()
        wait_until(lambda: _reachable(bus), 15, "the link is back")
        sent = [run(second, bus).messages.get("account", 0) for second in range(20, 31)]
        assert sum(sent) >= 3


def _reachable(bus):
    try:
        bus.check(1)
    except PublishError:
        return False
    return True

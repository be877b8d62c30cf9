"""What reaches consumers of both queues when things go wrong: from the push to the broker."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pika
import pytest
from msgspec.structs import replace

from accounts import services
from accounts.core import mt5
from accounts.core.messages import snapshot
from accounts.core.state import restored
from accounts.models import (
    Account,
    AccountEvent,
    AccountGroup,
    AuditEntry,
    DeadLetter,
    OutletStatus,
)
from accounts.services import deadletters, tokens
from accounts.services.ingest import Delivery, ingest
from tests.integration.accounts.letters import EVENTS, drained, reachable
from tests.servers.process import wait_until
from tests.unit.accounts.consumer import Consumer
from tests.unit.accounts.examples import NOW, ORDER, POSITION, state
from tests.unit.accounts.pushes import body, encoded

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PLAIN = replace(POSITION, commission=None, stop_loss=None, take_profit=None)


class Terminals:
    """Accounts of one group, and what their terminals push; published to the broker at once."""

    def __init__(self, rabbit, channel, count=1, servers=("S",)):
        self.group = AccountGroup.objects.create(name="agents")
        self.secret = tokens.create(group=self.group, name="agent", actor="test")[1]
        self.accounts = [
            Account.objects.create(
                server=server, login=7 + number, provider="push", lifecycle="DEPLOYED",
                group=self.group,
            )
            for number in range(count)
            for server in servers
        ]  # fmt: skip
        self.rabbit = rabbit
        self.channel = channel
        self.second = 0.0
        self.consumer = Consumer()
        self.events = []

    def push(self, now_state, account=None, **options):
        account = account or self.accounts[0]
        said = mt5.push(encoded(body(account.server, account.login, now_state, **options)))
        [answer] = ingest(deliveries=[Delivery(self.secret, account.uuid, said)], now=self.now)
        assert answer.refused is None, answer.reason

    @property
    def now(self):
        return NOW + timedelta(seconds=self.second)

    def tick(self, seconds=1.0):
        self.second += seconds
        return services.publish_shard(shard=0, now=self.now, brokers=[self.rabbit])

    def consume(self, channel=None):
        channel = channel or self.channel
        for _, payload in drained(channel):
            self.consumer.feed(payload)
        self.events += [
            (properties.message_id, json.loads(payload))
            for properties, payload in drained(channel, EVENTS)
        ]

    def held(self, account=None):
        account = account or self.accounts[0]
        return self.consumer.held[account.server, str(account.login)]

    def kinds(self):
        # What came twice came under one id.
        by_id = {message_id: told["kind"] for message_id, told in self.events}
        return [kind for kind in by_id.values() if kind != "connection"]


def true_state(account):
    return snapshot(restored(Account.objects.get(pk=account.pk).state))


def assert_complete(events):
    """Every event of every account arrived, under its own id each time it was sent."""
    numbers = defaultdict(set)
    payloads: dict[str, dict[str, Any]] = {}
    for message_id, told in events:
        numbers[told["accountId"]].add(told["number"])
        assert payloads.setdefault(message_id, told) == told
    for account in Account.objects.all():
        assert numbers[str(account.uuid)] == set(range(1, account.event_number + 1))
    assert {(told["accountId"], told["number"]) for told in payloads.values()} == {
        (account, number) for account, found in numbers.items() for number in found
    }
    assert set(payloads) == {
        str(sent_as) for sent_as in AccountEvent.objects.values_list("message_id", flat=True)
    }


def test_no_event_is_lost_and_every_state_is_true_after_the_broker_was_killed(
    rabbit, rabbitmq_server, channel
):
    terminals = Terminals(rabbit, channel, count=40)
    killer = threading.Timer(0.0, rabbitmq_server.kill)
    for turn in range(60):
        for account in terminals.accounts:
            ticket = PLAIN.ticket + turn
            terminals.push(
                state(
                    equity=str(10_000 + turn),
                    positions=(replace(PLAIN, ticket=ticket, identifier=ticket),),
                ),
                account,
            )
        if turn == 30:
            # In the middle of a window: the visit publishes while the broker dies.
            killer.start()
        terminals.tick()
    killer.join()
    assert AccountEvent.objects.filter(rabbitmq_at__isnull=True).count() > 100

    rabbitmq_server.start()
    wait_until(lambda: reachable(rabbit), 30, "the link is back")
    for _ in range(12):
        terminals.tick()

    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    terminals.consume(connection.channel())
    connection.close()
    assert AccountEvent.objects.filter(rabbitmq_at__isnull=True).count() == 0
    assert_complete(terminals.events)
    for account in terminals.accounts:
        assert terminals.held(account) == true_state(account)
    assert terminals.consumer.gaps == []


def test_a_memory_alarm_keeps_events_and_ends_with_snapshots(rabbit, rabbitmq_server, channel):
    terminals = Terminals(rabbit, channel, count=3)
    for account in terminals.accounts:
        terminals.push(state(), account)
    terminals.tick()
    terminals.consume()

    rabbitmq_server.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        wait_until(lambda: "memory" in alarms(rabbitmq_server), 20, "the alarm is raised")
        for account in terminals.accounts:
            terminals.push(state(positions=(PLAIN,)), account)
        for _ in range(4):
            terminals.tick()
        assert Account.objects.filter(rabbitmq_snapshot_required=True).count() == 3
        assert AccountEvent.objects.filter(rabbitmq_at__isnull=True).count() == 3
        assert OutletStatus.objects.get(name="rabbitmq").state == "away"
    finally:
        rabbitmq_server.ctl("set_vm_memory_high_watermark", "0.4")
    wait_until(lambda: reachable(rabbit), 30, "the broker takes messages again")
    for _ in range(12):
        terminals.tick()

    terminals.consume()
    assert_complete(terminals.events)
    assert terminals.kinds() == ["position.opened"] * 3
    for account in terminals.accounts:
        assert terminals.held(account) == true_state(account)
    assert OutletStatus.objects.get(name="rabbitmq").state == "ready"


def test_a_full_queue_of_events_keeps_them_with_us(rabbit, rabbitmq_server, channel):
    terminals = Terminals(rabbit, channel)
    terminals.push(state())
    terminals.tick()
    policy = json.dumps({"max-length": 3, "overflow": "reject-publish"})
    rabbitmq_server.ctl("set_policy", "full", f"^{EVENTS}$", policy, "--apply-to", "queues")
    try:
        for number in range(20):
            positions = (replace(PLAIN, ticket=1 + number, identifier=1 + number),)
            terminals.push(state(positions=positions))
            terminals.tick()
        owed = AccountEvent.objects.filter(rabbitmq_at__isnull=True)
        assert 20 < owed.count() < AccountEvent.objects.count()
        assert set(owed.values_list("last_error", flat=True)) - {""}
        # The state goes on meanwhile.
        terminals.consume()
        assert terminals.held() == true_state(terminals.accounts[0])
    finally:
        rabbitmq_server.ctl("clear_policy", "full")
    for _ in range(3):
        terminals.tick(5)

    terminals.consume()
    assert_complete(terminals.events)


def test_sixty_positions_travel_alone_and_arrive_exactly(rabbit, channel):
    terminals = Terminals(rabbit, channel)
    positions = tuple(
        replace(
            PLAIN,
            ticket=1000 + number,
            identifier=1000 + number,
            volume=Decimal("0.01") * (1 + number),
            profit=Decimal(number) - 30,
        )
        for number in range(60)
    )
    terminals.push(state(positions=positions, orders=(ORDER,)))
    terminals.tick()

    sizes = [len(payload) for _, payload in drained_and_fed(terminals)]
    assert len(sizes) == 1
    assert sizes[0] > 10 * 1024
    assert len(terminals.held()["positions"]) == 60
    assert terminals.held() == true_state(terminals.accounts[0])


def test_a_partial_close_changes_the_volume_of_the_same_position(rabbit, channel):
    terminals = Terminals(rabbit, channel)
    terminals.push(state(positions=(PLAIN,)))
    terminals.tick()
    terminals.push(state(positions=(replace(PLAIN, volume=Decimal("0.06")),)))
    terminals.tick(0.1)

    terminals.consume()
    assert terminals.kinds() == ["position.volume_changed"]
    told = terminals.events[-1][1]
    assert (told["before"]["volume"], told["position"]["volume"]) == (0.1, 0.06)
    assert [m["type"] for m in terminals.consumer.messages] == ["account", "positions"]
    assert terminals.held() == true_state(terminals.accounts[0])


def test_a_netting_reversal_closes_one_side_and_opens_the_other(rabbit, channel):
    terminals = Terminals(rabbit, channel)
    long = replace(PLAIN, ticket=500, identifier=500)
    terminals.push(state(positions=(long,)))
    terminals.tick()
    short = replace(long, ticket=501, side="SELL", volume=Decimal("0.3"))
    terminals.push(state(positions=(short,)))
    terminals.tick(0.1)

    terminals.consume()
    assert terminals.kinds() == ["position.closed", "position.opened"]
    assert {told["reason"] for _, told in terminals.events if "reason" in told} >= {"reversed"}
    [position] = terminals.held()["positions"]
    assert (position["ticket"], position["type"]) == (501, "SELL")


def test_one_login_on_two_servers_is_two_accounts(rabbit, channel):
    terminals = Terminals(rabbit, channel, servers=("Broker-Live", "Broker-Demo"))
    live, demo = terminals.accounts
    terminals.push(state(balance="1.00"), live)
    terminals.push(state(balance="2.00", positions=(PLAIN,)), demo)
    terminals.tick()

    terminals.consume()
    assert live.login == demo.login
    assert terminals.held(live) == true_state(live)
    assert terminals.held(demo) == true_state(demo)
    assert terminals.held(live) != terminals.held(demo)
    assert {m["accountId"] for m in terminals.consumer.messages} == {str(live.uuid), str(demo.uuid)}


def alarms(server):
    return server.ctl("eval", "rabbit_alarm:get_alarms().")


def drained_and_fed(terminals):
    found = drained(terminals.channel)
    for _, payload in found:
        terminals.consumer.feed(payload)
    return found


def test_a_dead_letter_is_kept_and_replayed_under_its_old_id(
    rabbit, rabbitmq_server, channel, settings
):
    settings.RABBITMQ_URL = rabbitmq_server.url
    terminals = Terminals(rabbit, channel)
    terminals.push(state())
    terminals.push(state(positions=(PLAIN,)))
    terminals.tick()
    wait_until(lambda: refused(channel, "position.opened"), 10, "a consumer refuses it")
    terminals.consume()
    [event] = AccountEvent.objects.filter(kind="position.opened")
    assert terminals.kinds() == []

    wait_until(lambda: deadletters.collect(now=NOW), 10, "it is collected")

    letter = DeadLetter.objects.get()
    assert (letter.account, letter.kind) == (terminals.accounts[0], "position.opened")
    assert (letter.number, letter.message_id) == (event.number, str(event.message_id))
    assert deadletters.collect(now=NOW) == 0

    sent = deadletters.replay(queryset=DeadLetter.objects.all(), actor="boss", broker=rabbit)

    assert sent == 1
    terminals.consume()
    assert terminals.events[-1] == (str(event.message_id), json.loads(event.payload))
    assert DeadLetter.objects.get().replayed_at
    assert AuditEntry.objects.get(action="replay").actor == "boss"


def refused(channel, kind):
    """Refuse the event for good when it is next in the queue; leave another to itself."""
    method, _, payload = channel.basic_get(EVENTS)
    if method is None:
        return False
    found = json.loads(payload)["kind"] == kind
    if found:
        channel.basic_reject(method.delivery_tag, requeue=False)
    else:
        channel.basic_ack(method.delivery_tag)
    return found

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace as altered
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone
from msgspec.structs import replace

from accounts import services
from accounts.core import mt5
from accounts.core.errors import BadState, BrokerAway
from accounts.core.state import restored
from accounts.models import Account, AccountEvent, AccountGroup, EquityBar
from accounts.services import relay, tokens, visit
from accounts.services.ingest import Delivery, Refused, ingest
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW, ORDER, POSITION, state
from tests.unit.accounts.pushes import body, encoded

pytestmark = pytest.mark.django_db

WITH_POSITION = state(positions=(replace(POSITION, commission=None),))


@pytest.fixture
def account():
    return Account.objects.create(
        # It decides when its turns fall.
        uuid=UUID(int=1), server="S", login=7, provider="push", lifecycle="DEPLOYED"
    )  # fmt: skip


@pytest.fixture
def secret(account):
    return tokens.create(account=account, name="terminal", actor="test")[1]


@pytest.fixture
def nats():
    return MemoryBroker()


def said(account, now_state, **options):
    return mt5.push(encoded(body(account.server, account.login, now_state, **options)))


def take(secret, account, now_state, second=0, **options):
    [answer] = ingest(
        deliveries=[Delivery(secret, account.uuid, said(account, now_state, **options))],
        now=NOW + timedelta(seconds=second),
    )
    return answer


def run(second, broker):
    return services.publish_shard(shard=0, now=NOW + timedelta(seconds=second), brokers=[broker])


def kinds():
    return list(AccountEvent.objects.order_by("id").values_list("kind", flat=True))


def test_the_first_push_connects_the_account_and_is_due_at_once(account, secret):
    answer = take(secret, account, WITH_POSITION)

    row = Account.objects.get()
    assert (answer.refused, answer.urgent, answer.deployed) == (None, True, True)
    assert restored(row.state).positions[0].open_time == POSITION.open_time
    assert (row.connection, row.last_state_at) == ("CONNECTED", NOW)
    # What was there before we looked is nothing that happened.
    assert kinds() == ["connection"]


def test_what_happens_becomes_events_without_a_gap_in_their_numbers(account, secret):
    take(secret, account, state())
    take(secret, account, WITH_POSITION, 1)
    take(secret, account, state(positions=WITH_POSITION.positions, orders=(ORDER,)), 2)
    answer = take(secret, account, state(orders=(ORDER,)), 3)

    assert kinds() == ["connection", "position.opened", "order.placed", "position.closed"]
    assert list(AccountEvent.objects.order_by("id").values_list("number", flat=True)) == [
        1,
        2,
        3,
        4,
    ]
    assert (answer.events, answer.urgent) == (1, True)
    told = json.loads(AccountEvent.objects.order_by("id")[1].payload)
    assert (told["kind"], told["login"], told["number"]) == ("position.opened", "7", 2)


def test_a_state_that_only_moves_amounts_is_neither_urgent_nor_an_event(account, secret):
    take(secret, account, WITH_POSITION)

    answer = take(secret, account, replace(WITH_POSITION, equity=Decimal("10160.25")), 1)

    assert (answer.events, answer.urgent) == (0, False)
    assert restored(Account.objects.get().state).equity == Decimal("10160.25")


def test_every_refusal_says_why_and_stops_no_other_push(account, secret):
    other = Account.objects.create(server="S", login=8, provider="push", lifecycle="DEPLOYED")
    simulated = Account.objects.create(server="S", login=9, lifecycle="DEPLOYED")
    group = AccountGroup.objects.create(name="agents")
    Account.objects.filter(pk=simulated.pk).update(group=group)
    agent = tokens.create(group=group, name="agent", actor="test")[1]
    good = Delivery(secret, account.uuid, said(account, state()))

    answers = ingest(
        deliveries=[
            altered(good, secret="tpa_" + "x" * 43),
            altered(good, account_id=other.uuid),
            altered(good, account_id=uuid4()),
            altered(good, account_id=None),
            altered(good, said=BadState("account.balance is no number")),
            altered(good, said=said(other, state())),
            Delivery(agent, simulated.uuid, said(simulated, state())),
            good,
        ],
        now=NOW,
    )

    assert [answer.refused for answer in answers] == [
        Refused.UNKNOWN_TOKEN, Refused.NOT_COVERED, Refused.NOT_COVERED, Refused.NOT_COVERED,
        Refused.BAD_STATE, Refused.ANOTHER_ACCOUNT, Refused.NOT_PUSHED, None,
    ]  # fmt: skip
    assert answers[4].reason == "account.balance is no number"
    assert answers[5].reason == "account is S/8, but this account is S/7"
    assert Account.objects.exclude(state="").count() == 1


def test_a_token_of_a_group_covers_its_accounts(account):
    group = AccountGroup.objects.create(name="agents")
    agent = tokens.create(group=group, name="agent", actor="test")[1]
    assert take(agent, account, state()).refused is Refused.NOT_COVERED

    Account.objects.update(group=group)

    assert take(agent, account, state()).refused is None


def test_what_an_undeployed_account_pushes_is_kept_but_not_told(account, secret, nats):
    Account.objects.update(lifecycle="UNDEPLOYED")

    answer = take(secret, account, state())
    take(secret, account, WITH_POSITION, 1)

    assert (answer.deployed, answer.urgent, kinds()) == (False, False, [])
    assert services.publish_shard(shard=0, now=NOW, brokers=[nats]).accounts == 0
    # Nobody would notice when it falls silent.
    assert Account.objects.get().connection == "DISCONNECTED"


def test_two_pushes_of_one_account_in_one_go_are_taken_in_order(account, secret):
    take(secret, account, state())

    answers = ingest(
        deliveries=[
            Delivery(secret, account.uuid, said(account, WITH_POSITION)),
            Delivery(secret, account.uuid, said(account, state())),
        ],
        now=NOW + timedelta(seconds=1),
    )

    assert [answer.events for answer in answers] == [1, 1]
    assert kinds() == ["connection", "position.opened", "position.closed"]
    assert restored(Account.objects.get().state).positions == ()


def test_a_terminal_without_its_broker_disconnects_the_account_and_keeps_its_state(account, secret):
    take(secret, account, WITH_POSITION)

    take(secret, account, state(), 1, connected=False)

    row = Account.objects.get()
    assert row.connection == "DISCONNECTED"
    assert "not connected to its broker" in row.connection_reason
    # What such a terminal shows is what it remembers.
    assert len(restored(row.state).positions) == 1
    assert row.last_state_at == NOW


def test_silence_makes_an_account_stale_and_then_disconnected(account, secret, nats):
    take(secret, account, state())

    for second in (14, 16, 59, 61, 80):
        run(second, nats)

    told = [json.loads(event.payload) for event in nats.events if event.kind == "connection"]
    assert [entry["connection"] for entry in told] == ["CONNECTED", "STALE", "DISCONNECTED"]
    assert "nothing was pushed for 16 s" in told[1]["reason"]

    take(secret, account, state(), 90)
    assert Account.objects.get().connection == "CONNECTED"


def test_a_minute_that_is_over_becomes_a_bar(account, secret):
    for second, equity in ((0, "100"), (20, "130"), (40, "90"), (60, "110")):
        take(secret, account, state(equity=equity), second)

    bar = EquityBar.objects.get()
    assert (bar.equity_open, bar.equity_high, bar.equity_low, bar.equity_close) == (
        10000, 13000, 9000, 9000,
    )  # fmt: skip


def test_a_change_of_structure_is_published_without_waiting_for_a_tick(account, secret, nats):
    take(secret, account, state())
    services.publish_pushed(account_ids=[account.pk], now=NOW, brokers=[nats])
    take(secret, account, WITH_POSITION, 0.1)

    report, busy = services.publish_pushed(
        account_ids=[account.pk], now=NOW + timedelta(seconds=0.1), brokers=[nats]
    )

    assert (report.messages, report.events, busy) == ({"positions": 1}, 0, set())
    # Events take longer, and the next change does not wait for them.
    sent = services.relay_pushed(account_ids=[account.pk], now=NOW, brokers=[nats])
    assert sent == (2, set())
    assert [m["type"] for m in nats.consumer.messages] == ["account", "positions"]
    assert nats.consumer.messages[1]["timestamp"] == "2025-11-14T10:30:00.100Z"
    assert nats.consumer.gaps == []
    assert [event.kind for event in nats.events] == ["connection", "position.opened"]


def test_an_account_has_one_writer_at_a_time(account, secret, nats):
    take(secret, account, state())
    seen = []

    class Meanwhile(MemoryBroker):
        def publish(self, messages, within_s):
            # Another position while the visit is under way, and somebody who wants it out.
            take(secret, account, WITH_POSITION, 0.5)
            seen.append(services.publish_pushed(account_ids=[account.pk], now=NOW, brokers=[nats]))
            return super().publish(messages, within_s)

    first = Meanwhile()
    services.publish_pushed(account_ids=[account.pk], now=NOW, brokers=[first])

    report, busy = seen[0]
    assert (report.messages, busy) == ({}, {account.pk})
    assert nats.consumer.messages == []
    # What came in between is still due, and nothing is skipped or repeated.
    run(1, first)
    assert [(m["type"], m["seq"]) for m in first.consumer.messages] == [
        ("account", 1),
        ("positions", 2),
    ]


def test_a_writer_that_died_is_followed_by_a_new_epoch(account, secret, nats):
    take(secret, account, state())
    run(0, nats)
    Account.objects.update(claim="dead", claimed_until=timezone.now() + timedelta(seconds=60))
    take(secret, account, WITH_POSITION, 20)

    assert run(20, nats).accounts == 0
    Account.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    run(21, nats)

    assert [(m["type"], m["epoch"]) for m in nats.consumer.messages] == [
        ("account", 0),
        ("account", 1),
    ]


def test_amounts_follow_at_their_interval_and_silence_costs_no_visit(account, secret, nats):
    take(secret, account, state())
    for second in range(1, 12):
        take(secret, account, state(equity=f"{10_000 + second}"), second)
        run(second, nats)

    kinds = [m["type"] for m in nats.consumer.messages]
    assert kinds[0] == "account"
    assert kinds.count("update") in (3, 4)
    run(15, nats)

    visits = [run(second, nats) for second in (15.3, 15.6)]
    assert [report.accounts for report in visits] == [0, 0]


def test_taking_in_a_hundred_accounts_costs_as_many_queries_as_one(
    secret, django_assert_max_num_queries
):
    group = AccountGroup.objects.create(name="agents")
    agent = tokens.create(group=group, name="agent", actor="test")[1]
    accounts = [
        Account.objects.create(
            server="S", login=100 + number, provider="push", lifecycle="DEPLOYED", group=group
        )
        for number in range(100)
    ]
    for positions in ((), WITH_POSITION.positions):
        deliveries = [
            Delivery(agent, account.uuid, said(account, state(positions=positions)))
            for account in accounts
        ]
        with django_assert_max_num_queries(12):
            answers = ingest(deliveries=deliveries, now=NOW)
        assert all(answer.refused is None for answer in answers)
    assert kinds().count("position.opened") == 100
    assert connection.in_atomic_block


@pytest.fixture
def rabbitmq():
    return MemoryBroker("rabbitmq")


def both(second, *brokers):
    return services.publish_shard(shard=0, now=NOW + timedelta(seconds=second), brokers=brokers)


def test_a_broker_that_only_this_process_does_not_reach_is_up_to_date_after_the_next_tick(
    account, secret, nats, rabbitmq
):
    Account.objects.update(account_s=3600)
    take(secret, account, state())
    both(0, nats, rabbitmq)
    # Structural, but no event that would bring the tick here.
    take(secret, account, state(leverage=50), 5)
    ours = MemoryBroker("rabbitmq")
    ours.away = "this process's link was lost"

    services.publish_pushed(
        account_ids=[account.pk], now=NOW + timedelta(seconds=5), brokers=[nats, ours]
    )
    for second in range(6, 12):
        both(second, nats, rabbitmq)

    assert rabbitmq.consumer.held["S", "7"]["leverage"] == 50


def test_a_broker_that_answers_nothing_keeps_only_the_first_accounts_waiting(
    account, secret, nats, rabbitmq, monkeypatch
):
    other = Account.objects.create(server="S", login=8, provider="push", lifecycle="DEPLOYED")
    group = AccountGroup.objects.create(name="agents")
    Account.objects.update(group=group)
    agent = tokens.create(group=group, name="agent", actor="test")[1]
    take(agent, account, state())
    take(agent, other, state())
    asked = []

    class Deaf(MemoryBroker):
        def publish(self, messages, within_s):
            asked.append(len(messages))
            raise BrokerAway("no confirm in time")

    monkeypatch.setattr(visit, "CLAIMED_AT_ONCE", 1)
    both(0, nats, Deaf("rabbitmq"))

    assert asked == [1]
    assert len(nats.consumer.held) == 2
    # And nobody has to say that it is back: within the spread both have their snapshots.
    for second in range(1, 12):
        both(second, nats, rabbitmq)
    assert len(rabbitmq.consumer.held) == 2


def test_while_every_broker_is_away_a_pushed_account_is_written_once(account, secret, nats):
    take(secret, account, state())
    run(0, nats)
    take(secret, account, WITH_POSITION, 5)
    nats.away = "cannot be reached"

    assert [run(second, nats).accounts for second in (6, 7, 8)] == [1, 0, 0]
    assert Account.objects.get().last_error == "nats: cannot be reached"

    nats.away = ""
    for second in range(9, 20):
        run(second, nats)
    assert len(nats.consumer.held["S", "7"]["positions"]) == 1


def test_an_event_that_waits_for_a_broker_that_is_away_costs_no_visits(
    account, secret, nats, rabbitmq
):
    rabbitmq.away = "cannot be reached"
    take(secret, account, state())

    assert [both(second, nats, rabbitmq).accounts for second in (0, 0.1, 0.2)] == [1, 0, 0]

    rabbitmq.away = ""
    both(0.3, nats, rabbitmq)
    assert [event.kind for event in rabbitmq.events] == ["connection"]


def test_a_clock_that_was_put_back_holds_nobody_up(account, secret, nats):
    take(secret, account, WITH_POSITION, 3600)
    run(3600, nats)

    for second in range(60):
        run(second, nats)
        take(secret, account, replace(WITH_POSITION, equity=Decimal(second)), second)

    sent = Counter(m["type"] for m in nats.consumer.messages[1:])
    assert sent["account"] in (2, 3)
    assert sent["update"] >= 15
    assert sent["positions"] >= 8


def test_events_that_are_refused_for_good_hold_up_no_other_account(
    account, secret, nats, monkeypatch
):
    monkeypatch.setattr(relay, "AT_ONCE", 3)
    other = Account.objects.create(server="S", login=8, provider="push", lifecycle="DEPLOYED")
    theirs = tokens.create(account=other, name="terminal", actor="test")[1]
    nats.refused = {"S/7": "too large"}
    for second in range(6):
        take(secret, account, state() if second % 2 else WITH_POSITION, second)
    take(theirs, other, state(), 6)
    take(theirs, other, WITH_POSITION, 6)

    for second in (6, 7):
        run(second, nats)

    assert [(event.login, event.number) for event in nats.events] == [("8", 1), ("8", 2)]
    nats.refused = {}
    for second in range(8, 12):
        run(second, nats)
    assert [e.number for e in nats.events if e.login == "7"] == [1, 2, 3, 4, 5, 6]


def test_a_lost_link_is_not_forgotten_by_a_visit_that_was_under_way(account, secret, nats):
    take(secret, account, state())
    run(0, nats)

    class Meanwhile(MemoryBroker):
        def publish(self, messages, within_s):
            # The shard's visit learns that the link was lost while this one publishes.
            if not nats.lost:
                nats.lost = NOW + timedelta(seconds=20)
                run(21, nats)
            return super().publish(messages, within_s)

    take(secret, account, WITH_POSITION, 20)
    services.publish_pushed(
        account_ids=[account.pk], now=NOW + timedelta(seconds=20), brokers=[Meanwhile()]
    )

    assert Account.objects.get().nats_snapshot_required
    before = len(nats.consumer.messages)
    for second in range(22, 33):
        run(second, nats)
    assert nats.consumer.messages[before]["type"] == "account"
    assert len(nats.consumer.messages[before]["positions"]) == 1


def test_a_change_that_another_visit_read_too_early_is_still_wanted(
    account, secret, nats, monkeypatch
):
    take(secret, account, state())
    Account.objects.update(claim="other", claimed_until=timezone.now() + timedelta(seconds=60))
    claim = visit._claim

    def and_then_the_other_is_done(wanted, own):
        count = claim(wanted, own)
        Account.objects.filter(claim="other").update(claim="", claimed_until=None)
        return count

    monkeypatch.setattr(visit, "_claim", and_then_the_other_is_done)

    _, busy = services.publish_pushed(account_ids=[account.pk], now=NOW, brokers=[nats])
    assert busy == {account.pk}
    _, busy = services.publish_pushed(account_ids=[account.pk], now=NOW, brokers=[nats])
    assert busy == set()
    assert [m["type"] for m in nats.consumer.messages] == ["account"]

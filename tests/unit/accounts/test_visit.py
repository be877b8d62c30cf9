from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from accounts import services
from accounts.core.errors import BadState
from accounts.core.messages import snapshot
from accounts.core.simulate import state_at
from accounts.core.state import restored
from accounts.models import Account, ShardLease
from accounts.publish.rabbit import Rabbit
from accounts.services import providers, shards
from accounts.services.providers import Heard
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db

# However many accounts there are.
MOST_QUERIES = 20


@pytest.fixture
def nats():
    return MemoryBroker("nats")


@pytest.fixture
def rabbitmq():
    return MemoryBroker("rabbitmq")


@pytest.fixture
def accounts():
    services.declare_demo_accounts(count=4)
    found = list(Account.objects.order_by("id"))
    for number, account in enumerate(found):
        # It decides when snapshots fall.
        account.uuid = UUID(int=number + 1)
        account.save(update_fields=["uuid"])
    return found


def run(second, *brokers, shard=0, **options):
    return services.publish_shard(
        shard=shard, now=NOW + timedelta(seconds=second), brokers=brokers, **options
    )


def expire_lease():
    ShardLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def kinds(broker, first=0):
    return [message["type"] for message in broker.consumer.messages[first:]]


def key(account):
    return (account.server, str(account.login))


def source(account, second):
    return snapshot(
        state_at(
            str(account.login),
            account.server,
            NOW + timedelta(seconds=second),
            leverage=account.leverage,
        )
    )


def test_the_first_visit_sends_a_snapshot_of_each_account(nats, accounts):
    report = run(0, nats)

    # That each terminal is heard is four events.
    assert report == services.ShardReport(accounts=4, messages={"account": 4}, events=4)
    assert nats.consumer.held == {key(account): source(account, 0) for account in accounts}
    row = Account.objects.order_by("id")[0]
    assert row.last_state_at == NOW
    assert row.last_published_at
    assert NOW < row.last_published_at < NOW + timedelta(seconds=2)
    assert (row.epoch, row.seq, row.last_error) == (1, 1, "")


def test_a_consumer_rebuilds_every_account_after_two_minutes_of_changes(nats, accounts):
    for second in range(120):
        run(second, nats)
    Account.objects.update(account_s=3600)
    run(140, nats)

    assert Counter(kinds(nats)).keys() == {"account", "update", "positions", "orders"}
    assert nats.consumer.gaps == []
    assert nats.consumer.held == {key(account): source(account, 140) for account in accounts}


def test_what_is_recorded_as_published_is_what_a_consumer_holds(nats, accounts):
    for second in range(40):
        run(second, nats)

        for account in Account.objects.all():
            assert nats.consumer.held[key(account)] == snapshot(restored(account.published))


def test_nobody_visits_a_shard_twice_at_once(nats, accounts):
    later = timezone.now() + timedelta(seconds=60)
    ShardLease.objects.create(shard=0, owner="another", expires_at=later)

    assert run(0, nats) == services.ShardReport(skipped=True)
    assert nats.consumer.messages == []
    assert ShardLease.objects.get().skipped == 1


def test_a_visit_inside_a_visit_does_nothing(nats, accounts):
    inner = []

    class Nosy(MemoryBroker):
        def publish(self, messages, within_s):
            inner.append(run(0, MemoryBroker("nats")))
            return super().publish(messages, within_s)

    assert run(0, Nosy()).accounts == 4
    assert inner == [services.ShardReport(skipped=True)]


def test_a_shard_whose_worker_was_killed_begins_a_new_epoch(nats, accounts):
    run(0, nats)
    ShardLease.objects.update(owner="dead", expires_at=timezone.now() + timedelta(seconds=60))

    assert run(8, nats).skipped
    expire_lease()
    assert run(9, nats).messages == {"account": 4}
    assert {m["epoch"] for m in nats.consumer.messages[4:]} == {2}
    assert run(10, nats).skipped is False
    assert set(Account.objects.values_list("epoch", flat=True)) == {2}


def test_an_epoch_that_a_dead_worker_may_have_used_is_never_used_again(nats, accounts):
    class Dying(MemoryBroker):
        def publish(self, messages, within_s):
            super().publish(messages, within_s)
            raise KeyboardInterrupt

    run(0, nats)
    for second in (10, 20):
        ShardLease.objects.update(owner="dead")
        expire_lease()
        dying = Dying()
        with pytest.raises(KeyboardInterrupt):
            run(second, dying)
        nats.consumer.messages += dying.consumer.messages
    ShardLease.objects.update(owner="dead")
    expire_lease()
    run(30, nats)

    ids = [(m["accountId"], m["epoch"], m["seq"]) for m in nats.consumer.messages]
    assert len(ids) == 4 * 4
    assert len(set(ids)) == len(ids)


def test_a_process_that_was_stopped_too_long_sends_nothing_more(nats, accounts):
    lease = shards.claim(0, holder="me")
    assert lease
    run(0, nats, lease=lease)
    # It stood still while another took over.
    lease.kept_at_s -= 60
    ShardLease.objects.update(owner="another")
    Account.objects.update(published="")

    assert run(0.1, nats, lease=lease).skipped
    assert len(nats.consumer.messages) == 4


def test_an_account_that_begins_to_be_pushed_during_a_visit_keeps_what_was_pushed(accounts):
    pushed = accounts[0].pk

    class Meanwhile(MemoryBroker):
        def publish(self, messages, within_s):
            Account.objects.filter(pk=pushed).update(
                provider="push", event_number=7, connection_reason="as the push said"
            )
            return super().publish(messages, within_s)

    run(0, Meanwhile())

    row = Account.objects.get(pk=pushed)
    assert (row.event_number, row.connection_reason) == (7, "as the push said")


def test_a_visit_that_lost_its_shard_records_nothing(nats, accounts):
    class Slow(MemoryBroker):
        def publish(self, messages, within_s):
            ShardLease.objects.update(owner="another")
            return super().publish(messages, within_s)

    assert run(0, Slow()).skipped
    assert Account.objects.filter(last_published_at=None).count() == 4


def test_an_exception_leaves_the_shard_to_a_new_epoch(nats, accounts):
    class Broken(MemoryBroker):
        def publish(self, messages, within_s):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(0, Broken())

    assert run(1, nats).skipped
    expire_lease()
    assert run(10, nats).messages == {"account": 4}
    assert nats.consumer.last[key(accounts[0])] == (2, 1)


def test_an_account_that_gives_no_state_stops_no_other(nats, accounts, monkeypatch):
    def provider(account, now):
        if account.pk == accounts[0].pk:
            raise BadState("the terminal sent half a position")
        if account.pk == accounts[1].pk:
            raise KeyError("a bug")
        return Heard(state_at(str(account.login), account.server, now))

    monkeypatch.setattr(providers, "PROVIDERS", {"simulator": provider})
    report = run(0, nats)

    assert (report.messages, report.failed) == ({"account": 2}, 2)
    errors = list(Account.objects.order_by("id").values_list("last_error", flat=True))
    assert errors == ["the terminal sent half a position", "KeyError: 'a bug'", "", ""]


def test_an_unreadable_record_is_mended_by_a_snapshot(nats, accounts):
    run(0, nats)
    Account.objects.filter(pk=accounts[0].pk).update(published='{"balance":"x"}')

    run(1, nats)

    assert nats.consumer.messages[4]["type"] == "account"
    mended = Account.objects.get(pk=accounts[0].pk).published
    assert snapshot(restored(mended)) == source(accounts[0], 1)


@pytest.mark.parametrize("name", ["nats", "rabbitmq"])
def test_a_broker_that_is_away_does_not_stop_the_other_and_gets_snapshots_later(name, accounts):
    brokers = [MemoryBroker("nats"), MemoryBroker("rabbitmq")]
    gone, there = sorted(brokers, key=lambda broker: broker.name != name)
    run(0, *brokers)
    gone.away = "cannot be reached"

    reports = [run(second, *brokers) for second in range(1, 60)]

    assert len(gone.consumer.messages) == 4
    assert sum(sum(report.messages.values()) for report in reports) > 60
    assert there.consumer.gaps == []
    errors = set(Account.objects.values_list("last_error", flat=True))
    assert errors == {f"{name}: cannot be reached"}

    gone.away = ""
    run(60, *brokers)
    at_once = sum(message["type"] == "account" for message in gone.consumer.messages[4:])
    for second in range(61, 71):
        run(second, *brokers)
    # Spread over ten seconds, each account begins with its snapshot.
    first: dict[str, str] = {}
    for message in gone.consumer.messages[4:]:
        first.setdefault(message["accountId"], message["type"])
    assert list(first.values()) == ["account"] * 4
    assert at_once < 4
    assert gone.consumer.held == there.consumer.held
    assert set(Account.objects.values_list("last_error", flat=True)) == {""}
    for second in range(71, 100):
        run(second, *brokers)
    assert gone.consumer.held == there.consumer.held
    assert gone.consumer.gaps == there.consumer.gaps == []


def test_without_any_broker_the_state_is_kept_and_sent_later(nats, accounts):
    nats.away = "cannot be reached"
    reports = [run(second, nats) for second in range(3)]

    assert [report.messages for report in reports] == [{}, {}, {}]
    row = Account.objects.order_by("id")[0]
    assert (row.last_state_at, row.last_published_at) == (NOW + timedelta(seconds=2), None)
    assert row.last_error == "nats: cannot be reached"

    nats.away = ""
    assert run(3, nats).messages == {"account": 4}
    assert {message["seq"] for message in nats.consumer.messages} == {1}


def test_only_the_accounts_that_were_refused_get_a_snapshot(nats, accounts):
    Account.objects.update(account_s=3600)
    run(0, nats)
    nats.refused = {str(accounts[0]): "nacked"}
    for second in range(1, 12):
        run(second, nats)
    row = Account.objects.get(pk=accounts[0].pk)
    assert row.last_error == "nats: nacked"
    assert row.last_published_at
    assert row.last_published_at < NOW + timedelta(seconds=1)

    nats.refused = {}
    before = len(nats.consumer.messages)
    for second in range(12, 30):
        run(second, nats)
    snapshots = [m for m in nats.consumer.messages[before:] if m["type"] == "account"]
    assert [m["login"] for m in snapshots] == [str(accounts[0].login)]
    assert nats.consumer.gaps == []


def test_an_account_that_is_refused_for_good_is_tried_ever_less_often(nats, accounts):
    nats.refused = {str(accounts[0]): "too large"}
    for second in range(120):
        run(second, nats)

    # After 1, 2, 4, 8, 16 and then every 30 s.
    assert Account.objects.get(pk=accounts[0].pk).seq in range(6, 11)


def test_a_publish_that_fails_as_a_whole_advances_nothing(nats, accounts):
    nats.fails_on_publish = "no confirm in time"

    report = run(0, nats)

    assert (report.messages, report.failed) == ({}, 4)
    assert Account.objects.filter(published="").count() == 4
    # What was sent without an answer may have arrived: its number is not used again.
    assert set(Account.objects.values_list("seq", flat=True)) == {1}


def test_a_link_that_was_lost_and_is_back_gets_every_account_once(nats, rabbitmq, accounts):
    Account.objects.update(account_s=3600)
    run(10, nats, rabbitmq)
    rabbitmq.lost = NOW + timedelta(seconds=11)

    snapshots = [run(second, nats, rabbitmq).messages.get("account", 0) for second in range(12, 40)]
    assert sum(snapshots) == 4
    # Spread over ten seconds.
    assert sum(snapshots[:11]) == 4
    assert max(snapshots) < 4


def test_an_account_begun_anew_during_a_visit_keeps_its_new_epoch(accounts):
    class Meanwhile(MemoryBroker):
        def publish(self, messages, within_s):
            services.request_snapshots(accounts=Account.objects.filter(pk=accounts[0].pk))
            return super().publish(messages, within_s)

    run(0, Meanwhile())

    row = Account.objects.get(pk=accounts[0].pk)
    assert (row.epoch, row.published, row.nats_snapshot_required) == (2, "", True)
    assert Account.objects.get(pk=accounts[1].pk).published


def test_a_visit_writes_none_of_the_operators_columns(accounts):
    class Meanwhile(MemoryBroker):
        def publish(self, messages, within_s):
            Account.objects.update(label="renamed", lifecycle="UNDEPLOYED")
            return super().publish(messages, within_s)

    run(0, Meanwhile())

    assert set(Account.objects.values_list("label", "lifecycle")) == {("renamed", "UNDEPLOYED")}


def test_only_deployed_accounts_of_the_shard_are_visited(nats):
    for number in (500, 501, 502):
        Account.objects.create(
            id=number, server="S", login=number, lifecycle="DRAFT" if number == 502 else "DEPLOYED"
        )

    assert services.tick() == [0, 1]
    assert run(0, nats, shard=0).accounts == 1
    assert run(0, nats, shard=1).accounts == 1
    assert {m["login"] for m in nats.consumer.messages} == {"500", "501"}


def test_a_second_account_of_the_same_login_on_another_server_is_another(nats):
    for server in ("A", "B"):
        Account.objects.create(server=server, login=7, lifecycle="DEPLOYED")

    run(0, nats)

    assert nats.consumer.held.keys() == {("A", "7"), ("B", "7")}


def test_a_visit_writes_all_accounts_in_one_statement(
    nats, accounts, django_assert_max_num_queries
):
    run(0, nats)

    with django_assert_max_num_queries(MOST_QUERIES):
        run(1, nats)


def test_five_hundred_accounts_that_are_deployed_together_cost_no_query_each(
    nats, django_assert_max_num_queries
):
    Account.objects.bulk_create(
        Account(server="S", login=n + 1, lifecycle="DEPLOYING") for n in range(50)
    )

    with django_assert_max_num_queries(2 * MOST_QUERIES):
        run(0, nats)

    assert set(Account.objects.values_list("lifecycle", flat=True)) == {"DEPLOYED"}


def test_a_broker_that_comes_and_goes_leaves_nobody_behind(nats, rabbitmq, accounts, monkeypatch):
    """For three seconds it is there, for three it is away; a spread takes ten."""
    # Nothing happens that would be urgent.
    still = state_at("1", "S", NOW)
    monkeypatch.setattr(providers, "PROVIDERS", {"simulator": lambda *_: Heard(still)})
    run(0, nats, rabbitmq)
    had: set[str] = set()

    for second in range(10, 130):
        rabbitmq.away = "" if second % 6 < 3 else "cannot be reached"
        before = len(rabbitmq.consumer.messages)
        run(second, nats, rabbitmq)
        had |= {
            m["accountId"]
            for m in rabbitmq.consumer.messages[before:]
            if m["type"] == "account" and second > 15
        }

    assert len(had) == len(accounts)


def test_the_operators_currency_and_leverage_reach_the_messages(nats):
    Account.objects.create(server="S", login=7, lifecycle="DEPLOYED", currency="EUR", leverage=30)

    run(0, nats)

    message = nats.consumer.messages[0]
    assert (message["currency"], message["leverage"], message["login"]) == ("EUR", 30, "7")


def test_the_largest_leverage_that_a_row_holds_is_published_as_any_other(nats):
    fields = {"lifecycle": "DEPLOYED", "leverage": 2**31 - 1, "account_s": 3600}
    Account.objects.create(server="S", login=7, **fields)

    for second in range(3):
        run(second, nats)

    assert kinds(nats).count("account") == 1


def test_the_record_holds_decimals_as_text(nats, accounts):
    run(0, nats)

    recorded = Account.objects.order_by("id")[0].published
    assert isinstance(json.loads(recorded)["balance"], str)
    assert json.loads(json.dumps(recorded)) == recorded


def test_an_address_that_cannot_be_used_stops_no_other_broker(nats, accounts):
    rabbitmq = Rabbit("amqp://guest:canary@127.0.0.1:5672/?heartbeat=often")

    assert run(0, nats, rabbitmq).messages == {"account": 4}
    errors = set(Account.objects.values_list("last_error", flat=True))
    assert errors == {"rabbitmq: RABBITMQ_URL holds an option that cannot be used"}


def test_a_failing_broker_is_said_once_for_a_visit(nats, accounts, caplog):
    nats.fails_on_publish = "gone"

    with caplog.at_level(logging.WARNING):
        run(0, nats)

    assert [r.getMessage() for r in caplog.records] == [
        "nats: nothing confirmed: gone",
        "nats: no event confirmed: gone",
    ]

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.core.errors import BadShards
from accounts.models import Account, ShardLease
from accounts.services import outlets, publisher, shards
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def nats(monkeypatch):
    broker = MemoryBroker()
    monkeypatch.setattr(outlets, "ours", lambda: (broker,))
    return broker


def declare(*ids):
    for number in ids:
        Account.objects.create(id=number, server="S", login=number, lifecycle="DEPLOYED")


class Ticks(threading.Event):
    """Ends after so many ticks, without waiting between them; `now` is the tick's second."""

    def __init__(self, count, first=0):
        super().__init__()
        self.left = count
        self.second = first

    def wait(self, timeout=None):
        self.left -= 1
        self.second += 1
        if not self.left:
            self.set()
        return self.is_set()

    def now(self):
        return NOW + timedelta(seconds=self.second)


def run(part, ticks, first=0):
    stopped = Ticks(ticks, first)
    return services.run_publisher(
        wanted=services.part(part), holder="me", stopped=stopped, clock=stopped.now
    )


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("0/1", [0, 1, 2, 99]),
        ("0-9/100", [0, 9, 100, 109]),
        ("3/4", [3, 7]),
        (" 1-2/3 ", [1, 2, 4]),
    ],
)
def test_a_part_holds_its_shards_and_no_others(text, held):
    part = services.part(text)

    assert all(part.holds(shard) for shard in held)
    assert sum(part.holds(shard) for shard in range(part.of)) == part.last - part.first + 1


@pytest.mark.parametrize(
    "text", ["", "0", "x/2", "2-1/4", "0-4/4", "4/4", "-1/4", "0/0", "0-1-2/9", "\u0660/2"]
)
def test_what_names_no_part_is_refused_with_an_example(text):
    with pytest.raises(BadShards, match="--shards"):
        services.part(text)


def test_it_publishes_its_part_of_the_shards_and_no_other(nats):
    declare(1, 501, 1001)

    totals = run("0/2", 1)

    assert totals.messages == {"account": 2}
    assert {m["login"] for m in nats.consumer.messages} == {"1", "1001"}


def test_it_keeps_its_shards_so_that_beat_leaves_them_alone(nats, monkeypatch):
    declare(1, 501)
    seen = []
    visit = services.publish_shard

    def nosy(**options):
        report = visit(**options)
        seen.append((shards.tick(), ShardLease.objects.get(shard=0).holder))
        return report

    monkeypatch.setattr("accounts.services.publisher.publish_shard", nosy)
    run("0/2", 2)

    assert seen == [([1], "me"), ([1], "me")]
    # And gives them back in the end.
    assert shards.tick() == [0, 1]
    assert ShardLease.objects.get(shard=0).owner == ""
    assert set(Account.objects.values_list("epoch", flat=True)) == {0}


def test_what_a_dead_publisher_held_is_taken_over_with_a_new_epoch(nats):
    declare(1)
    assert shards.claim(0, holder="dead")
    assert run("0/1", 1).messages == {}

    ShardLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert shards.tick() == [0]
    assert run("0/1", 2, first=20).messages["account"] == 1
    assert nats.consumer.messages[0]["epoch"] == 1


def test_a_visit_that_fails_costs_its_shard_and_no_other(nats, monkeypatch, caplog):
    declare(1, 501)
    visit = services.publish_shard

    def broken(**options):
        if options["shard"] == 0:
            raise ZeroDivisionError
        return visit(**options)

    monkeypatch.setattr("accounts.services.publisher.publish_shard", broken)
    totals = run("0/1", 2)

    assert totals.messages["account"] == 1
    assert "shard 0: the visit failed" in caplog.text


def test_a_slow_visit_skips_ticks_instead_of_queueing_them(nats, monkeypatch):
    declare(1)
    clock = Clock()
    monkeypatch.setattr(publisher, "time", clock)
    visit = services.publish_shard

    def slow(**options):
        clock.seconds += 3.4
        return visit(**options)

    monkeypatch.setattr("accounts.services.publisher.publish_shard", slow)

    totals = run("0/1", 3)

    # Visits end at 3.4, 6.8 and 10.2 s: what was due at 1, 2, 3, then 5, 6, then 8, 9, 10 is gone.
    assert (totals.ticks, totals.late) == (3, 8)


class Clock:
    """Stands in for the module `time`."""

    seconds = 0.0

    def monotonic(self):
        return self.seconds

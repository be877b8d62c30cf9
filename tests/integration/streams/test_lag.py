"""How far consumers are, and their being paused and set back, on a real server."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import nats
import pytest
from django.utils import timezone

from streams import services
from streams.core.errors import ApiRefused, BadDefinition, BrokerAway, Guarded, Unconfirmed
from streams.models import BrokerAct, Stream, StreamConsumer
from streams.services import lag
from tests.integration.streams.conftest import fill

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

NOW = timezone.now()


@pytest.fixture(autouse=True)
def no_other_rows(db):
    Stream.objects.all().delete()


def api(verb, body=None):
    return services.link().api(verb, body)


def declared(stream, *names):
    row, _ = Stream.objects.get_or_create(name=stream)
    return [StreamConsumer.objects.create(stream=row, name=name) for name in names]


def consumer(stream, name, **config):
    full = {"durable_name": name, "ack_policy": "explicit", "ack_wait": 60_000_000_000, **config}
    api(f"CONSUMER.CREATE.{stream}.{name}", {"stream_name": stream, "config": full})


def fetch(server, stream, name, count, *, acknowledge):
    async def take():
        client = await nats.connect(server.url)
        sub = await client.jetstream().pull_subscribe_bind(name, stream)
        messages = await sub.fetch(count, timeout=5)
        for message in messages[:acknowledge]:
            await message.ack_sync()
        await client.close()

    asyncio.run(take())


@pytest.fixture
def worker(broker, make_stream):
    """Ten messages, of which six were delivered and four acknowledged."""
    make_stream("LAGGING", subjects=["lagging"])
    fill(broker, [("lagging", b"x")] * 10)
    consumer("LAGGING", "worker")
    fetch(broker, "LAGGING", "worker", 6, acknowledge=4)
    return declared("LAGGING", "worker")[0]


def test_counts_are_jetstreams_own(worker):
    found = lag.refresh_consumers(now=NOW)

    worker.refresh_from_db()
    assert found == lag.Refreshed(seen=1, missing=0)
    assert (worker.num_pending, worker.num_ack_pending, worker.num_redelivered) == (4, 2, 0)
    assert (worker.delivered_seq, worker.ack_floor_seq) == (6, 4)
    assert worker.seen_at == NOW
    assert abs(worker.last_active_at - timezone.now()) < timedelta(minutes=1)
    assert worker.paused_until is None


def test_what_is_missing_is_counted_and_hinders_nobody(worker):
    declared("LAGGING", "gone")
    declared("NOWHERE", "one", "two")

    found = lag.refresh_consumers(now=NOW)

    assert (found.seen, found.missing, found.failed) == (1, 3, ())


def test_more_consumers_than_a_page_holds_are_all_seen(broker, make_stream):
    make_stream("CROWDED", subjects=["crowded"])
    names = [f"c{n}" for n in range(260)]
    for name in names:
        consumer("CROWDED", name, mem_storage=True)
    declared("CROWDED", *names)

    assert lag.refresh_consumers(now=NOW).seen == 260


def test_a_consumer_is_paused_and_resumed(worker):
    until = NOW + timedelta(hours=1)

    paused_until = lag.pause(
        stream="LAGGING", consumer="worker", until=until, actor="anna", now=NOW
    )

    assert abs(paused_until - until) < timedelta(milliseconds=1)
    assert api("CONSUMER.INFO.LAGGING.worker")["paused"] is True
    lag.refresh_consumers(now=NOW)
    worker.refresh_from_db()
    assert worker.paused_until == paused_until

    lag.resume(stream="LAGGING", consumer="worker", actor="anna")

    assert not api("CONSUMER.INFO.LAGGING.worker").get("paused")
    worker.refresh_from_db()
    assert worker.paused_until is None
    acts = BrokerAct.objects.filter(kind="consumer", name="LAGGING/worker").order_by("id")
    assert [act.action for act in acts] == ["pause", "resume"]


@pytest.mark.parametrize(("asked", "goes_on"), [(None, 5), (2, 2)])
def test_a_consumer_is_set_back(broker, worker, asked, goes_on):
    position = lag.reset(
        stream="LAGGING", consumer="worker", typed_name="worker", actor="anna", seq=asked, now=NOW
    )

    assert position == goes_on
    told = api("CONSUMER.INFO.LAGGING.worker")
    assert (told["num_pending"], told["num_ack_pending"]) == (11 - goes_on, 0)
    act = BrokerAct.objects.get(action="reset")
    assert act.before is not None
    assert act.after is not None
    assert (act.before["ack_floor"], act.after["ack_floor"]) == (4, goes_on - 1)


def test_policies_and_names_are_kept(worker):
    common: Any = {"stream": "LAGGING", "consumer": "worker", "actor": "anna"}
    tomorrow = NOW + timedelta(days=1)
    with pytest.raises(Unconfirmed):
        lag.reset(typed_name="LAGGING", now=NOW, **common)

    StreamConsumer.objects.update(policy="protect")
    with pytest.raises(Guarded):
        lag.reset(typed_name="worker", now=NOW, **common)
    lag.pause(until=tomorrow, now=NOW, **common)

    StreamConsumer.objects.update(policy="observe")
    for change in (
        lambda: lag.pause(until=tomorrow, now=NOW, **common),
        lambda: lag.resume(**common),
        lambda: lag.reset(typed_name="worker", now=NOW, **common),
    ):
        with pytest.raises(Guarded):
            change()
    assert api("CONSUMER.INFO.LAGGING.worker")["paused"] is True


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW.replace(tzinfo=None)])
def test_a_pause_ends_in_the_future(worker, until):
    with pytest.raises(BadDefinition) as caught:
        lag.pause(stream="LAGGING", consumer="worker", until=until, actor="anna", now=NOW)

    assert caught.value.field == "until"


def test_a_position_is_a_number_of_a_message(worker):
    with pytest.raises(BadDefinition):
        lag.reset(
            stream="LAGGING", consumer="worker", typed_name="worker", actor="a", seq=0, now=NOW
        )


def test_jetstreams_refusal_comes_through(broker):
    declared("NOWHERE", "worker")

    with pytest.raises(ApiRefused):
        lag.resume(stream="NOWHERE", consumer="worker", actor="anna")


def test_nats_being_away_is_said(own_broker):
    declared("LAGGING", "worker")
    api("INFO")
    own_broker.kill()

    with pytest.raises(BrokerAway):
        lag.refresh_consumers(now=NOW)

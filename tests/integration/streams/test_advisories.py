"""What JetStream tells of itself, kept: on a real server of the test's own."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from streams import services, tasks
from streams.core.errors import BrokerAway
from streams.models import Advisory
from streams.services import advisories, announcing, browsing
from tests.integration.streams.conftest import create, fill
from tests.servers.process import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

NOW = timezone.now()
HOUR = NOW.replace(minute=0, second=0, microsecond=0)


def api(verb, body=None):
    return services.link().api(verb, body)


def collect():
    return advisories.collect(now=NOW)


def payload(number, kind="stream_action", at=HOUR, **more):
    return json.dumps(
        {
            "type": f"io.nats.jetstream.advisory.v1.{kind}",
            "id": f"{kind}-{number}",
            "timestamp": at.isoformat(),
            **more,
        }
    ).encode()


def settled(kinds):
    """Collect until these kinds are kept: the server tells them in its own time."""
    wait_until(
        lambda: collect() + 1 and kinds <= set(Advisory.objects.values_list("kind", flat=True)),
        10, f"advisories {kinds}",
    )  # fmt: skip


def test_what_happened_while_nobody_listened_is_kept_once(own_broker):
    collect()  # Makes the stream that captures them.
    create(services.link(), "ORDERS", subjects=["orders"])
    fill(own_broker, [("orders", b"x")])
    api("STREAM.PURGE.ORDERS")
    api("STREAM.DELETE.ORDERS")

    wait_until(lambda: collect() + 1 and Advisory.objects.count() == 5, 10, "five advisories")

    told = {(row.kind, row.text.split(" by ")[0]) for row in Advisory.objects.all()}
    assert told == {
        ("stream_action", "create"),
        ("stream_action", "delete"),
        ("api_audit", "STREAM.CREATE.ORDERS"),
        ("api_audit", "STREAM.PURGE.ORDERS"),
        ("api_audit", "STREAM.DELETE.ORDERS"),
    }
    assert set(Advisory.objects.values_list("stream", flat=True)) == {"ORDERS"}
    assert collect() == 0


def test_who_only_looks_is_not_kept_nor_is_our_own_reading(own_broker):
    collect()
    for _ in range(5):
        api("STREAM.LIST", {})
        api("INFO")

    # The last of them is the sign that the others have come by.
    create(services.link(), "SIGN", subjects=["sign"])
    settled({"stream_action"})

    assert set(Advisory.objects.values_list("stream", flat=True)) == {"SIGN"}
    before = api(f"STREAM.INFO.{advisories.STREAM}")["state"]["last_seq"]
    collect()
    collect()
    after = api(f"STREAM.INFO.{advisories.STREAM}")["state"]["last_seq"]
    assert after - before <= 1  # Our own look at it, and none of the collecting.


def test_more_than_one_batch_is_kept_in_one_visit(own_broker, monkeypatch):
    monkeypatch.setattr(advisories, "BATCH", 4)
    collect()
    for number in range(10):
        create(services.link(), f"S{number}", subjects=[f"s{number}"])
    wait_until(
        lambda: (
            api(f"STREAM.INFO.{advisories.STREAM}", {"subjects_filter": "*.*.*.STREAM.>"})["state"][
                "num_subjects"
            ]
            > 10
        ),
        10,
        "all were told",
    )

    collect()

    assert Advisory.objects.filter(kind="stream_action", text="create").count() == 10


def test_a_lost_stream_of_advisories_is_made_anew(own_broker):
    collect()
    api(f"STREAM.DELETE.{advisories.STREAM}")

    collect()

    told = api(f"STREAM.INFO.{advisories.STREAM}")
    assert (told["config"]["num_replicas"], told["state"]["consumer_count"]) == (1, 1)


def test_nats_being_away_is_said(own_broker):
    collect()
    own_broker.kill()

    with pytest.raises(BrokerAway):
        collect()
    tasks.collect_advisories()  # Says so, and comes again.
    tasks.refresh_consumers()


def test_the_same_advisory_is_kept_once():
    assert advisories.keep(payloads=[payload(1), payload(2), payload(1), b"noise"]) == 2
    assert advisories.keep(payloads=[payload(2), payload(3)]) == 1

    assert Advisory.objects.count() == 3


def test_a_lost_quorum_is_alerted_once(own_broker):
    create(services.link(), "ALERTS", subjects=["system.alert.>"])
    lost = payload(1, "stream_quorum_lost", stream="ORDERS", replicas=[])

    with (
        override_settings(NATS_URL=own_broker.url, NATS_EVENTS=True),
        announcing.announced(service="testing"),
    ):
        advisories.keep(payloads=[lost, payload(2)])
        advisories.keep(payloads=[lost])
        wait_until(lambda: browsing.messages(stream="ALERTS").rows, 10, "the alert is stored")

    (row,) = browsing.messages(stream="ALERTS").rows
    assert row.subject == "system.alert.critical.stream_quorum_lost"
    assert row.shown["alert"].startswith("ORDERS: no quorum among")


def test_a_flood_of_one_kind_is_kept_in_part_and_hides_no_other(monkeypatch, caplog):
    monkeypatch.setattr(advisories, "MOST_PER_HOUR", 5)

    kept = advisories.keep(payloads=[payload(n) for n in range(8)] + [payload(1, "max_deliver")])
    again = advisories.keep(payloads=[payload(n) for n in range(8, 12)])
    later = advisories.keep(payloads=[payload(20, at=HOUR + timedelta(hours=1))])

    assert (kept, again, later) == (6, 0, 1)
    assert "stream_action: 3 of this hour not kept" in caplog.text


def test_the_oldest_go_beyond_what_is_kept(settings):
    settings.ADVISORIES_KEPT = 3
    times = [HOUR - timedelta(minutes=n) for n in (1, 2, 3, 4)]
    advisories.keep(payloads=[payload(n, at=at) for n, at in enumerate(times)])
    advisories.keep(payloads=[payload("same", at=times[2])])

    assert advisories.prune() == 2
    assert advisories.prune() == 0
    left = list(Advisory.objects.values_list("event_id", flat=True))
    assert left == ["stream_action-0", "stream_action-1", "stream_action-same"]


def test_pruning_comes_by_the_clock(settings, tmp_path):
    settings.ADVISORIES_KEPT, settings.HOME = 1, tmp_path
    advisories.keep(payloads=[payload(1), payload(2)])

    tasks.prune()

    assert Advisory.objects.count() == 1

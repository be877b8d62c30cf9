"""What is created without being asked, and what is not, against a real nats-server."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from streams import services
from streams.core.errors import BrokerAway
from streams.models import BrokerAct, Cluster, Stream, StreamConsumer
from streams.services import announcing, audit, servers, sync
from streams.supervise import Standing
from tests.integration.streams.conftest import create, fill
from tests.servers.process import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

DEFAULTS = {
    "MARKET_DATA": ("market.>", 3_600, 1_000_000),
    "SYSTEM_EVENTS": ("system.>", 86_400, 100_000),
    "SERVICE_LOGS": ("service.>", 604_800, 500_000),
}


@pytest.fixture(autouse=True)
def records(own_broker):
    """The three rows that the migrations make, and no other."""
    Stream.objects.all().delete()
    for name, (subject, age_s, most) in DEFAULTS.items():
        config = {
            "subjects": [subject], "retention": "limits", "storage": "file",
            "max_age": age_s * 1_000_000_000, "max_msgs": most, "max_bytes": -1,
        }  # fmt: skip
        Stream.objects.create(name=name, config=config)


def api(verb, body=None):
    return services.link().api(verb, body)


def keep():
    return services.keep_streams(now=timezone.now())


def connected():
    try:
        return bool(api("INFO"))
    except BrokerAway:
        return False


def standings():
    return dict(Stream.objects.values_list("name", "standing"))


def acts(name):
    return list(BrokerAct.objects.filter(name=name).order_by("id").values_list("action", flat=True))


def test_the_streams_of_the_contract_are_made_with_its_values(own_broker):
    first, second = keep(), keep()

    assert (set(first.created), second.created) == (set(DEFAULTS), ())
    for name, (subject, age_s, most) in DEFAULTS.items():
        config = api(f"STREAM.INFO.{name}")["config"]
        assert config["subjects"] == [subject]
        assert (config["max_age"], config["max_msgs"]) == (age_s * 1_000_000_000, most)
        assert (config["retention"], config["storage"]) == ("limits", "file")
        assert config["allow_batched"] is True
    assert set(standings().values()) == {"in_sync"}
    assert not sync.plan().differs


def test_counts_standing_and_drift_are_refreshed_in_few_queries(
    own_broker, django_assert_max_num_queries
):
    keep()
    row = Stream.objects.get(name="MARKET_DATA")
    StreamConsumer.objects.create(stream=row, name="reader", config={})
    fill(own_broker, [("market.a", b"12345"), ("market.b", b"1")])
    config = api("STREAM.INFO.MARKET_DATA")["config"]
    api("STREAM.UPDATE.MARKET_DATA", {**config, "max_msgs": 9})

    # Two to read, one per kind to write, the question for silent defaults, transactions.
    with django_assert_max_num_queries(12):
        keep()

    row.refresh_from_db()
    assert (row.messages, row.first_seq, row.last_seq) == (2, 1, 2)
    assert row.bytes > 0
    assert (row.standing, row.drift) == ("drifted", ["max_msgs"])
    assert row.live is not None
    assert row.live["max_msgs"] == 9
    # Told and not touched; nor is a consumer made.
    assert api("STREAM.INFO.MARKET_DATA")["config"]["max_msgs"] == 9
    assert StreamConsumer.objects.get().standing == "missing"


def test_default_streams_of_an_earlier_version_are_given_fast_ingest_once(own_broker):
    for row in Stream.objects.all():
        create(services.link(), row.name, **row.config)

    keep()

    assert api("STREAM.INFO.MARKET_DATA")["config"]["allow_batched"] is True
    assert Stream.objects.get(name="MARKET_DATA").config["allow_batched"] is True
    assert acts("MARKET_DATA") == ["declare", "update"]
    assert set(standings().values()) == {"in_sync"}

    # Whoever takes it away is believed.
    config = api("STREAM.INFO.MARKET_DATA")["config"]
    api("STREAM.UPDATE.MARKET_DATA", {**config, "allow_batched": False})
    keep()

    assert not api("STREAM.INFO.MARKET_DATA")["config"].get("allow_batched")
    assert standings()["MARKET_DATA"] == "drifted"


def test_after_the_store_was_emptied_all_are_made_anew_and_it_is_said(own_broker):
    keep()
    for name in DEFAULTS:
        api(f"STREAM.DELETE.{name}")

    kept = keep()

    assert set(kept.recreated) == set(kept.created) == set(DEFAULTS)
    assert acts("MARKET_DATA")[-1] == "recreate"


def test_one_stream_that_somebody_deleted_is_told_and_not_made_anew(own_broker):
    keep()
    api("STREAM.DELETE.MARKET_DATA")
    out = StringIO()

    kept, again = keep(), keep()
    call_command("keep_streams", stdout=out)

    assert (kept.gone, kept.created) == (("MARKET_DATA",), ())
    assert again.gone == ("MARKET_DATA",)
    assert acts("MARKET_DATA")[-1:] == ["gone"]
    row = Stream.objects.get(name="MARKET_DATA")
    assert row.standing == "missing"
    assert "gone from NATS" in row.last_error
    assert "MARKET_DATA is gone; sync_streams creates it" in out.getvalue()

    # A plan does it, as soon as somebody asks.
    sync.apply(plan_hash=sync.plan().hash, actor="boss", now=timezone.now())
    assert keep().gone == ()
    assert standings()["MARKET_DATA"] == "in_sync"


def test_what_somebody_should_look_at_is_alerted_once(own_broker):
    keep()
    refused = Standing(state="refused", reason="nats.conf:11: no such port")

    def alerted():
        state = api("STREAM.INFO.SYSTEM_EVENTS", {"subjects_filter": "system.alert.>"})["state"]
        return state.get("subjects") or {}

    with (
        override_settings(NATS_URL=own_broker.url, NATS_EVENTS=True),
        announcing.announced(service="testing"),
    ):
        live = api("STREAM.INFO.MARKET_DATA")["config"]
        api("STREAM.UPDATE.MARKET_DATA", {**live, "max_msgs": 7})
        api("STREAM.DELETE.SERVICE_LOGS")
        for _again in range(2):
            keep()
            servers.note_standing(
                name="tickplane", standing=refused, restart_done=0, now=timezone.now()
            )
        wait_until(lambda: len(alerted()) == 3, 10, "alerts are stored")

    assert alerted() == {
        "system.alert.warning.stream_drifted": 1,
        "system.alert.critical.stream_gone": 1,
        "system.alert.warning.node_refused": 1,
    }


def test_what_was_kept_in_memory_comes_back_unless_an_operator_deleted_it(own_broker):
    config = {"subjects": ["fast.>"], "storage": "memory"}
    Stream.objects.create(name="FAST", config=config)
    keep()

    own_broker.kill()
    own_broker.start()
    wait_until(connected, 10, "the link is back")
    restarted = keep()
    api("STREAM.DELETE.FAST")
    audit.note(actor="boss", action="delete", kind="stream", name="FAST")
    deleted = keep()

    assert restarted.recreated == ("FAST",)
    assert (deleted.created, deleted.gone) == ((), ("FAST",))


def test_what_is_observed_or_wrong_is_not_created_and_the_rest_is(own_broker):
    Stream.objects.create(name="SEEN", config={"subjects": ["seen.>"]}, policy="observe")
    Stream.objects.create(name="WRONG", config={"subjects": ["wrong.>"], "max_age": "1h"})

    kept = keep()

    assert set(kept.created) == set(DEFAULTS)
    assert [name for name, _ in kept.failed] == ["WRONG"]
    wrong = Stream.objects.get(name="WRONG")
    assert (wrong.standing, wrong.last_error.split(":")[0]) == ("missing", "max_age")
    assert standings()["SEEN"] == "missing"


def test_nothing_is_created_where_the_operator_switched_it_off(own_broker):
    Cluster.objects.update(auto_create_streams=False)
    Cluster.objects.get_or_create(name="tickplane", defaults={"auto_create_streams": False})

    kept = keep()

    assert (kept.created, kept.failed) == ((), ())
    assert set(standings().values()) == {"missing"}

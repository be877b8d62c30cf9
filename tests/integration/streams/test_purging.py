"""Purging and deleting, with what stands in the way, on a real server."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from streams import services
from streams.core.errors import (
    ApiRefused,
    BadBackup,
    BadDefinition,
    BadSubject,
    Guarded,
    Unconfirmed,
)
from streams.models import Backup, BrokerAct, Stream, StreamConsumer
from streams.services import backups, browsing, lag, purging
from tests.integration.streams.conftest import fill

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

NOW = timezone.now()
CONSUMER = {"durable_name": "worker", "ack_policy": "explicit"}


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.HOME = tmp_path


def api(verb, body=None):
    return services.link().api(verb, body)


@pytest.fixture
def stream(broker, make_stream):
    """Thirty messages on three subjects by turns, one of them deleted; declared."""
    make_stream("PURGED", subjects=["purged.*"])
    fill(broker, [(f"purged.{n % 3}", b"%d" % n) for n in range(1, 31)])
    api("STREAM.MSG.DELETE.PURGED", {"seq": 3})
    Stream.objects.create(name="PURGED", config={"subjects": ["purged.*"]})
    return "PURGED"


def purge(stream, **asked):
    return purging.purge(
        **{"stream": stream, "typed_name": stream, "actor": "anna", "now": NOW, **asked}
    )


def left(stream):
    return [row.seq for row in browsing.messages(stream=stream, limit=100).rows]


ALL = [n for n in range(1, 31) if n != 3]


@pytest.mark.parametrize(
    ("asked", "stay"),
    [
        ({}, []),
        ({"keep": 4}, [27, 28, 29, 30]),
        ({"keep": 1000}, ALL),
        ({"up_to_seq": 27}, [28, 29, 30]),
        ({"up_to_seq": 1000}, []),
        ({"up_to_seq": 1}, ALL[1:]),
        ({"subject": "purged.0"}, [n for n in ALL if n % 3]),
        ({"subject": "purged.0", "keep": 1}, [n for n in ALL if n % 3 or n == 30]),
        ({"subject": "purged.0", "up_to_seq": 6}, [n for n in ALL if n % 3 or n > 6]),
        ({"subject": "other"}, ALL),
    ],
)
def test_what_would_go_is_what_goes_and_is_written_down(stream, asked, stay):
    foretold = purging.would_remove(stream=stream, **asked)
    assert left(stream) == ALL

    purged = purge(stream, **asked)

    assert left(stream) == stay
    assert foretold == purged.removed == len(ALL) - len(stay)
    assert (purged.before, purged.after) == (29, len(stay))
    act = BrokerAct.objects.get(action="purge")
    assert act.before is not None
    assert act.after is not None
    assert (act.before["messages"], act.after["messages"]) == (29, len(stay))
    assert f"purged={purged.removed}" in act.detail
    assert Stream.objects.get(name=stream).messages == len(stay)


def test_what_would_go_is_told_only_where_it_is_known(broker, make_stream):
    make_stream("INDIRECT", subjects=["indirect"], allow_direct=False)
    fill(broker, [("indirect", b"")] * 5)

    assert purging.would_remove(stream="INDIRECT", up_to_seq=3) == 3
    assert purging.would_remove(stream="INDIRECT", up_to_seq=3, subject="indirect") is None
    api("STREAM.MSG.DELETE.INDIRECT", {"seq": 2})
    assert purging.would_remove(stream="INDIRECT", up_to_seq=3) is None
    assert purging.would_remove(stream="INDIRECT") == 4


def test_what_was_purged_can_be_had_back(stream):
    purged = purge(stream)

    assert purged.backup is not None
    assert purged.backup.messages == 29
    purging.delete_stream(stream=stream, typed_name=stream, actor="anna", now=NOW)
    backups.restore(backup=purged.backup, actor="anna", now=NOW)
    assert left(stream) == ALL


def test_a_backup_is_left_out_when_told_so_and_for_what_is_empty(stream):
    assert purge(stream, skip_backup=True).backup is None
    assert purge(stream).backup is None
    assert not Backup.objects.exists()
    assert "no backup" in BrokerAct.objects.first().detail  # type: ignore[union-attr]


def test_without_its_backup_nothing_is_removed(stream, monkeypatch):
    monkeypatch.setattr(backups, "SPARE_BYTES", 2**60)

    with pytest.raises(BadBackup):
        purge(stream)
    with pytest.raises(BadBackup):
        purging.delete_stream(stream=stream, typed_name=stream, actor="anna", now=NOW)

    assert left(stream) == ALL


def every_loss(stream, typed_name):
    common = {"stream": stream, "typed_name": typed_name, "actor": "anna", "now": NOW}
    return (
        lambda: purging.purge(**common),
        lambda: purging.delete_message(seq=1, **common),
        lambda: purging.delete_stream(**common),
        lambda: purging.delete_consumer(
            consumer="worker",
            **{**common, "typed_name": "worker" if typed_name == stream else typed_name},
        ),
    )


@pytest.fixture
def worker(stream):
    api("CONSUMER.CREATE.PURGED.worker", {"stream_name": stream, "config": CONSUMER})
    return StreamConsumer.objects.create(stream=Stream.objects.get(name=stream), name="worker")


@pytest.mark.parametrize("typed", ["", "purged", "PURGED ", "OTHER"])
def test_nothing_goes_without_its_name(stream, worker, typed):
    for lose in every_loss(stream, typed):
        with pytest.raises(Unconfirmed):
            lose()

    assert left(stream) == ALL
    assert api("STREAM.INFO.PURGED")["state"]["consumer_count"] == 1


@pytest.mark.parametrize("policy", ["observe", "protect"])
def test_nothing_goes_against_the_streams_policy(stream, worker, policy):
    Stream.objects.update(policy=policy)

    for lose in every_loss(stream, stream):
        with pytest.raises(Guarded, match=policy):
            lose()

    assert left(stream) == ALL
    assert not BrokerAct.objects.exists()


def test_a_protected_consumer_stays(stream, worker):
    StreamConsumer.objects.update(policy="protect")

    with pytest.raises(Guarded, match="PURGED/worker"):
        every_loss(stream, stream)[3]()


def test_nothing_goes_that_is_not_declared(stream, worker):
    Stream.objects.all().delete()

    for lose in every_loss(stream, stream):
        with pytest.raises(Guarded, match="not declared"):
            lose()


def test_what_the_stream_denies_is_said_before_a_backup(broker, make_stream):
    make_stream("DENIES", subjects=["denies"], deny_purge=True, deny_delete=True)
    fill(broker, [("denies", b"x")])
    Stream.objects.create(name="DENIES")

    with pytest.raises(Guarded, match="deny_purge"):
        purge("DENIES")
    with pytest.raises(Guarded, match="deny_delete"):
        purging.delete_message(stream="DENIES", seq=1, typed_name="DENIES", actor="a", now=NOW)

    assert not Backup.objects.exists()


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"keep": 0}, BadDefinition),
        ({"keep": -1}, BadDefinition),
        ({"up_to_seq": 0}, BadDefinition),
        ({"up_to_seq": 2**64}, BadDefinition),
        ({"keep": 1, "up_to_seq": 1}, BadDefinition),
        ({"subject": "a..b"}, BadSubject),
        ({"subject": ""}, BadSubject),
    ],
)
def test_a_purge_that_could_mean_more_than_was_meant_is_refused(stream, asked, error):
    with pytest.raises(error):
        purge(stream, **asked)
    with pytest.raises(error):
        purging.would_remove(stream=stream, **asked)

    assert left(stream) == ALL


@pytest.mark.parametrize("erase", [False, True])
def test_one_message_is_deleted_and_told_without_what_was_in_it(stream, erase):
    purging.delete_message(
        stream=stream, seq=7, typed_name=stream, actor="anna", now=NOW, erase=erase
    )

    assert left(stream) == [n for n in ALL if n != 7]
    act = BrokerAct.objects.get(action="delete_message")
    assert act.before is not None
    assert (act.before["seq"], act.before["subject"], act.before["size"]) == (7, "purged.1", 1)
    with pytest.raises(ApiRefused) as caught:
        purging.delete_message(stream=stream, seq=7, typed_name=stream, actor="anna", now=NOW)
    assert caught.value.code == 10037


def test_a_consumer_is_deleted_and_its_position_written_down(stream, worker):
    purging.delete_consumer(
        stream=stream, consumer="worker", typed_name="worker", actor="anna", now=NOW
    )

    assert api("STREAM.INFO.PURGED")["state"]["consumer_count"] == 0
    worker.refresh_from_db()
    assert (worker.standing, worker.live, worker.applied["durable_name"]) == (
        "missing", None, "worker",
    )  # fmt: skip
    act = BrokerAct.objects.get(action="delete", kind="consumer")
    assert act.name == "PURGED/worker"
    assert act.before is not None
    assert act.before["num_pending"] == 29


def test_a_deleted_stream_stays_declared_and_is_not_made_anew(stream, worker):
    gone = purging.delete_stream(stream=stream, typed_name=stream, actor="anna", now=NOW)

    assert (gone.removed, gone.after) == (29, 0)
    assert gone.backup is not None
    row = Stream.objects.get(name=stream)
    worker.refresh_from_db()
    assert (row.standing, row.messages, worker.standing) == ("missing", 0, "missing")
    assert row.applied is not None
    act = BrokerAct.objects.get(action="delete")
    assert act.before is not None
    assert act.before["config"]["subjects"] == ["purged.*"]
    assert gone.backup.file in act.detail
    Stream.objects.exclude(name=stream).delete()  # Those that an installation begins with.
    services.keep_streams(now=NOW)
    assert "PURGED" not in (api("STREAM.NAMES").get("streams") or [])


def test_what_is_not_there_cannot_be_deleted(broker):
    Stream.objects.create(name="NOWHERE")

    with pytest.raises(ApiRefused) as caught:
        purging.delete_stream(stream="NOWHERE", typed_name="NOWHERE", actor="anna", now=NOW)

    assert caught.value.code == 10059


@pytest.fixture
def interested(broker, make_stream):
    """Ten messages that are kept because one consumer waits for them; declared."""
    make_stream("INTERESTED", subjects=["interested.*"], retention="interest")
    body = {"stream_name": "INTERESTED", "config": CONSUMER}
    api("CONSUMER.DURABLE.CREATE.INTERESTED.worker", body)
    fill(broker, [("interested.a", b"%d" % n) for n in range(10)])
    row = Stream.objects.create(name="INTERESTED", config={"retention": "interest"})
    return StreamConsumer.objects.create(stream=row, name="worker")


def delete_worker(**asked):
    return purging.delete_consumer(
        stream="INTERESTED", consumer="worker", typed_name="worker", actor="anna", now=NOW, **asked
    )


def test_what_goes_with_the_last_consumer_that_waits_for_it_is_backed_up(interested):
    backup = delete_worker()

    assert api("STREAM.INFO.INTERESTED")["state"]["messages"] == 0
    assert backup is not None
    assert (backup.state, backup.messages) == ("done", 10)
    assert backup.file in BrokerAct.objects.get(action="delete", kind="consumer").detail


def test_a_consumer_stays_when_the_backup_of_its_stream_fails(interested, tmp_path):
    (tmp_path / "backups").write_text("no folder")

    with pytest.raises(BadBackup):
        delete_worker()

    state = api("STREAM.INFO.INTERESTED")["state"]
    assert (state["messages"], state["consumer_count"]) == (10, 1)
    assert Backup.objects.get().state == "failed"
    assert delete_worker(skip_backup=True) is None


def test_what_a_consumer_steps_over_is_backed_up(interested):
    common: Any = {"stream": "INTERESTED", "consumer": "worker", "typed_name": "worker"}
    lag.reset(**common, actor="anna", now=NOW)
    assert not Backup.objects.exists()

    lag.reset(**common, actor="anna", now=NOW, seq=6)

    assert api("STREAM.INFO.INTERESTED")["state"]["messages"] == 5
    backup = Backup.objects.get()
    assert backup.messages == 10
    assert backup.file in BrokerAct.objects.filter(action="reset").latest("id").detail


def test_the_page_says_what_goes_with_the_consumer(interested, admin_client):
    address = f"/admin/streams/streamconsumer/{interested.pk}/remove/"

    asked = admin_client.get(address).content.decode()
    done = admin_client.post(address, {"typed_name": "worker"})

    assert "no other consumer waits for" in asked
    assert "skip_backup" in asked
    assert done.status_code == 302
    assert Backup.objects.get().messages == 10

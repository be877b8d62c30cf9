"""Backups of streams, and their coming back, on a real server."""

from __future__ import annotations

import asyncio
import hashlib
import random
import stat
from datetime import timedelta

import msgspec
import nats
import pytest
from django.utils import timezone

from streams import services
from streams.broker.connect import connect
from streams.core.errors import ApiRefused, BadBackup, BadDefinition, BrokerAway, Guarded
from streams.models import Backup, BrokerAct, Stream
from streams.services import backups, browsing
from tests.integration.streams.conftest import create, fill
from tests.servers.process import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

NOW = timezone.now()
WORKER = {"durable_name": "worker", "ack_policy": "explicit", "ack_wait": 60_000_000_000}


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.HOME = tmp_path / "home"
    return settings.HOME


def api(verb, body=None):
    return services.link().api(verb, body)


def consumer(stream, config):
    body = {"stream_name": stream, "config": config}
    return api(f"CONSUMER.CREATE.{stream}.{config['durable_name']}", body)


def backed_up(stream, **more):
    return backups.backup(stream=stream, actor="anna", reason="test", now=NOW, **more)


def restore(backup, **more):
    return backups.restore(backup=backup, actor="anna", now=NOW, **more)


def noise(size, seed=7):
    """Bytes that no compression makes fewer."""
    return random.Random(seed).randbytes(size)  # noqa: S311


def digest(url, stream):
    """Return a digest over every message of a stream: sequence, subject, time, headers, payload."""

    async def read():
        client = await nats.connect(url)
        found = hashlib.sha256()
        config = nats.js.api.ConsumerConfig(
            durable_name="digest", ack_policy=nats.js.api.AckPolicy.NONE
        )
        inbox = await client.jetstream().subscribe("", stream=stream, config=config)
        try:
            while True:
                msg = await inbox.next_msg(timeout=10)
                told = msg.metadata
                found.update(
                    repr(
                        (told.sequence.stream, msg.subject, told.timestamp, msg.headers, msg.data)
                    ).encode()
                )
                if told.num_pending == 0:
                    return found.hexdigest()
        finally:
            await inbox.unsubscribe()
            await client.jsm().delete_consumer(stream, "digest")
            await client.close()

    return asyncio.run(read())


def take_and_acknowledge(url, stream, count):
    async def take():
        client = await connect(url, name="test")
        sub = await client.jetstream().pull_subscribe_bind("worker", stream)
        for msg in await sub.fetch(count, timeout=5):
            await msg.ack_sync()
        await client.close()

    asyncio.run(take())


def test_twenty_thousand_messages_and_a_consumer_come_back_as_they_were(broker, make_stream):
    make_stream("ARCHIVE", subjects=["archive.>"], storage="file")
    consumer("ARCHIVE", WORKER)
    fill(broker, [(f"archive.{n % 9}", b"%d:" % n + noise(200, n)) for n in range(20_000)])
    for seq in (5, 777, 20_000):
        api("STREAM.MSG.DELETE.ARCHIVE", {"seq": seq})
    take_and_acknowledge(broker.url, "ARCHIVE", 4)
    before, content = api("STREAM.INFO.ARCHIVE"), digest(broker.url, "ARCHIVE")
    seen: list[int] = []

    kept = backed_up("ARCHIVE", progress=seen.append)
    api("STREAM.DELETE.ARCHIVE")
    restored = restore(kept)

    after = api("STREAM.INFO.ARCHIVE")
    assert (kept.messages, restored.messages, restored.consumers) == (19_997, 19_997, 1)
    # The server's time of a last message that was deleted does not come back; all else does.
    assert {**after["state"], "last_ts": ""} == {**before["state"], "last_ts": ""}
    assert after["config"] == before["config"]
    assert digest(broker.url, "ARCHIVE") == content
    worker = api("CONSUMER.INFO.ARCHIVE.worker")
    assert (worker["ack_floor"]["stream_seq"], worker["num_pending"]) == (4, 19_993)
    assert seen == sorted(seen)
    assert len(seen) > 10


def test_three_copies_come_back_on_a_cluster_or_as_one(linked_cluster):
    create(services.link(), "THRICE", subjects=["thrice"], num_replicas=3, storage="file")
    consumer("THRICE", WORKER)
    fill(linked_cluster, [("thrice", noise(1000, n)) for n in range(500)])
    take_and_acknowledge(linked_cluster.url(), "THRICE", 4)
    wait_until(lambda: floor("THRICE") == 4, 10, "the acknowledgements are known")

    kept = backed_up("THRICE")
    alone = restore(kept, as_name="ONCE", replicas=1)
    api("STREAM.DELETE.THRICE")
    restored = restore(kept)

    assert (alone.messages, restored.messages) == (500, 500)
    assert [api(f"STREAM.INFO.{n}")["config"]["num_replicas"] for n in ("ONCE", "THRICE")] == [1, 3]
    wait_until(lambda: floor("THRICE") == floor("ONCE") == 4, 10, "the positions are back")
    last = browsing.messages(stream="THRICE", backwards=True, limit=1).rows[0]
    assert (last.seq, last.size) == (500, 1000)


def floor(stream):
    return api(f"CONSUMER.INFO.{stream}.worker")["ack_floor"]["stream_seq"]


def test_the_file_is_private_whole_and_written_down(broker, make_stream, home):
    make_stream("SMALL", subjects=["small"])
    fill(broker, [("small", b"x")])

    kept = backed_up("SMALL")

    file = backups.path(kept)
    assert file.parent == home / "backups"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == [kept.file]
    assert hashlib.sha256(file.read_bytes()).hexdigest() == kept.sha256
    assert (kept.state, kept.size, kept.last_error) == ("done", file.stat().st_size, "")
    act = BrokerAct.objects.get(action="backup")
    assert act.after is not None
    assert (act.actor, act.kind, act.name, act.after["messages"]) == ("anna", "stream", "SMALL", 1)


def test_an_empty_stream_comes_back_with_its_numbers(broker, make_stream):
    make_stream("DRAINED", subjects=["drained"])
    fill(broker, [("drained", b"x"), ("drained", b"y")])
    api("STREAM.PURGE.DRAINED")

    kept = backed_up("DRAINED")
    api("STREAM.DELETE.DRAINED")
    restore(kept)

    state = api("STREAM.INFO.DRAINED")["state"]
    assert (state["messages"], state["first_seq"], state["last_seq"]) == (0, 3, 2)


def test_what_came_back_is_not_missing_any_more(broker, make_stream):
    config = make_stream("BACK", subjects=["back.>"])["config"]
    fill(broker, [("back.a", b"1"), ("back.b", b"2")])
    kept = backed_up("BACK")
    api("STREAM.DELETE.BACK")
    row = Stream.objects.create(
        name="BACK", config={"subjects": ["back.>"]}, applied=config, standing="missing",
        last_error="gone from NATS",
    )  # fmt: skip

    restore(kept)

    row.refresh_from_db()
    assert (row.standing, row.messages, row.last_error) == ("in_sync", 2, "")


def test_a_copy_stands_beside_the_original_and_takes_nothing_of_it(broker, make_stream):
    make_stream("FIRST", subjects=["first.>"])
    make_stream("COPY", subjects=["elsewhere"])
    api("STREAM.DELETE.COPY")  # Only so that it is taken away with the test.
    fill(broker, [("first.a", b"1"), ("first.b", b"2")])
    kept = backed_up("FIRST")

    restored = restore(kept, as_name="COPY", subjects=["copied.>"])
    fill(broker, [("first.c", b"3"), ("copied.d", b"4")])

    assert (restored.stream, restored.messages) == ("COPY", 2)
    rows = browsing.messages(stream="COPY").rows
    assert [row.subject for row in rows] == ["first.a", "first.b", "copied.d"]
    assert api("STREAM.INFO.FIRST")["state"]["messages"] == 3


def test_a_copy_that_would_deliver_again_is_refused(broker, make_stream):
    make_stream("PUSHING", subjects=["pushing"])
    consumer("PUSHING", {"durable_name": "pusher", "deliver_subject": "to.somebody"})
    kept = backed_up("PUSHING")

    with pytest.raises(BadDefinition, match="pusher"):
        restore(kept, as_name="PUSHING_TOO")


def test_what_exists_is_not_overwritten(broker, make_stream):
    make_stream("EXISTS", subjects=["exists"])
    kept = backed_up("EXISTS")

    with pytest.raises(BadDefinition) as caught:
        restore(kept)

    assert caught.value.field == "as_name"
    assert "EXISTS" in str(caught.value)


def test_what_is_only_observed_is_not_brought_back(broker, make_stream):
    make_stream("WATCHED", subjects=["watched"])
    kept = backed_up("WATCHED")
    api("STREAM.DELETE.WATCHED")
    Stream.objects.create(name="WATCHED", policy="observe")

    with pytest.raises(Guarded, match="observe"):
        restore(kept)


@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_a_damaged_file_is_refused_before_anything_is_done(broker, make_stream, damage):
    make_stream("DAMAGED", subjects=["damaged"])
    fill(broker, [("damaged", noise(5000))])
    kept = backed_up("DAMAGED")
    api("STREAM.DELETE.DAMAGED")
    file = backups.path(kept)
    content = bytearray(file.read_bytes())
    content[3000] ^= 1
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content if damage == "changed" else content[:-600])

    with pytest.raises(BadBackup, match="cannot be read" if damage == "missing" else "SHA-256"):
        restore(kept)

    with pytest.raises(ApiRefused):
        api("STREAM.INFO.DAMAGED")


def test_what_jetstream_refuses_half_way_leaves_no_stream(broker, make_stream):
    make_stream("SPOILT", subjects=["spoilt"], storage="file")
    fill(broker, [("spoilt", noise(1000, n)) for n in range(2000)])
    kept = backed_up("SPOILT")
    api("STREAM.DELETE.SPOILT")
    # Written down as if it were right: only the server can know.
    file = backups.path(kept)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    kept.sha256 = hashlib.sha256(content).hexdigest()

    with pytest.raises(BadBackup, match="refused"):
        restore(kept)

    assert "SPOILT" not in (api("STREAM.NAMES").get("streams") or [])


def test_a_server_that_dies_half_way_leaves_a_failed_row_and_no_file(own_broker, home):
    create(services.link(), "BIG", subjects=["big"], storage="file")
    # More than the window: the server cannot have sent it all by then.
    fill(own_broker, [("big", noise(100_000, n)) for n in range(200)])

    with pytest.raises(BadBackup):
        backed_up("BIG", progress=lambda _size: own_broker.kill())

    row = Backup.objects.get()
    assert (row.state, row.stream, row.sha256) == ("failed", "BIG", "")
    assert row.last_error
    assert list((home / "backups").iterdir()) == []


def test_a_server_that_dies_while_restoring_is_said(own_broker):
    create(services.link(), "BIG", subjects=["big"], storage="file")
    fill(own_broker, [("big", noise(100_000, n)) for n in range(50)])
    kept = backed_up("BIG")
    api("STREAM.DELETE.BIG")

    with pytest.raises(BadBackup, match="delete what is there"):
        restore(kept, progress=lambda _size: own_broker.kill())

    own_broker.start()
    wait_until(connected, 15, "the link is back")
    restore_anew(kept)
    assert api("STREAM.INFO.BIG")["state"]["messages"] == 50


def connected():
    try:
        return api("STREAM.NAMES")
    except BrokerAway:
        return False


def restore_anew(kept):
    for name in api("STREAM.NAMES").get("streams") or []:
        api(f"STREAM.DELETE.{name}")
    restore(kept)


def test_a_stream_that_is_not_there_leaves_no_row(broker):
    with pytest.raises(ApiRefused):
        backed_up("NOWHERE")

    assert not Backup.objects.exists()


def test_a_full_disk_is_said_before(broker, make_stream, home, monkeypatch):
    monkeypatch.setattr(backups, "SPARE_BYTES", 2**60)
    make_stream("FULL", subjects=["full"])

    with pytest.raises(BadBackup, match="bytes free"):
        backed_up("FULL")

    assert Backup.objects.get().state == "failed"
    assert list((home / "backups").iterdir()) == []


def rows_of(stream, *days_old, state="done"):
    (backups.folder()).mkdir(parents=True, exist_ok=True)
    for days in days_old:
        row = Backup.objects.create(
            stream=stream, at=NOW - timedelta(days=days), actor="x", state=state,
            file=f"{stream}-{days}.tar",
        )  # fmt: skip
        backups.path(row).write_bytes(b"x")


def test_old_backups_go_but_the_newest_stays_for_ever(home, settings):
    settings.BACKUPS_KEPT, settings.BACKUP_RETENTION_DAYS = 3, 30
    rows_of("MANY", 1, 2, 3, 4, 40)
    rows_of("OLD", 100, 200)
    rows_of("NEVER", 50, state="failed")

    deleted = backups.prune(now=NOW)

    assert deleted == 4
    left = {"MANY-1.tar", "MANY-2.tar", "MANY-3.tar", "OLD-100.tar"}
    assert {row.file for row in Backup.objects.all()} == left
    assert {file.name for file in (home / "backups").iterdir()} == left | {"NEVER-50.tar"}


def test_what_its_process_left_behind_is_called_failed(home):
    rows_of("DEAD", 1, state="running")
    part = home / "backups" / "DEAD-1.tar.part"
    part.write_bytes(b"x")
    import os  # noqa: PLC0415

    long_ago = (NOW - timedelta(hours=2)).timestamp()
    os.utime(part, (long_ago, long_ago))

    backups.prune(now=NOW)

    row = Backup.objects.get()
    assert (row.state, part.exists()) == ("failed", False)


def test_what_is_being_written_is_left_alone(home):
    rows_of("ALIVE", 1, state="running")
    (home / "backups" / "ALIVE-1.tar.part").write_bytes(b"x")

    backups.prune(now=NOW)

    row = Backup.objects.get()
    assert row.state == "running"
    with pytest.raises(BadBackup):
        backups.remove(backup=row, actor="anna")


def test_a_backup_can_be_deleted(broker, make_stream):
    make_stream("GONE", subjects=["gone"])
    kept = backed_up("GONE")
    file = backups.path(kept)

    backups.remove(backup=kept, actor="anna")

    assert not file.exists()
    assert not Backup.objects.exists()
    assert BrokerAct.objects.filter(action="delete_backup", name="GONE").exists()


def test_another_program_can_restore_it(broker, make_stream, tmp_path):
    """By the two files in the tar alone, as `nats stream restore` does it."""
    import tarfile  # noqa: PLC0415

    make_stream("FOREIGN", subjects=["foreign"])
    fill(broker, [("foreign", b"x")] * 3)
    kept = backed_up("FOREIGN")
    api("STREAM.DELETE.FOREIGN")

    folder = tmp_path / "by hand"
    with tarfile.open(backups.path(kept)) as tar:
        tar.extractall(folder, filter="data")
    asked = msgspec.json.decode((folder / "backup.json").read_bytes())
    data = (folder / "stream.tar.s2").read_bytes()
    del asked["push_consumers"]
    told = api("STREAM.RESTORE.FOREIGN", asked)

    async def send():
        client = await nats.connect(broker.url)
        await client.request(told["deliver_subject"], data, timeout=5)
        end = await client.request(told["deliver_subject"], b"", timeout=5)
        await client.close()
        return msgspec.json.decode(end.data)

    assert asyncio.run(send())["state"]["messages"] == 3

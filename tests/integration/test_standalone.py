"""The whole product, started as the operator starts it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import bcrypt
import nats
import pika
import psycopg
import pytest

from tests.arch.sources import ROOT
from tests.servers.authority import Authority
from tests.servers.process import wait_until
from tests.servers.standalone import Tickplane

pytestmark = pytest.mark.integration

COUNTS = ("market_messages", "account_messages", "websocket_frames")
READY_AGAIN_S = 8
FLOWS_AGAIN_S = 10
RESIDENT_MB = 450
GONE_S = 15
ALIVE_S = 10


def members(home):
    """Return the pids of all processes that were started for this data directory, orphans too."""
    mark = f"TICKPLANE_HOME={home}".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = entry.read_bytes().split(b"\0")
        except OSError:
            continue  # It ended while we looked.
        if mark in environment:
            found.add(int(entry.parent.name))
    return found


class Flow:
    """Whether market and account data have been seen."""

    def __init__(self):
        self.seen = {kind: asyncio.Event() for kind in ("market", "account")}

    def note(self, subject):
        self.seen[subject.partition(".")[0]].set()

    async def complete(self):
        for event in self.seen.values():
            await event.wait()


async def ignore(error):
    """Refused connections are what this test brings about."""


@pytest.fixture
def system(tmp_path):
    system = Tickplane(tmp_path)
    system.start()
    yield system
    system.stop()
    for pid in members(system.home):
        os.kill(pid, signal.SIGKILL)


def report(folder, **settings):
    """Run the product for five seconds; return its report and what it told the operator."""
    system = Tickplane(folder, "--exit-after", "5", "--json", **settings)
    done = subprocess.run(
        system.command(),
        cwd=system.cwd,
        env=system.environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert members(system.home) == set()
    (line,) = done.stdout.splitlines()
    return json.loads(line), done.stderr


def test_a_script_gets_one_line_of_counts_and_a_second_start_reuses_the_data(tmp_path):
    first, told_first = report(tmp_path)
    second, told_second = report(tmp_path)

    for counted in first, second:
        assert all(counted[name] > 0 for name in COUNTS), counted
        assert 0 < counted["rss_mb"] <= RESIDENT_MB
    assert second["ready_s"] < READY_AGAIN_S
    assert ("Password" in told_first, "Password" in told_second) == (True, False)
    # The report was counted by a signed-in subscriber; nobody may inherit its session.
    with closing(sqlite3.connect(tmp_path / "home" / "tickplane.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM django_session").fetchone() == (0,)


def test_the_operators_servers_replace_every_embedded_part(
    tmp_path, own_nats, rabbitmq_server, redis_server, postgres_server
):
    database_url = postgres_server.new_database()
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    channel = connection.channel()
    channel.queue_delete("socket_data")

    counted, _ = report(
        tmp_path,
        NATS_URL=own_nats.url,
        NATS_MONITOR_URL=own_nats.monitor_url,
        RABBITMQ_URL=rabbitmq_server.url,
        REDIS_URL=redis_server.url,
        DATABASE_URL=database_url,
    )

    assert all(counted[name] > 0 for name in COUNTS), counted
    home = tmp_path / "home"
    assert not (home / "tickplane.sqlite3").exists()
    assert not (home / "nats" / "nats.conf").exists()
    assert not list((home / "celery" / "queue").iterdir())
    _, _, body = channel.basic_get("socket_data", auto_ack=True)
    assert body, "nothing was published to socket_data"
    assert {json.loads(line)["type"] for line in body.splitlines()} == {"account"}
    channel.queue_delete("socket_data")
    connection.close()
    with psycopg.connect(database_url) as database:
        row = database.execute("SELECT count(*), count(last_published_at) FROM accounts_account")
        assert row.fetchone() == (20, 20)


def test_ctrl_c_leaves_no_process_behind(system):
    assert len(members(system.home)) > 5

    os.kill(system.pid, signal.SIGINT)

    assert system.process.wait(GONE_S) == 0
    assert members(system.home) == set()
    assert not (system.home / "running.env").exists()


def test_a_killed_parent_leaves_no_process_behind(system):
    os.kill(system.pid, signal.SIGKILL)

    wait_until(lambda: not members(system.home), GONE_S, "the children follow their parent")


async def test_messages_flow_again_after_the_nats_server_was_killed(system):
    pid_file = system.home / "nats" / "nats.pid"
    killed = int(pid_file.read_text())
    lost = asyncio.Event()
    before, after = Flow(), Flow()

    async def note(message):
        (after if lost.is_set() else before).note(message.subject)

    async def note_loss():
        lost.set()

    client = await nats.connect(
        system.nats_url,
        disconnected_cb=note_loss,
        error_cb=ignore,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
    )
    await client.subscribe("market.>", cb=note)
    await client.subscribe("account.>", cb=note)
    async with asyncio.timeout(FLOWS_AGAIN_S):
        await before.complete()

    os.kill(killed, signal.SIGKILL)

    async with asyncio.timeout(FLOWS_AGAIN_S):
        await lost.wait()
        await after.complete()
    await client.close()
    assert int(pid_file.read_text()) != killed


def node(system):
    with closing(sqlite3.connect(system.home / "tickplane.sqlite3")) as database:
        found = database.execute(
            "SELECT state, reason, pid, digest = wanted_digest FROM streams_node"
        )
        return found.fetchone()


def declare(system, statement, *values):
    with (
        closing(sqlite3.connect(system.home / "tickplane.sqlite3", timeout=20)) as database,
        database,
    ):
        database.execute(statement, values)


async def test_nats_follows_its_records_while_everything_runs(system):
    state, _, pid, _ = node(system)
    assert (state, pid) == ("running", int((system.home / "nats" / "nats.pid").read_text()))
    url = f"nats://eve:eves-password@{system.nats_url.rpartition('@')[2]}"
    hashed = bcrypt.hashpw(b"eves-password", bcrypt.gensalt(4)).decode()

    declare(system, "UPDATE streams_cluster SET max_payload = '100GB'")
    wait_until(lambda: node(system)[0] == "refused", ALIVE_S, "the bad setting is refused")
    assert "max_payload" in node(system)[1]
    declare(system, "UPDATE streams_cluster SET max_payload = '2MB'")
    declare(
        system,
        "INSERT INTO streams_brokeruser (cluster_id, name, password_hash, role, enabled, subjects,"
        " streams, publish_allow, publish_deny, subscribe_allow, subscribe_deny) SELECT id, 'eve',"
        " ?, 'consumer', 1, '[\"market.>\"]', '[]', '[]', '[]', '[]', '[]' FROM streams_cluster",
        hashed,
    )
    await asyncio.to_thread(
        wait_until, lambda: node(system) == ("running", "", pid, 1), ALIVE_S, "all is loaded"
    )

    client = await nats.connect(url, allow_reconnect=False)
    found = await (await client.jetstream().pull_subscribe("market.>", durable="eve")).fetch(1)
    assert client.max_payload == 2 * 1024 * 1024
    await client.close()
    assert len(found) == 1


def test_its_own_processes_show_the_certificates_that_its_server_asks_for(tmp_path):
    files = Authority(tmp_path / "tls").issue("own")
    system = Tickplane(tmp_path)
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=system.environment(), check=True)
    declare(
        system,
        "INSERT INTO streams_tlsfiles (id, name, cert_file, key_file, ca_file, verify, timeout_s)"
        " VALUES (1, 'own', ?, ?, ?, 1, 3)",
        files.cert_file,
        files.key_file,
        files.ca_file,
    )
    declare(system, "UPDATE streams_cluster SET client_tls_id = 1")

    counted, _ = report(tmp_path)

    assert all(counted[name] > 0 for name in COUNTS), counted


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_it_starts_whatever_host_names_browsers_are_allowed_to_use(tmp_path, host):
    system = Tickplane(
        tmp_path, "--no-demo", "--host", host, TICKPLANE_ALLOWED_HOSTS="tickplane.example"
    )

    system.start()

    assert system.url == f"http://127.0.0.1:{system.port}"
    system.stop()


def test_a_demo_that_was_never_made_or_was_stopped_is_not_waited_for(tmp_path):
    without = Tickplane(tmp_path, "--no-demo")
    without.start()
    without.stop()
    system = Tickplane(tmp_path)

    system.start()

    assert system.running_values()["WEB_URL"]
    system.stop()


def test_the_data_directory_may_have_any_name(tmp_path):
    system = Tickplane(tmp_path, "--no-demo")
    system.home = tmp_path / "50%25 größe #1?"

    system.start()

    assert (system.home / "tickplane.sqlite3").exists()
    assert (system.home / "nats" / "jetstream").is_dir()
    system.stop()


def test_the_password_is_shown_although_the_first_start_was_interrupted(tmp_path):
    system = Tickplane(tmp_path)
    process = subprocess.Popen(
        system.command(),
        cwd=system.cwd,
        env=system.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until((system.home / "log" / "web.log").exists, 30, "the web server is started")

    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)

    assert "stopped before it was ready" in told
    assert "Password" in told
    assert members(system.home) == set()

"""The supervisor with a real nats-server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt
import msgspec
import nats
import nats.errors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from nats.aio.client import Client

from streams import supervise
from streams.broker import server
from streams.broker.connect import connect
from streams.core import permissions, reloading
from streams.core.permissions import Permissions
from streams.core.serverconf import NodeConfiguration, Routes, Tls, User
from streams.supervise import AlreadySupervised, ConfigurationRefused, Standing, Supervisor
from tests.arch.sources import ROOT
from tests.servers.nats import NatsServer
from tests.servers.process import free_port, listens, wait_until

pytestmark = pytest.mark.integration

WITHIN_S = 10
PASSWORD, SYSTEM_PASSWORD = "the-password", "the-system"
replace = msgspec.structs.replace


def hashed(password):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


HASH, SYSTEM_HASH = hashed(PASSWORD), hashed(SYSTEM_PASSWORD)


def user(name, may):
    return User(name, HASH, may)


def configuration(folder, **more):
    given = {
        "name": "n1",
        "port": free_port(),
        "http_port": free_port(),
        "store_folder": str(folder / "store"),
        "pid_file": str(folder / "nats.pid"),
        "log_file": str(folder / "nats.log"),
        "users": (user("tickplane", permissions.admin()),),
        "system_hash": SYSTEM_HASH,
    }
    return NodeConfiguration(**(given | more))


class Kept:
    """A supervisor, and what it says when it is asked again and again."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.options = options
        self.supervisor = Supervisor(folder=folder, system_password=SYSTEM_PASSWORD, **options)

    def look(self, wanted, **more):
        return self.supervisor.look(wanted, **more)

    def until(self, wanted, state, **more):
        """Look until the server is in this state; return how it is."""
        found: list[Standing] = []

        def is_so():
            found[:] = [self.look(wanted, **more)]
            more.pop("restart", None)
            return found[0].state == state

        wait_until(is_so, WITHIN_S, f"{state}; it is {found}")
        return found[0]


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path)
    yield kept
    kept.supervisor.stop()
    kept.supervisor.close()


def url(c, name="tickplane"):
    return f"nats://{name}:{PASSWORD}@127.0.0.1:{c.port}"


async def ignore(error):
    """Refused logins are what these tests bring about."""


async def connected(c, name="tickplane", **options):
    return await nats.connect(
        url(c, name), connect_timeout=2, allow_reconnect=False, error_cb=ignore, **options
    )


def may_log_in(c, name="tickplane"):
    async def tried():
        client = Client()
        try:
            await client.connect(url(c, name), allow_reconnect=False, error_cb=ignore)
        except (nats.errors.Error, OSError):
            return False
        finally:
            await client.close()
        return True

    return asyncio.run(tried())


def test_a_server_runs_exactly_what_was_checked(kept):
    c = configuration(kept.folder)

    standing = kept.until(c, "running")

    assert standing.digest == standing.wanted_digest != ""
    assert int((kept.folder / "nats.pid").read_text()) == standing.pid == kept.supervisor.pid
    assert may_log_in(c)
    for name in "nats.conf", "nats.last.json":
        assert (kept.folder / name).stat().st_mode & 0o077 == 0


def test_users_come_and_go_while_it_runs(kept):
    before = configuration(kept.folder)
    pid = kept.until(before, "running").pid
    after = replace(before, users=(*before.users, user("eve", permissions.producer(["a.>"]))))

    standing = kept.look(after)

    assert (standing.state, standing.pid, standing.awaits_restart) == ("running", pid, ())
    assert standing.digest == standing.wanted_digest
    assert may_log_in(after, "eve")
    kept.look(before)
    assert not may_log_in(before, "eve")


def test_a_changed_system_password_is_loaded_too(kept):
    before = configuration(kept.folder)
    pid = kept.until(before, "running").pid

    standing = kept.look(replace(before, system_hash=hashed("another")))

    assert (standing.state, standing.pid) == ("running", pid)
    assert standing.digest == standing.wanted_digest


def test_a_refused_configuration_leaves_the_old_one_running(kept):
    good = configuration(kept.folder)
    before = kept.until(good, "running")
    text = (kept.folder / "nats.conf").read_text()

    standing = kept.look(replace(good, max_payload_bytes=10**12))

    assert standing.state == "refused"
    assert "max_payload" in standing.reason
    assert (standing.pid, standing.digest) == (before.pid, before.digest)
    assert standing.wanted_digest == ""
    assert (kept.folder / "nats.conf").read_text() == text
    unreadable = kept.look(None, why_not="max_payload: 'x' is no size")
    assert (unreadable.state, unreadable.wanted_digest) == ("refused", "")
    assert unreadable.reason.startswith("max_payload")
    assert kept.look(good).state == "running"


LIVE: list[dict[str, Any]] = [
    {"client_advertise": "127.0.0.1:5"},
    {"max_streams": 5, "max_consumers": 5},
    {"max_connections": 7},
    {"max_payload_bytes": 77_777},
    {"write_deadline_s": 9.5},
    {"ping_interval_s": 60.0, "max_pings_out": 4},
    {"max_memory_bytes": 2 * 1024**3},
    {"max_storage_bytes": 11 * 1024**3},
    {"jetstream": False},
    {"jetstream": True},
]


def test_what_the_table_calls_live_is_loaded_without_a_restart(kept):
    c = configuration(kept.folder)
    before = kept.until(c, "running")
    standing, digests = before, {before.digest}

    for change in LIVE:
        c = replace(c, **change)
        standing = kept.until(c, "running")  # JetStream takes a moment to be on.
        assert (standing.reason, standing.awaits_restart) == ("", ())
        assert standing.digest == standing.wanted_digest, change
        digests.add(standing.digest)

    assert standing.pid == before.pid
    assert len(digests) >= len(LIVE)


RESTART: list[dict[str, Any]] = [
    {"name": "other"},
    {"host": "0.0.0.0"},  # noqa: S104
    {"http_host": "0.0.0.0"},  # noqa: S104
    {"sync_interval_s": None},
    {"max_subscriptions": 5},
    {"lame_duck_s": 60.0},
    {"max_memory_bytes": 1024**2},
    {"max_storage_bytes": 1024**2},
    {"log_file": ""},
    {"routes": Routes("C", "127.0.0.1", 1, ("nats-route://127.0.0.1:1",))},
]


def test_what_the_table_holds_back_the_server_would_refuse_and_its_file_is_put_back(kept):
    c = configuration(kept.folder)
    before = kept.until(c, "running")
    text = (kept.folder / "nats.conf").read_text()
    more: list[dict[str, Any]] = [
        {"store_folder": str(kept.folder / "else")},
        {"port": free_port()},
        {"http_port": free_port()},
    ]

    for change in [*RESTART, *more]:
        wanted = replace(c, **change)
        assert [each.reloads for each in reloading.changes(c, wanted)] == [False], change
        digest = kept.supervisor._checker.digest(wanted)
        with pytest.raises(ConfigurationRefused, match="not supported"):
            kept.supervisor._loader.load(wanted, digest, running=c)

    assert (kept.folder / "nats.conf").read_text() == text
    assert kept.look(c).digest == before.digest


def test_what_needs_a_restart_waits_for_it_and_the_rest_goes_live(kept):
    before = configuration(kept.folder)
    pid = kept.until(before, "running").pid
    after = replace(
        before, port=free_port(), users=(*before.users, user("eve", permissions.admin()))
    )

    waiting = kept.look(after)

    assert (waiting.pid, waiting.awaits_restart) == (pid, ("client port",))
    assert waiting.digest != waiting.wanted_digest
    assert may_log_in(before, "eve")
    assert not listens(after.port)
    kept.until(after, "starting", restart=True)
    done = kept.until(after, "running")
    assert done.awaits_restart == ()
    assert done.digest == done.wanted_digest
    assert done.pid != pid
    assert may_log_in(after, "eve")


def test_a_killed_server_comes_back_without_what_waits_for_a_restart(kept):
    before = configuration(kept.folder)
    killed = kept.until(before, "running").pid
    after = replace(before, port=free_port())
    kept.look(after)

    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: kept.supervisor.pid is None, WITHIN_S, "its end")
    standing = kept.until(after, "running")

    assert standing.pid != killed
    assert standing.restarts == 1
    assert standing.awaits_restart == ("client port",)
    assert may_log_in(before)


def test_a_port_that_somebody_else_has_is_said(tmp_path, own_nats):
    (tmp_path / "kept").mkdir()
    kept = Kept(tmp_path / "kept")
    c = configuration(kept.folder, port=own_nats.port)

    standing = kept.until(c, "failed")

    assert "address already in use" in standing.reason
    kept.supervisor.stop()
    kept.supervisor.close()


def test_a_server_survives_its_supervisor_and_the_next_one_adopts_it(kept):
    c = configuration(kept.folder)
    first = kept.supervisor
    pid = kept.until(c, "running").pid
    first.close()

    kept.supervisor = Supervisor(folder=kept.folder, system_password=SYSTEM_PASSWORD)
    standing = kept.look(replace(c, max_connections=77))

    assert (standing.state, standing.pid, standing.restarts) == ("running", pid, 0)
    assert server.monitor(c.monitor_url, "/varz")["max_connections"] == 77
    kept.supervisor.stop()
    assert first.pid is None


def test_a_pid_of_another_program_is_not_taken_for_the_server(kept):
    c = configuration(kept.folder)
    kept.until(c, "running")
    kept.supervisor.stop()
    (kept.folder / "nats.pid").write_text(str(os.getpid()))
    kept.supervisor.close()

    kept.supervisor = Supervisor(folder=kept.folder, system_password=SYSTEM_PASSWORD)

    assert kept.until(c, "running").pid != os.getpid()


def test_two_supervisors_do_not_share_a_server(kept):
    with pytest.raises(AlreadySupervised):
        Supervisor(folder=kept.folder, system_password=SYSTEM_PASSWORD)


def test_a_start_with_a_bad_configuration_runs_the_last_good_one(kept):
    good = configuration(kept.folder)
    kept.until(good, "running")
    kept.supervisor.stop()
    kept.supervisor.close()
    port = free_port()

    kept.supervisor = Supervisor(
        folder=kept.folder, system_password=SYSTEM_PASSWORD, fixed={"port": port}
    )
    standing = kept.until(replace(good, port=port, max_payload_bytes=10**12), "refused")

    wait_until(lambda: kept.look(None, why_not="bad").serves, WITHIN_S, "the old one")
    assert "max_payload" in standing.reason
    assert may_log_in(replace(good, port=port))


def test_streams_of_a_store_without_accounts_are_carried_over_whole(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old = NatsServer(tmp_path / "old")
    old.start()

    async def fill():
        client = await nats.connect(old.url)
        stream = client.jetstream()
        await stream.add_stream(name="KEPT", subjects=["kept.>"])
        for number in range(50):
            await stream.publish(f"kept.{number}", str(number).encode())
        durable = await stream.pull_subscribe("kept.>", durable="reader")
        for message in await durable.fetch(20):
            await message.ack_sync()
        await client.close()

    asyncio.run(fill())
    old.stop()
    shutil.copytree(tmp_path / "old" / "data", tmp_path / "new" / "store")

    kept = Kept(tmp_path / "new")
    c = configuration(kept.folder)
    kept.until(c, "running")

    async def read():
        client = await connected(c)
        durable = await client.jetstream().pull_subscribe("kept.>", durable="reader")
        found = [int(message.data) for message in await durable.fetch(30)]
        total = (await client.jetstream().stream_info("KEPT")).state.messages
        await client.close()
        return found, total

    assert asyncio.run(read()) == (list(range(20, 50)), 50)
    assert not (tmp_path / "new" / "store" / "jetstream" / "$G").exists()
    kept.supervisor.stop()
    kept.supervisor.close()


def test_a_stream_that_is_in_both_accounts_is_left_alone(tmp_path):
    for account in "$G", "TICKPLANE":
        (tmp_path / "jetstream" / account / "streams" / "TWICE").mkdir(parents=True)
    (tmp_path / "jetstream" / "$G" / "streams" / "ONCE").mkdir()

    supervise.carry_over(tmp_path)
    supervise.carry_over(tmp_path)

    names = {path.name for path in (tmp_path / "jetstream/TICKPLANE/streams").iterdir()}
    assert names == {"ONCE", "TWICE"}
    assert (tmp_path / "jetstream/$G/streams/TWICE").is_dir()


def certificate(folder, ends_at):
    """Write a certificate of 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(ends_at)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def test_a_certificate_that_was_replaced_is_served_without_a_restart(kept):
    first = datetime(2044, 1, 1, tzinfo=UTC)
    certificate(kept.folder, first)
    files = Tls(str(kept.folder / "cert.pem"), str(kept.folder / "key.pem"))
    c = configuration(kept.folder, tls=files)
    before = kept.until(c, "running")

    certificate(kept.folder, first + timedelta(days=365))
    after = kept.look(c)

    assert datetime.fromisoformat(before.certificate_ends) == first
    assert datetime.fromisoformat(after.certificate_ends) == first + timedelta(days=365)
    assert after.pid == before.pid
    (kept.folder / "key.pem").write_text("no key")
    refused = kept.look(c)
    assert (refused.state, refused.pid) == ("refused", before.pid)
    assert refused.certificate_ends == after.certificate_ends


def test_a_user_may_do_nothing_that_is_not_written(kept):
    c = configuration(kept.folder)
    may = Permissions(publish_allow=("a.>",), publish_deny=("a.secret",))
    c = replace(c, users=(*c.users, user("some", may), user("none", Permissions())))
    kept.until(c, "running")

    def refused(name, command):
        """Return whether the server says so before it answers our PING."""
        login = json.dumps({"user": name, "pass": PASSWORD, "verbose": False})
        with socket.create_connection(("127.0.0.1", c.port), timeout=WITHIN_S) as link:
            link.sendall(f"CONNECT {login}\r\n{command}\r\nPING\r\n".encode())
            said = b""
            while b"PONG\r\n" not in said:
                said += link.recv(4096)
        assert b"Authorization" not in said
        return b"Permissions Violation" in said

    assert not refused("some", "PUB a.b 1\r\nx")
    assert refused("some", "PUB a.secret 1\r\nx")
    assert refused("some", "PUB b 1\r\nx")
    assert refused("some", "SUB a.b 1")
    assert refused("none", "PUB a.b 1\r\nx")
    assert refused("none", "SUB a.b 1")
    assert not refused("tickplane", "PUB $JS.API.INFO 0\r\n")


def test_nobody_reads_what_is_answered_to_us(kept):
    may = permissions.consumer(["market.>"], ["MARKET_DATA"], "spy")
    c = configuration(kept.folder, users=(user("tickplane", permissions.admin()), user("spy", may)))
    kept.until(c, "running")
    overheard: list[str] = []

    async def listen(message):
        overheard.append(message.subject)

    async def asked():
        spy, ours = await connected(c, "spy"), await connect(url(c), name="ours")
        await spy.subscribe("_INBOX.>", cb=listen)
        await spy.flush()
        told = await ours.request("$JS.API.INFO", b"")
        await spy.flush()
        await spy.close()
        await ours.close()
        return json.loads(told.data)["type"]

    assert asyncio.run(asked()).endswith("account_info_response")
    assert overheard == []


def test_a_node_of_a_cluster_is_restarted_by_lame_duck(kept):
    c = configuration(
        kept.folder,
        jetstream=False,
        routes=Routes("C", "127.0.0.1", free_port(), (f"nats-route://127.0.0.1:{free_port()}",)),
    )
    before = kept.until(c, "running")

    kept.until(c, "starting", restart=True)
    after = kept.until(c, "running")

    assert after.pid != before.pid
    assert "Entering lame duck mode" in (kept.folder / "nats.log").read_text()


def rows(home, statement, *values):
    with closing(sqlite3.connect(home / "tickplane.sqlite3", timeout=10)) as database, database:
        return database.execute(statement, values).fetchall()


def test_run_nats_obeys_the_rows_and_says_how_the_server_is(tmp_path):
    home = tmp_path / "home"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TICKPLANE_")}
    environment |= {"TICKPLANE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "controlplane.settings"}
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, cwd=ROOT, check=True)
    port, monitor_port = free_port(), free_port()
    rows(home, "UPDATE streams_cluster SET nats_port=?, http_port=?", port, monitor_port)
    log = (tmp_path / "run.log").open("wb")
    process = subprocess.Popen([*manage, "run_nats"], env=environment, cwd=ROOT, stderr=log)

    def node():
        columns = "state, reason, pid, version, digest = wanted_digest"
        return rows(home, f"SELECT {columns} FROM streams_node")[0]  # noqa: S608

    try:
        wait_until(lambda: node()[0] == "running", 20, "it runs")
        _, reason, pid, version, same = node()
        assert (reason, same) == ("", 1)
        assert version
        rows(home, "UPDATE streams_cluster SET max_payload='many'")
        wait_until(lambda: node()[0] == "refused", WITHIN_S, "it is refused")
        assert node()[1].startswith("max_payload: 'many' is no size")
        assert node()[2] == pid
        assert listens(port)
    finally:
        process.terminate()
        assert process.wait(20) == 0
        log.close()
    assert node()[0] == "stopped"
    assert not listens(port)


@pytest.mark.django_db
def test_run_nats_wants_to_know_which_node():
    with pytest.raises(CommandError, match="no node called eve; declared: tickplane"):
        call_command("run_nats", node="eve")

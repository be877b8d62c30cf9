from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from streams.broker.link import Link
from tests.servers.nats import NatsServer
from tests.servers.process import wait_until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
COLUMNS = "state", "received", "published", "last_error", "enabled"


class House:
    """A data directory with its database, one simulated exchange, and the command under test."""

    def __init__(self, home: Path, nats: NatsServer):
        self.home = home
        self.env = os.environ | {"TICKPLANE_HOME": str(home), "NATS_URL": nats.url}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.errors = home / "stderr"

    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def start(self, *arguments):
        with self.errors.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def run_pipeline(self):
        return self.start("manage.py", "run_pipeline")

    def exchange(self):
        process = self.start("-m", "pipeline.simulate", "--port", "0")
        return process.stdout.readline().decode().split()[-1]

    def declare(self, endpoint):
        code = f"from pipeline import services; services.declare_demo_source(endpoint={endpoint!r})"
        assert self.run("shell", "-v0", "-c", code).returncode == 0

    def enable(self, enabled):
        with closing(sqlite3.connect(self.home / "tickplane.sqlite3", timeout=10)) as database:
            database.execute("UPDATE pipeline_datasource SET enabled = ?", [enabled])
            database.commit()

    def row(self):
        with closing(sqlite3.connect(self.home / "tickplane.sqlite3", timeout=10)) as database:
            (found,) = database.execute(f"SELECT {', '.join(COLUMNS)} FROM pipeline_datasource")  # noqa: S608
        return dict(zip(COLUMNS, found, strict=True))

    def until(self, condition, within_s=20):
        try:
            wait_until(lambda: condition(self.row()), within_s, "the row")
        except TimeoutError:
            raise AssertionError(f"{self.row()}\n{self.errors.read_text()}") from None


@pytest.fixture
def house(tmp_path, own_nats):
    home = tmp_path / "home"
    home.mkdir()
    found = House(home, own_nats)
    link = Link(own_nats.url, "test")
    link.api("STREAM.CREATE.MARKET_DATA", {"name": "MARKET_DATA", "subjects": ["market.>"]})
    yield found
    link.close()
    for process in found.processes:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def prepared(house):
    assert house.run("migrate", "-v0").returncode == 0
    house.declare(house.exchange())
    return house


def child_of(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(found[0]) if found else None


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_rows_come_to_life_and_say_so(prepared, own_nats):
    manager = prepared.run_pipeline()
    prepared.until(lambda row: row["state"] == "running" and row["received"] > 100)

    prepared.enable(False)
    prepared.until(lambda row: row["state"] == "stopped")
    stopped_at = prepared.row()["received"]
    prepared.enable(True)
    prepared.until(lambda row: row["state"] == "running" and row["received"] > stopped_at)

    manager.send_signal(signal.SIGTERM)

    assert manager.wait(10) == 0
    row = prepared.row()
    assert row["state"] == "stopped"
    link = Link(own_nats.url, "look")
    try:
        stored = link.api("STREAM.INFO.MARKET_DATA")["state"]["messages"]
    finally:
        link.close()
    assert row["published"] == stored


def test_a_killed_worker_is_replaced_and_the_counters_go_on(prepared):
    manager = prepared.run_pipeline()
    prepared.until(lambda row: row["received"] > 50)
    before = prepared.row()["received"]
    worker = child_of(manager)

    os.kill(worker, signal.SIGKILL)

    prepared.until(lambda row: row["received"] > before + 50)
    assert child_of(manager) not in (None, worker)


def test_a_killed_manager_leaves_no_worker_behind(prepared):
    manager = prepared.run_pipeline()
    prepared.until(lambda row: row["state"] == "running")
    worker = child_of(manager)
    assert running(worker)

    manager.kill()
    manager.wait()

    wait_until(lambda: not running(worker), 10, "the end of the worker")


def test_a_source_that_is_not_there_says_why_in_its_row(prepared):
    prepared.declare("ws://127.0.0.1:1/stream")
    prepared.run_pipeline()

    prepared.until(lambda row: row["state"] == "reconnecting")

    assert "no connection" in prepared.row()["last_error"]


def test_an_unmigrated_database_is_one_sentence_and_code_two(house):
    done = house.run("run_pipeline")

    assert done.returncode == 2
    (sentence,) = done.stderr.strip().splitlines()
    assert "migrated" in sentence


def test_interrupting_the_whole_group_is_a_clean_end(prepared):
    manager = prepared.run_pipeline()
    prepared.until(lambda row: row["state"] == "running")
    worker = child_of(manager)
    began = time.monotonic()

    os.kill(worker, signal.SIGINT)
    manager.send_signal(signal.SIGINT)

    assert manager.wait(10) == 0
    assert time.monotonic() - began < 8
    assert not running(worker)
    assert "Traceback" not in prepared.errors.read_text()
    assert prepared.row()["state"] == "stopped"

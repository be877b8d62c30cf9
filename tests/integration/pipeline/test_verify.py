from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streams.broker.link import Link
from streams.core.proto.market_pb2 import FLAG_CONTROL, Control, Ticker, Trade

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
TRADE = Trade(venue="binance", symbol="BTCUSDT", price=1).SerializeToString()
TICKER = Ticker(venue="binance", symbol="BTCUSDT", bid_price=1).SerializeToString()
STALE = Trade(
    flags=FLAG_CONTROL, control=Control(kind=Control.KIND_STALE, reason="silent for 600 s")
).SerializeToString()
DECLARE = """
from django.utils import timezone
from pipeline.models import DataSource
DataSource.objects.create(
    name="spot", types=["trade", "ticker"], symbols=["BTCUSDT"], state="running",
    seen_at=timezone.now(),
)
"""


class House:
    """A data directory with one source whose pipeline, as its row has it, reported just now."""

    def __init__(self, home, nats):
        self.env = os.environ | {
            "TICKPLANE_HOME": str(home), "NATS_URL": nats.url, "NATS_MONITOR_URL": nats.monitor_url,
        }  # fmt: skip

    def run(self, *arguments, **env):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.env | env, capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip

    def declare(self):
        done = self.run("shell", "-v0", "-c", DECLARE)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def migrated(tmp_path_factory, nats_server):
    home = tmp_path_factory.mktemp("verify")
    found = House(home, nats_server)
    assert found.run("migrate", "-v0").returncode == 0
    return home / "tickplane.sqlite3"


@pytest.fixture
def house(tmp_path, own_nats, migrated):
    home = tmp_path / "home"
    home.mkdir()
    (home / migrated.name).write_bytes(migrated.read_bytes())
    return House(home, own_nats)


@pytest.fixture
def stored(own_nats):
    link = Link(own_nats.url, "test")
    link.api("STREAM.CREATE.MARKET_DATA", {"name": "MARKET_DATA", "subjects": ["market.>"]})
    yield link
    link.close()


class Traffic:
    """Publishes the same messages again and again while it is open."""

    def __init__(self, link, *messages):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish, args=(link, messages))

    def _publish(self, link, messages):
        while not self._stop.wait(0.05):
            link.publish(messages)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def test_a_deployment_that_brings_all_it_should_is_verified(house, stored):
    house.declare()

    with Traffic(
        stored, ("market.binance.BTCUSDT.trade", TRADE), ("market.binance.BTCUSDT.ticker", TICKER)
    ):
        done = house.run("verify", "--seconds", "1.5")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything is as it should be." in done.stdout
    assert "1 of 1 s, " in done.stdout
    counts = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()
              if " market.binance" in line}  # fmt: skip
    assert set(counts) == {"market.binance.BTCUSDT.trade", "market.binance.BTCUSDT.ticker"}
    assert min(int(count) for count in counts.values()) > 1


def test_a_subject_that_stays_silent_fails_it_with_the_reason_unless_excused(house, stored):
    house.declare()

    with Traffic(
        stored, ("market.binance.BTCUSDT.trade", STALE), ("market.binance.BTCUSDT.ticker", TICKER)
    ):
        failed = house.run("verify", "--seconds", "1")
        excused = house.run("verify", "--seconds", "1", "--json", "--allow-silent", "trade")

    assert failed.returncode == 1
    said = "market.binance.BTCUSDT.trade stayed silent: STALE: silent for 600 s (spot)"
    assert f"FAIL {said}" in failed.stdout
    assert excused.returncode == 0, excused.stdout + excused.stderr
    answer = json.loads(excused.stdout)
    assert answer["ok"] is True
    assert list(answer["subjects"]) == ["market.binance.BTCUSDT.ticker"]
    assert answer["silent"] == [
        {
            "subject": "market.binance.BTCUSDT.trade",
            "reason": "STALE: silent for 600 s",
            "allowed": True,
        }
    ]
    assert {check["grade"] for check in answer["checks"]} <= {"good", "poor"}


def test_what_was_said_before_is_looked_up(house, stored):
    house.declare()
    stored.publish([("market.binance.BTCUSDT.trade", STALE)])
    stored.publish([("market.binance.BTCUSDT.ticker", b'{"bid": 1}')])

    done = house.run("verify", "--seconds", "1")

    assert done.returncode == 1
    told = "BTCUSDT.trade stayed silent: STALE: silent for 600 s ("
    assert told in done.stdout
    assert "BTCUSDT.ticker stayed silent: nothing was heard" in done.stdout


def test_what_no_stream_stores_and_nobody_collects_fails_it(house):
    bare = house.run("verify", "--seconds", "1")
    house.declare()
    unstored = house.run("verify", "--seconds", "1")

    assert (bare.returncode, unstored.returncode) == (1, 1)
    assert "FAIL collector: no source is enabled" in bare.stdout
    assert "FAIL streams: no stream in NATS stores market.*.*.ticker" in unstored.stdout
    assert "market.binance.BTCUSDT.trade stayed silent: nothing was heard" in unstored.stdout


def test_a_server_that_is_away_is_named_without_its_password(house, own_nats):
    house.declare()
    own_nats.stop()
    url = own_nats.url.replace("nats://", "nats://user:hush@")

    done = house.run("verify", "--seconds", "1", NATS_URL=url, LOG_LEVEL="DEBUG")

    assert done.returncode == 1
    assert "FAIL nats: NATS cannot be reached" in done.stdout
    assert "FAIL nats monitor:" in done.stdout
    assert "hush" not in done.stdout + done.stderr


def test_a_database_without_tables_is_said(tmp_path, own_nats):
    done = House(tmp_path, own_nats).run("verify", "--seconds", "1")

    assert done.returncode == 1
    assert "FAIL database:" in done.stdout
    assert "not applied" in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("NATS_URL", "http://h"), ("NATS_MONITOR_URL", "nats://h"), ("LOG_LEVEL", "LOUD")],
)
def test_the_contracts_settings_are_read_and_a_wrong_one_is_named(house, name, value):
    done = house.run("verify", **{name: value})

    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr

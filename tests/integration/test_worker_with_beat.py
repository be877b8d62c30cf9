"""`celery worker --with-beat`: what `standalone` runs instead of two processes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.servers.process import spawn, wait_until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 30


@pytest.fixture
def start(tmp_path, nats_server):
    home = tmp_path / "home"
    for folder in ("queue", "control", "tmp"):
        (home / "celery" / folder).mkdir(parents=True)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "TICKPLANE_HOME": str(home),
        "TICKPLANE_ROLE": "worker",
        "NATS_URL": nats_server.url,
    }
    started = []

    def begin():
        command = ["-m", "celery", "-A", "controlplane", "worker", "--pool", "solo", "--with-beat"]
        process = spawn(
            [sys.executable, *command, "--loglevel", "INFO"],
            log=tmp_path / "worker.log",
            env=environment,
            cwd=ROOT,
        )
        started.append(process)
        return process, tmp_path / "worker.log", home

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_its_own_ticks_come_back_to_it_and_it_ends_when_told(start):
    process, log, home = start()
    # There is no table in its database, and the task says so.
    wait_until(lambda: "accounts_account" in log.read_text(), WITHIN_S, "a tick was carried out")

    process.send_signal(signal.SIGTERM)

    assert process.wait(WITHIN_S) == 0
    assert list((home / "celery").glob("schedule*"))


def test_a_beat_that_fails_ends_its_worker(start):
    process, log, home = start()
    wait_until(lambda: "ready" in log.read_text(), WITHIN_S, "the worker is ready")
    process.send_signal(signal.SIGTERM)
    process.wait(WITHIN_S)
    for file in (home / "celery").glob("schedule*"):
        file.unlink()
        file.mkdir()

    process, log, _ = start()

    assert process.wait(WITHIN_S) == os.EX_SOFTWARE
    assert "beat failed, and its worker ends with it" in log.read_text()

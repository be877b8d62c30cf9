"""Two beats and two workers by mistake: nobody's consumer notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from accounts.publish.topology import STATE_ARGUMENTS
from tests.arch.sources import ROOT
from tests.integration.accounts.letters import QUEUE
from tests.servers.process import spawn, wait_until
from tests.unit.accounts.consumer import Consumer

pytestmark = pytest.mark.integration

ACCOUNTS = 20
WATCHED_S = 12
DECLARE = f"""
from accounts import services
services.declare_demo_accounts(count={ACCOUNTS})
"""


def test_two_beats_and_two_workers_send_each_message_once(
    tmp_path, postgres_server, nats_server, rabbitmq_server, channel
):
    environment = os.environ | {
        "TICKPLANE_HOME": str(tmp_path / "home"),
        "DATABASE_URL": postgres_server.new_database(),
        "NATS_URL": nats_server.url,
        "RABBITMQ_URL": rabbitmq_server.url,
        "LOG_LEVEL": "WARNING",
    }

    def manage(*command):
        subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True
        )

    def celery(name, *command):
        return spawn(
            [sys.executable, "-m", "celery", "-A", "controlplane", *command],
            log=tmp_path / f"{name}.log",
            env=environment | {"TICKPLANE_ROLE": command[0]},
            cwd=ROOT,
        )

    # As every consumer of the contract does.
    channel.queue_declare(QUEUE, durable=True, arguments=dict(STATE_ARGUMENTS))
    manage("migrate", "--verbosity", "0")
    manage("shell", "--verbosity", "0", "--command", DECLARE)
    programs = [
        celery(f"worker{n}", "worker", "--concurrency", "2", "--hostname", f"w{n}@%h")
        for n in range(2)
    ] + [
        celery(f"beat{n}", "beat", "--pidfile", "", "--schedule", str(tmp_path / f"schedule{n}"))
        for n in range(2)
    ]
    consumer = Consumer()
    began = 0.0
    try:
        wait_until(lambda: fed(consumer, channel) >= ACCOUNTS, 60, "every account is there")
        began = time.monotonic()
        wait_until(
            lambda: fed(consumer, channel) and time.monotonic() - began > WATCHED_S,
            3 * WATCHED_S,
            "some turns have passed",
        )
    finally:
        for program in programs:
            program.send_signal(signal.SIGTERM)
        for program in programs:
            program.wait(30)
    watched_s = time.monotonic() - began
    fed(consumer, channel)

    assert consumer.gaps == []
    sent = Counter((m["accountId"], m["epoch"], m["seq"]) for m in consumer.messages)
    assert set(sent.values()) == {1}
    # Not one tick's work is done twice: at most forty messages a minute for an account, and what
    # happened in between.
    updates = Counter(m["accountId"] for m in consumer.messages if m["type"] == "update")
    assert max(updates.values()) <= watched_s / 3 + 2


def fed(consumer, channel):
    """Take what has arrived; return how many accounts are known."""
    while True:
        method, _, body = channel.basic_get(QUEUE, auto_ack=True)
        if method is None:
            return len(consumer.held)
        consumer.feed(body)

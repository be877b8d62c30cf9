"""Two workers at one shard, on each kind of database: they never send the same thing twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.arch.sources import ROOT
from tests.integration.accounts.test_nats import Subscriber
from tests.unit.accounts.consumer import Consumer

pytestmark = pytest.mark.integration

ACCOUNTS = 5
# Both begin at one word, and by a clock thirty times as fast each visit has something to send.
WORKER = """
import sys, time
from datetime import timedelta
from django.utils import timezone
from accounts import services
print("ready", flush=True)
began = float(sys.stdin.readline())
skipped = 0
while (passed := time.time() - began) < 4:
    now = timezone.now() + timedelta(seconds=29 * passed)
    skipped += services.publish_shard(shard=0, now=now).skipped
print("skipped", skipped)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def environment(request, tmp_path, nats_server):
    url = (
        f"sqlite:///{tmp_path / 'database.sqlite3'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_server").new_database()
    )
    return os.environ | {
        "TICKPLANE_HOME": str(tmp_path / "home"),
        "DATABASE_URL": url,
        "NATS_URL": nats_server.url,
    }


def manage(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    return out


def together(workers):
    """Begin all at one moment; return how many visits each was refused."""
    for worker in workers:
        wait_for_line(worker, "ready")
    for worker in workers:
        worker.stdin.write(f"{time.time()}\n")
        worker.stdin.flush()
    return [int(finished(worker).split()[-1]) for worker in workers]


def wait_for_line(process, wanted):
    for line in process.stdout:
        if line.strip() == wanted:
            return
    raise AssertionError(process.stderr.read())


def test_two_workers_at_one_shard_send_each_message_once(environment, nats_server):
    finished(manage(environment, "migrate", "--verbosity", "0"))
    declare = f"from accounts import services; services.declare_demo_accounts(count={ACCOUNTS})"
    finished(manage(environment, "shell", "--command", declare))
    subscriber = Subscriber(nats_server.url)
    try:
        workers = [manage(environment, "shell", "--command", WORKER) for _ in range(2)]
        skipped = sum(together(workers))
        subscriber.wait_for(ACCOUNTS)
    finally:
        subscriber.close()

    consumer = Consumer()
    for _, payload in subscriber.received:
        consumer.feed(payload)
    places = Counter((m["accountId"], m["epoch"], m["seq"]) for m in consumer.messages)
    assert set(places.values()) == {1}
    assert len(consumer.held) == ACCOUNTS
    assert consumer.gaps == []
    # They did meet, and had something to send each time.
    assert skipped > 5
    assert len(consumer.messages) > 20 * ACCOUNTS

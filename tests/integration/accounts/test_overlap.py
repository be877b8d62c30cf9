"""Two workers at one shard, on each kind of database: they never send the same thing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.arch.sources import ROOT
from tests.integration.accounts.test_nats import Subscriber
from tests.unit.accounts.consumer import Consumer

pytestmark = pytest.mark.integration

ACCOUNTS = 5
WORKER = """
from django.utils import timezone
from accounts import services
done = skipped = 0
while done < 20:
    report = services.publish_shard(shard=0, now=timezone.now())
    skipped += report.skipped
    done += not report.skipped
print("visits", done, "skipped", skipped)
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
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    return out


def test_two_workers_at_one_shard_send_each_message_once(environment, nats_server):
    finished(manage(environment, "migrate", "--verbosity", "0"))
    declare = f"from accounts import services; services.declare_demo_accounts(count={ACCOUNTS})"
    finished(manage(environment, "shell", "--command", declare))
    subscriber = Subscriber(nats_server.url)
    try:
        workers = [manage(environment, "shell", "--command", WORKER) for _ in range(2)]
        for worker in workers:
            assert "visits 20" in finished(worker)
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

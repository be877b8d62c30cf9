"""Pushes, ticks and operators at the same accounts, on each kind of database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import psycopg
import pytest

from tests.arch.sources import ROOT
from tests.integration.accounts.traffic import ACCOUNTS

pytestmark = pytest.mark.integration

SECONDS = "5"
READ = """
import json
from accounts.models import Account
numbers = {
    account.pk: sorted(account.events.values_list("number", flat=True)) for account in
    Account.objects.prefetch_related("events")
}
wrong = [
    account.pk for account in Account.objects.all()
    if numbers[account.pk] != list(range(1, account.event_number + 1))
]
claimed = Account.objects.exclude(claim="").count()
events = sum(map(len, numbers.values()))
print(json.dumps({"wrong": wrong, "claimed": claimed, "events": events}))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def environment(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'database.sqlite3'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server").new_database()
    return os.environ | {"TICKPLANE_HOME": str(tmp_path / "home"), "DATABASE_URL": url}


def start(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process):
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, out + err
    return out.splitlines()[-1] if out else ""


def test_nobody_waits_in_a_circle_and_every_event_has_a_number_of_its_own(environment):
    answer(start(environment, "manage.py", "migrate", "--verbosity=0"))
    traffic = ("-m", "tests.integration.accounts.traffic")
    secret = answer(start(environment, *traffic, "declare", "0"))

    roles = ("web", "web", "tick", "tick", "operator")
    running = [start(environment, *traffic, role, SECONDS, secret) for role in roles]
    reports = [json.loads(answer(process)) for process in running]

    assert [report["errors"] for report in reports] == [{}] * len(roles)
    for work in ("pushes", "messages", "visits", "asked"):
        assert sum(report["done"].get(work, 0) for report in reports) > 0, reports
    seen = json.loads(answer(start(environment, "manage.py", "shell", "--verbosity=0", "-c", READ)))
    assert (seen["wrong"], seen["claimed"]) == ([], 0)
    assert seen["events"] >= ACCOUNTS


def test_a_publisher_goes_on_when_the_database_comes_back(tmp_path, postgres_server, nats_server):
    url = postgres_server.new_database()
    environment = os.environ | {
        "TICKPLANE_HOME": str(tmp_path / "home"),
        "DATABASE_URL": url,
        "NATS_URL": nats_server.url,
    }
    answer(start(environment, "manage.py", "migrate", "--verbosity=0"))
    declare = "from accounts import services; services.declare_demo_accounts(count=1)"
    answer(start(environment, "manage.py", "shell", "--verbosity=0", "-c", declare))
    publisher = start(environment, "manage.py", "run_publisher")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            wait_for_visits(connection, 1)
            # As a server that is restarted does.
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            assert ended
            before = visits(connection)
            # More than one that was under way.
            wait_for_visits(connection, before + 3)
    finally:
        publisher.terminate()
        _, err = publisher.communicate(timeout=30)
    assert publisher.returncode == 0
    assert "no database" in err


def visits(connection):
    found = connection.execute("SELECT sum(visits) FROM accounts_shardlease").fetchone()
    return found[0] or 0


def wait_for_visits(connection, count):
    until = time.monotonic() + 40
    while visits(connection) < count:
        assert time.monotonic() < until, "nothing is visited"
        time.sleep(0.1)

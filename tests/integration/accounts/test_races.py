"""Pushes, ticks and operators at the same accounts, on each kind of database."""

from __future__ import annotations

import json
import os
import subprocess
import sys

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

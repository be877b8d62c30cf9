from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.arch.sources import ROOT
from tests.integration.accounts.keep_history import ACCOUNTS

pytestmark = pytest.mark.integration

DECLARE = f"""
from accounts.models import Account
Account.objects.bulk_create(Account(server="S", login=n) for n in range(1, {ACCOUNTS} + 1))
"""
READ = """
import json
from datetime import timedelta
from django.db.models import Count, Max, Min
from accounts.models import Account, EquityBar
from accounts.services import history
from tests.integration.accounts.keep_history import AT
seen = EquityBar.objects.aggregate(
    rows=Count("id"),
    highest=Max("equity_high"), lowest_high=Min("equity_high"), balance=Min("balance_low"),
    low=Max("equity_low"), opens=Min("equity_open"), last=Max("equity_close"),
)
five = history.bars(account=Account.objects.get(login=7), interval_s=300)
seen["five"] = [[bar.at == AT, bar.equity_high] for bar in five]
seen["early"] = history.prune(now=AT + timedelta(days=90)).bars
seen["late"] = history.prune(now=AT + timedelta(days=90, seconds=1)).bars
seen["left"] = EquityBar.objects.count()
print(json.dumps(seen))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def environment(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'database.sqlite3'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_server").new_database()
    return os.environ | {"TICKPLANE_HOME": str(tmp_path / "home"), "DATABASE_URL": url}


def start(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def answer(process):
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return printed


def test_processes_that_keep_the_same_minutes_lose_nothing(environment):
    for arguments in (("migrate", "--verbosity=0"), ("shell", "--verbosity=0", "-c", DECLARE)):
        answer(start(environment, "manage.py", *arguments))
    keep = ("-m", "tests.integration.accounts.keep_history")

    # The second begins where the first ends, so that neither has all the highs or lows.
    both = [start(environment, *keep, "1", "6"), start(environment, *keep, "6", "11")]
    for process in both:
        assert json.loads(answer(process))["seconds"] > 0

    seen = json.loads(answer(start(environment, "manage.py", "shell", "--verbosity=0", "-c", READ)))
    assert seen == {
        "rows": ACCOUNTS,
        "highest": 10, "lowest_high": 10, "balance": -10, "low": -10, "last": 0,
        "opens": seen["opens"],
        "five": [[True, 10]],
        "early": 0, "late": ACCOUNTS, "left": 0,
    }  # fmt: skip
    assert seen["opens"] in (1, 6)

"""Two operators at once, on each kind of database: what one did the other does not do again."""

from __future__ import annotations

import os

import pytest

from tests.integration.accounts.test_overlap import finished, manage

pytestmark = pytest.mark.integration

ACCOUNTS = 1200
DECLARE = f"""
from accounts.models import Account
Account.objects.bulk_create(Account(server="S", login=n + 1) for n in range({ACCOUNTS}))
"""
DEPLOY = """
from accounts import services
from accounts.models import Account
print("changed", services.deploy(accounts=Account.objects.all(), actor="ann"))
"""
COUNT = """
from collections import Counter
from accounts.models import Account, AuditEntry
states = Counter(Account.objects.values_list("lifecycle", "epoch"))
print("counted", dict(states), AuditEntry.objects.count())
"""


@pytest.fixture(params=["sqlite", "postgres"])
def environment(request, tmp_path):
    url = (
        f"sqlite:///{tmp_path / 'database.sqlite3'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_server").new_database()
    )
    made = os.environ | {"TICKPLANE_HOME": str(tmp_path / "home"), "DATABASE_URL": url}
    finished(manage(made, "migrate", "--verbosity", "0"))
    return made


def shell(environment, *programs):
    """Run these programs at once; return the last line that each wrote."""
    running = [manage(environment, "shell", "--command", program) for program in programs]
    return [finished(process).splitlines()[-1] for process in running]


def test_each_account_is_deployed_by_one_of_them(environment):
    finished(manage(environment, "shell", "--command", DECLARE))

    changed = shell(environment, DEPLOY, DEPLOY)

    assert sum(int(line.removeprefix("changed ")) for line in changed) == ACCOUNTS
    assert shell(environment, COUNT) == [f"counted {{('DEPLOYING', 1): {ACCOUNTS}}} {ACCOUNTS}"]


def test_a_file_that_two_import_at_once_is_imported_once(environment, tmp_path):
    lines = "".join(f"S,{n},Fund,eu;us\n" for n in range(1, ACCOUNTS + 1))
    file = tmp_path / "accounts.csv"
    file.write_text(f"server,login,group,tags\n{lines}")

    both = [manage(environment, "import_accounts", str(file)) for _ in range(2)]
    told = sorted("".join(process.communicate(timeout=60)) for process in both)

    # The second finds them there, or is told that somebody was faster.
    assert f"{ACCOUNTS} created" in "".join(told)
    assert "0 created" in "".join(told) or "try again" in "".join(told)
    assert shell(environment, COUNT) == [f"counted {{('DRAFT', 0): {ACCOUNTS}}} {ACCOUNTS}"]

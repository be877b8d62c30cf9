from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.arch.sources import ROOT

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database.sqlite3'}"
    return request.getfixturevalue("postgres_server").new_database()


@pytest.fixture
def manage(database_url, tmp_path):
    """Run one command as an operator with this database would, and return what it printed."""

    def run(*arguments, **environment):
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=os.environ
            | {"TICKPLANE_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url}
            | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_an_empty_database_is_migrated_and_takes_an_administrator(manage):
    manage("migrate", "--verbosity", "0")
    manage("migrate", "--check")
    manage(
        "createsuperuser", "--noinput", "--username=ada", "--email=", DJANGO_SUPERUSER_PASSWORD="x"
    )

    assert "ada" in manage("dumpdata", "auth.user")


def test_every_migration_can_be_undone_and_done_again(manage):
    manage("migrate", "--verbosity", "0")

    for app in ("realtime", "pipeline", "accounts", "streams"):
        if f"\n{app}\n (no migrations)" not in "\n" + manage("showmigrations", app):
            manage("migrate", app, "zero", "--verbosity", "0")

    manage("migrate", "--verbosity", "0")
    manage("migrate", "--check")

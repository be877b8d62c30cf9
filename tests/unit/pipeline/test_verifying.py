from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest

from pipeline.core.expected import Expected
from pipeline.management.commands.verify import duration
from pipeline.models import DataSource
from pipeline.services import verifying
from pipeline.services.installed import Grade, database, dependencies

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "requirements.txt"


def row(name, **more):
    values = {"types": ["trade"], "symbols": ["BTCUSDT"], "state": "running", "seen_at": NOW}
    return DataSource.objects.create(name=name, **(values | more))


def test_packages_are_compared_with_the_lock_file(lock):
    installed = metadata.version("django")
    lock.write_text(f"# ours\ndjango=={installed} \\\n    --hash=sha256:0\n")
    same = dependencies(lock=lock)
    lock.write_text("django==1.0 \\\n")
    other = dependencies(lock=lock)
    lock.write_text("django==1.0\nno-such-package==2\nof-windows==1 ; sys_platform == 'win32'\n")
    missing = dependencies(lock=lock)
    lock.unlink()
    unknown = dependencies(lock=lock)

    assert (same.grade, "1 package as locked" in same.told) == (Grade.GOOD, True)
    assert (other.grade, "(locked: 1.0)" in other.told) == (Grade.POOR, True)
    assert (missing.grade, missing.told.endswith("missing: no-such-package")) == (Grade.BAD, True)
    assert unknown.grade is Grade.POOR


@pytest.mark.django_db
def test_the_database_of_this_test_is_migrated():
    assert database().grade is Grade.GOOD


@pytest.mark.django_db
def test_what_is_declared_is_what_enabled_sources_ask_for():
    row("a")
    row("b", types=["trade", "ticker"])
    row("c", symbols=["ETHUSDT"], enabled=False)
    row("d", symbols=["not a list"], types=7)

    found = verifying.declared().sources

    assert found == {
        Expected("binance", "ticker", "BTCUSDT"): ["b"],
        Expected("binance", "trade", "BTCUSDT"): ["a", "b"],
    }


@pytest.mark.django_db
def test_each_source_is_judged_by_its_state():
    row("a")
    row("b", state="reconnecting", last_error="no route")
    row("c", state="refused", last_error="403")
    row("d", enabled=False, state="stopped")

    whole, *each = verifying.collector(now=NOW)

    assert whole.grade is Grade.GOOD
    assert [(check.name, check.grade) for check in each] == [
        ("source a", Grade.GOOD), ("source b", Grade.POOR), ("source c", Grade.BAD),
    ]  # fmt: skip
    assert each[1].told == "reconnecting: no route"


@pytest.mark.django_db
def test_a_pipeline_that_reports_no_more_is_none():
    row("a")

    whole, source = verifying.collector(now=NOW + timedelta(minutes=1))

    assert (whole.grade, source.grade) == (Grade.BAD, Grade.BAD)
    assert "is run_pipeline running?" in whole.told
    assert source.told == "running when last reported"


@pytest.mark.django_db
def test_nothing_to_collect_is_no_deployment():
    assert verifying.collector(now=NOW)[0].told == "no source is enabled"


@pytest.mark.parametrize("text", ["0", "x", "nan", "inf", "3601", "-5", ""])
def test_a_time_to_listen_has_an_end(text):
    with pytest.raises(ArgumentTypeError):
        duration(text)

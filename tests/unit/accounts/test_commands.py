from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, AccountGroup, AuditEntry

pytestmark = pytest.mark.django_db

FILE = "server;login;label;password\nLive;1;Grüße;hunter2\nLive;2;=1;\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "accounts.csv"
    path.write_bytes(FILE.encode("cp1252"))
    return path


def said(command, *arguments):
    out, err = StringIO(), StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue()


def test_a_file_is_tried_taken_and_written_again(file, tmp_path):
    assert "2 created" in said("import_accounts", file, "--dry-run")
    assert not Account.objects.exists()
    assert said("import_accounts", file) == "2 created, 0 updated, 0 unchanged\n"
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {"command"}

    text = said("export_accounts")
    assert "hunter2" not in text
    (tmp_path / "again.csv").write_text(text, newline="")
    assert "2 unchanged" in said("import_accounts", tmp_path / "again.csv")


def test_some_accounts_are_exported(file):
    said("import_accounts", file)
    Account.objects.create(server="Other", login=3)

    assert "Live" not in said("export_accounts", "--server", "Other")
    AccountGroup.objects.create(name="nobody's")
    assert len(said("export_accounts", "--group", "nobody's").splitlines()) == 1


def test_a_group_that_does_not_exist_is_not_taken_for_an_empty_one():
    with pytest.raises(CommandError, match=r"There is no group Dsek\.") as refused:
        said("export_accounts", "--group", "Dsek")
    assert refused.value.returncode == 2


def test_errors_are_told_by_line_and_nothing_is_written(tmp_path):
    (tmp_path / "x.csv").write_text("server,login,leverage,password\nS,1,hunter2,\nS,x,,\n")
    err = StringIO()

    with pytest.raises(CommandError, match="Nothing was written: 2 errors"):
        call_command("import_accounts", str(tmp_path / "x.csv"), stderr=err)

    assert err.getvalue().splitlines() == [
        "line 2, leverage: not a whole number from 1 to 2147483647",
        f"line 3, login: not a whole number from 1 to {2**63 - 1}",
    ]
    assert not Account.objects.exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfea", b"\x81\x8d"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)

    with pytest.raises(CommandError, match=r"x\.csv") as caught:
        call_command("import_accounts", str(tmp_path / "x.csv"))
    assert caught.value.returncode == 2

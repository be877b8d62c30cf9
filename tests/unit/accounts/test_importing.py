from __future__ import annotations

import pytest
from django.db import IntegrityError

from accounts.models import Account, AccountGroup, AuditEntry, Tag
from accounts.services import exporting, importing, vault

pytestmark = pytest.mark.django_db

FILE = """server,login,label,group,tags,provider,currency,leverage,update_s,password
Live,1,One,Fund,a;b,push,EUR,30,4,hunter2
Live,2,Two,,,simulator,USD,100,,
"""


def run(text, *, dry_run=False):
    return importing.run(text=text, dry_run=dry_run, actor="ann")


def counts(report):
    return (report.created, report.updated, report.unchanged, len(report.errors))


def everything():
    return (
        list(Account.objects.order_by("pk").values()),
        list(AccountGroup.objects.values()),
        list(Tag.objects.values()),
        AuditEntry.objects.count(),
    )


def test_accounts_groups_and_tags_are_made():
    report = run(FILE)

    assert counts(report) == (2, 0, 0, 0)
    assert (report.groups, report.tags) == (("Fund",), ("a", "b"))
    one, two = Account.objects.order_by("login")
    assert (one.label, str(one.group), one.provider, one.currency) == ("One", "Fund", "push", "EUR")
    assert (one.leverage, one.update_s, one.account_s, one.lifecycle) == (30, 4, None, "DRAFT")
    assert sorted(tag.name for tag in one.tags.all()) == ["a", "b"]
    assert vault.opened(one.sealed_password) == "hunter2"
    assert (two.group, two.sealed_password, two.tags.count()) == (None, "", 0)
    assert list(AuditEntry.objects.values_list("actor", "action", "account_name")) == [
        ("ann", "create", "Live/2"), ("ann", "create", "Live/1"),
    ]  # fmt: skip
    assert "hunter2" not in str(list(AuditEntry.objects.values()))


def test_a_dry_run_says_the_same_and_writes_nothing():
    before = everything()
    dry = run(FILE, dry_run=True)
    assert everything() == before

    wet = run(FILE)

    assert dry == wet


def test_the_same_file_again_changes_nothing():
    run(FILE)
    before = everything()

    assert counts(run(FILE)) == (0, 0, 2, 0)
    assert everything() == before


def test_only_what_differs_is_altered_and_named():
    run(FILE)
    Account.objects.filter(login=1).update(lifecycle="DEPLOYED", epoch=3, state="{}")

    report = run(
        "login;server;tags;label;password\n1;Live;b;Uno;hunter3\n2;Live;;Two;\n3;Live;;;\n"
    )

    assert counts(report) == (1, 1, 1, 0)
    assert [(row.line, row.account, row.outcome, row.columns) for row in report.rows] == [
        (2, "Live/1", "updated", ("label", "tags", "password")),
        (3, "Live/2", "unchanged", ()),
        (4, "Live/3", "created", ()),
    ]
    one = Account.objects.get(login=1)
    assert (one.label, str(one.group), one.currency) == ("Uno", "Fund", "EUR")
    assert [tag.name for tag in one.tags.all()] == ["b"]
    assert vault.opened(one.sealed_password) == "hunter3"
    # The workers' columns are theirs.
    assert (one.lifecycle, one.epoch, one.state) == ("DEPLOYED", 3, "{}")


def test_an_account_with_another_pace_begins_anew():
    run(FILE)
    Account.objects.update(lifecycle="DEPLOYED", epoch=3)

    run("server,login,label,update_s\nLive,1,Uno,4\nLive,2,Two,7\n")

    assert dict(Account.objects.values_list("login", "epoch")) == {1: 3, 2: 4}


def test_an_empty_cell_takes_away_and_an_empty_password_does_not():
    run(FILE)

    run("server,login,group,tags,update_s,label,password\nLive,1,,,,,\n")

    one = Account.objects.get(login=1)
    assert (one.group, one.tags.count(), one.update_s, one.label) == (None, 0, None, "")
    assert vault.opened(one.sealed_password) == "hunter2"


def test_one_error_and_nothing_is_written():
    before = everything()

    report = run(f"{FILE}Live,0,x,,,,,,,\n")

    assert counts(report) == (0, 0, 0, 1)
    assert (report.errors[0].line, report.errors[0].column) == (4, "login")
    assert everything() == before


def test_a_fault_in_the_middle_of_writing_undoes_all(monkeypatch):
    before = everything()

    def fail(*args):
        raise IntegrityError

    monkeypatch.setattr(importing, "_tag", fail)
    report = run(FILE)

    assert "try again" in report.errors[0].message
    assert everything() == before


def test_a_password_without_a_key_is_an_error_of_its_column(settings):
    settings.ACCOUNT_KEYS = []

    report = run(FILE, dry_run=True)

    assert [(e.column, "TICKPLANE_ACCOUNT_KEYS" in e.message) for e in report.errors] == [
        ("password", True)
    ]


def test_a_password_that_no_key_opens_is_replaced():
    Account.objects.create(server="Live", login=1, sealed_password="gAAAAA-of-another-key")

    assert run("server,login,password\nLive,1,hunter2").updated == 1
    assert vault.opened(Account.objects.get().sealed_password) == "hunter2"


def test_a_login_is_one_account_on_each_server():
    Account.objects.create(server="A", login=1, label="a")

    assert counts(run("server,login,label\nA,1,x\nB,1,y\n")) == (1, 1, 0, 0)
    assert dict(Account.objects.values_list("server", "label")) == {"A": "x", "B": "y"}


def test_what_is_exported_is_imported_unchanged_and_holds_no_password():
    run(FILE)
    evil = '=HYPERLINK("http://x","y")'
    Account.objects.filter(login=2).update(label=evil, source="'quoted")

    text = "".join(exporting.exported(accounts=Account.objects.all()))

    assert "hunter2" not in text
    assert "password" not in text
    assert Account.objects.get(login=1).sealed_password not in text
    assert ",=" not in text
    assert ',"=' not in text
    assert counts(run(text)) == (0, 0, 2, 0)
    Account.objects.all().delete()
    assert counts(run(text)) == (2, 0, 0, 0)
    assert Account.objects.get(login=2).label == evil


def test_many_accounts_take_few_queries(django_assert_max_num_queries):
    text = "server,login,group,tags,label\n" + "".join(
        f"S,{n},G{n % 3},a;b,x\n" for n in range(1, 1201)
    )
    # SQLite takes a thousand values in one statement: no more than one in ten lines needs its own.
    with django_assert_max_num_queries(120):
        assert run(text).created == 1200
    with django_assert_max_num_queries(120):
        assert run(text.replace(",x\n", ",y\n").replace("a;b", "c")).updated == 1200
    assert Account.objects.filter(tags__name="c", label="y").count() == 1200

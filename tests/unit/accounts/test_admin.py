"""The operator's list of accounts and the page of one."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.serializers import serialize

from accounts import services
from accounts.admin.accounts import AccountAdmin
from accounts.core.state import stored
from accounts.models import (
    Account,
    AccountEvent,
    AccountGroup,
    AccountToken,
    AuditEntry,
    OutletStatus,
    Rule,
    Tag,
)
from accounts.services import tokens, vault
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW, ORDER, POSITION, state

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/account/"
FORM = {"provider": "simulator", "currency": "USD", "leverage": "100"}
NO_RULES = {"rules-TOTAL_FORMS": "0", "rules-INITIAL_FORMS": "0"}


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


@pytest.fixture
def account():
    return Account.objects.create(server="S", login=1)


@pytest.fixture
def onlooker(client):
    """Somebody who may look at everything and change nothing."""
    user = get_user_model().objects.create_user("onlooker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


def act(client, action, *accounts, **more):
    chosen = [a.pk for a in accounts]
    return client.post(LIST, {"action": action, "_selected_action": chosen, **more}, follow=True)


def said(client, action, *accounts, **more):
    return act(client, action, *accounts, **more).content.decode()


def change(client, account, **values):
    return client.post(f"{LIST}{account.pk}/change/", {**FORM, **NO_RULES, **values}, follow=True)


def trail():
    return list(
        AuditEntry.objects.order_by("id").values_list("actor", "action", "account_name", "detail")
    )


# The list


def test_the_list_shows_amounts_and_freshness(operator):
    services.declare_demo_accounts(count=1)
    services.publish_shard(shard=0, now=NOW, brokers=[MemoryBroker()])

    equity = json.loads(Account.objects.get().state)["equity"]
    page = operator.get(LIST).content.decode()

    assert f"{Decimal(str(equity)):,} USD" in page
    assert "ago" in page
    assert "state-deployed" in page
    assert "state-connected" in page


def test_a_state_that_cannot_be_read_spoils_no_page(operator, account):
    Account.objects.update(state="{broken")

    assert operator.get(LIST).status_code == 200
    page = operator.get(f"{LIST}{account.pk}/change/").content.decode()
    assert "cannot be read" in page


def test_a_hundred_accounts_take_as_many_queries_as_two(operator, django_assert_max_num_queries):
    groups = [AccountGroup.objects.create(name=f"G{n}") for n in range(3)]
    text = stored(state(positions=(POSITION,) * 3, orders=(ORDER,)))

    def declare(first, last):
        Account.objects.bulk_create(
            Account(server="S", login=n, group=groups[n % 3], state=text)
            for n in range(first, last)
        )

    declare(1, 3)
    operator.get(LIST)
    with django_assert_max_num_queries(20) as few:
        operator.get(LIST)
    declare(3, 101)
    with django_assert_max_num_queries(len(few)):
        page = operator.get(LIST).content.decode()

    assert page.count('class="field-condition') == 100


def test_accounts_are_found_by_how_they_are_written(operator, account):
    other = Account.objects.create(server="T", login=1, label="Second")

    for words, found in (("S/1", account), ("Second", other), (str(other.uuid), other)):
        page = operator.get(LIST, {"q": words}).content.decode()
        assert page.count('class="field-name_and_label') == 1
        assert f"/{found.pk}/change/" in page


@pytest.mark.parametrize(
    "query", ["lifecycle__exact=DRAFT", "connection__exact=STALE", "tags__id__exact=1",
              "group__isnull=True", "server=S", "q=1%20x", "q=%27", "o=-5.3"],
)  # fmt: skip
def test_the_list_is_filtered_and_sorted(operator, account, query):
    Tag.objects.create(name="a")

    assert operator.get(f"{LIST}?{query}").status_code == 200


def test_a_broker_in_trouble_is_named_above_the_list(operator, settings):
    settings.RABBITMQ_URL = "amqp://h:1"
    OutletStatus.objects.create(name="nats", state="ready")
    assert "trouble" not in operator.get(LIST).content.decode()
    reason = "socket_data exists with other arguments"
    OutletStatus.objects.create(name="rabbitmq", state="degraded", reason=reason)

    page = operator.get(LIST).content.decode()
    assert "Broker rabbitmq is degraded." in page
    assert reason in page

    # One that is no longer configured troubles nobody.
    settings.RABBITMQ_URL = ""
    assert "trouble" not in operator.get(LIST).content.decode()


# Actions


def test_accounts_are_deployed_begun_anew_and_undeployed_from_the_list(operator, account):
    assert "1 account is being deployed." in said(operator, "deploy", account)
    assert "S/1: deploy is not possible while it is DEPLOYING" in said(operator, "deploy", account)
    assert "1 snapshot follows" in said(operator, "publish_snapshot_now", account)
    assert Account.objects.get().epoch == 2
    assert "1 account begins anew." in said(operator, "redeploy", account)
    assert Account.objects.get().epoch == 3
    assert "1 account is being undeployed." in said(operator, "undeploy", account)
    assert not Account.objects.get().deployed
    assert "none of them is deployed" in said(operator, "publish_snapshot_now", account)
    assert [entry[:2] for entry in trail()] == [
        ("operator", name) for name in ("deploy", "snapshot", "redeploy", "undeploy")
    ]


def test_one_that_cannot_stops_no_other_and_many_are_counted(operator):
    deployed = [
        Account.objects.create(server="S", login=n, lifecycle="DEPLOYED") for n in range(1, 9)
    ]
    draft = Account.objects.create(server="S", login=9)

    page = said(operator, "deploy", *deployed, draft)

    assert "1 account is being deployed." in page
    assert "S/5: deploy is not possible while it is DEPLOYED; and 3 more" in page


def test_accounts_are_put_into_a_group_and_tagged(operator, account):
    group = AccountGroup.objects.create(name="Fund")
    other = Account.objects.create(server="S", login=2, group=group)

    assert "For 2 accounts." in said(operator, "set_group", account, other)
    told = said(operator, "set_group", account, other, apply="1", group=group.pk)
    assert "1 account changed." in told
    assert set(Account.objects.values_list("group__name", flat=True)) == {"Fund"}

    assert "separate tags" in said(operator, "add_tag", account, apply="1", tag="a;b")
    assert "2 accounts changed." in said(operator, "add_tag", account, other, apply="1", tag="eu")
    assert "1 account changed." in said(operator, "add_tag", account, apply="1", tag="us")
    assert "0 accounts changed." in said(operator, "add_tag", account, other, apply="1", tag="eu")
    assert sorted(tag.name for tag in account.tags.all()) == ["eu", "us"]

    assert "2 accounts changed." in said(
        operator, "set_group", account, other, apply="1", group="", select_across="1"
    )
    assert not Account.objects.filter(group__isnull=False).exists()
    assert len(trail()) == 6


def test_the_chosen_accounts_are_exported(operator, account):
    Account.objects.create(server="S", login=2, label="=1+1", sealed_password=vault.seal("x"))
    answer = act(operator, "export_csv", account, *Account.objects.filter(login=2))

    text = answer.content.decode()
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert [line.split(",")[:3] for line in text.splitlines()] == [
        ["server", "login", "label"], ["S", "1", ""], ["S", "2", "'=1+1"],
    ]  # fmt: skip
    assert Account.objects.get(login=2).sealed_password not in text


# Adding and changing


def test_saving_a_form_leaves_what_the_workers_wrote_meanwhile(operator, account, monkeypatch):
    full_clean = Account.full_clean

    def meanwhile(self, *args, **kwargs):
        Account.objects.update(seq=41, last_error="written meanwhile")
        return full_clean(self, *args, **kwargs)

    monkeypatch.setattr(Account, "full_clean", meanwhile)
    change(operator, account, label="Mine", currency="EUR", leverage="30")

    row = Account.objects.get()
    assert (row.label, row.currency, row.seq) == ("Mine", "EUR", 41)
    assert row.last_error == "written meanwhile"
    assert trail() == [("operator", "edit", "S/1", "label, currency, leverage")]


def test_an_account_is_added_and_keeps_its_login(operator):
    added = operator.post(f"{LIST}add/", {**FORM, "server": "S", "login": "9"}, follow=True)
    assert "until the action Deploy" in added.content.decode()
    account = Account.objects.get()
    change(operator, account, server="S", login="10", leverage="50")

    row = Account.objects.get()
    assert (row.login, row.leverage, row.lifecycle) == (9, 50, "DRAFT")
    assert [entry[1] for entry in trail()] == ["create", "edit"]


def test_another_interval_or_group_begins_anew(operator, account):
    Account.objects.update(lifecycle="DEPLOYED", epoch=1)

    change(operator, account, label="x")
    assert Account.objects.get().epoch == 1
    change(operator, account, label="x", update_s="4")
    assert Account.objects.get().epoch == 2


def test_tags_are_saved_with_the_account(operator, account):
    tags = [Tag.objects.create(name=name) for name in "ab"]

    change(operator, account, tags=[tag.pk for tag in tags])

    assert account.tags.count() == 2
    assert trail() == [("operator", "edit", "S/1", "tags")]


# The password


def test_a_password_goes_in_and_never_comes_out(operator, account):
    page = change(operator, account, password=" hunter2 ", _continue="1")
    page = page.content.decode() + operator.get(f"{LIST}{account.pk}/history/").content.decode()

    row = Account.objects.get()
    assert vault.opened(row.sealed_password) == " hunter2 "
    for secret in ("hunter2", row.sealed_password):
        assert secret not in page
        assert secret not in operator.get(LIST).content.decode()
        assert secret not in serialize("json", [*LogEntry.objects.all(), *AuditEntry.objects.all()])
    assert trail() == [("operator", "password", "S/1", "password kept")]

    change(operator, account, label="x")
    assert vault.opened(Account.objects.get().sealed_password) == " hunter2 "
    change(operator, account, label="x", forget_password="on")
    assert Account.objects.get().sealed_password == ""
    assert trail()[-1] == ("operator", "password", "S/1", "password removed")


def test_a_form_that_is_refused_does_not_give_the_password_back(operator, account):
    page = change(operator, account, password="hunter2", leverage="0").content.decode()

    assert "Please correct the error" in page
    assert "hunter2" not in page


def test_a_password_is_typed_or_removed(operator, account, settings):
    both = change(operator, account, password="x", forget_password="on").content.decode()
    assert "not both" in both
    settings.ACCOUNT_KEYS = []
    assert "TICKPLANE_ACCOUNT_KEYS" in change(operator, account, password="x").content.decode()
    assert Account.objects.get().sealed_password == ""


def test_an_error_while_saving_reports_no_password(operator, account, monkeypatch, caplog):
    def fail(**kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr(services.roster, "keep_password", fail)
    operator.raise_request_exception = False

    answer = change(operator, account, password="hunter2")

    assert answer.status_code == 500
    assert "hunter2" not in answer.content.decode() + caplog.text
    request = answer.wsgi_request
    assert request.sensitive_post_parameters == ("password",)


# The page of one account


def test_the_page_of_an_account_shows_all_of_it(operator, account):
    Account.objects.update(
        state=stored(state(positions=(POSITION,), orders=(ORDER,))), lifecycle="DEPLOY_FAILED",
        lifecycle_reason="no such file", connection="STALE", connection_reason="no push for 30 s",
        epoch=7, seq=41, published="{}", last_error="rabbitmq: away",
    )  # fmt: skip
    event = AccountEvent.objects.create(
        account=account, number=3, kind="order.placed", payload="{}"
    )
    services.audit.note(actor="ann", action="deploy", account=account, before="DRAFT", after="X")

    page = operator.get(f"{LIST}{account.pk}/change/").content.decode()

    for text in (
        "10,150.25 USD", "123456789", "987654321", "BUY_LIMIT", "no such file", "no push for 30 s",
        "epoch 7, message 41", "rabbitmq: away", "order.placed", "DRAFT → X",
        f"/admin/accounts/accountevent/{event.pk}/change/",
    ):  # fmt: skip
        assert text in page


def test_the_buttons_are_those_of_the_lifecycle(operator, account):
    def buttons():
        page = operator.get(f"{LIST}{account.pk}/change/").content.decode()
        return [name for name in ("deploy", "redeploy", "undeploy", "snapshot")
                if f"/step/{name}/" in page]  # fmt: skip

    assert buttons() == ["deploy"]
    page = operator.post(f"{LIST}{account.pk}/step/deploy/", follow=True)
    assert "is being deployed" in page.content.decode()
    assert buttons() == ["redeploy", "undeploy", "snapshot"]
    assert operator.get(f"{LIST}{account.pk}/step/undeploy/").status_code == 405
    assert operator.post(f"{LIST}404/step/deploy/").status_code == 404
    assert operator.post(f"{LIST}{account.pk}/step/rob/").status_code == 302
    assert Account.objects.get().lifecycle == "DEPLOYING"


def test_a_rule_is_added_to_an_account(operator, account):
    rule = {
        "rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0", "rules-0-name": "Stop",
        "rules-0-kind": "drawdown", "rules-0-basis": "daily", "rules-0-unit": "percent",
        "rules-0-threshold": "5", "rules-0-level": "critical", "rules-0-enabled": "on",
    }  # fmt: skip
    wrong = {"rules-0-kind": "profit", "rules-0-basis": "peak", "rules-0-threshold": "0"}

    page = change(operator, account, **{**rule, **wrong}).content.decode()
    assert "A profit has no peak" in page
    assert "Must be more than zero" in page
    change(operator, account, **rule)

    assert Rule.objects.get().account == account
    assert trail() == [("operator", "create", "S/1", "rule Stop")]


# Deleting


def test_what_is_deployed_is_not_deleted(operator, account):
    Account.objects.update(lifecycle="DEPLOYED")
    address = f"{LIST}{account.pk}/delete/"

    assert "S/1: it is DEPLOYED; undeploy it first" in operator.get(address).content.decode()
    operator.post(address, {"post": "yes"})
    assert "undeploy it first" in said(operator, "delete_selected", account, post="yes")
    assert Account.objects.count() == 1

    Account.objects.update(lifecycle="UNDEPLOYED")
    assert "1" in operator.get(address).content.decode()
    operator.post(address, {"post": "yes"})
    assert Account.objects.count() == 0
    assert trail() == [("operator", "delete", "S/1", "")]


def test_deleting_lists_no_event_one_by_one(operator, account):
    AccountEvent.objects.bulk_create(
        AccountEvent(account=account, number=n, kind="order.placed", payload="{}")
        for n in range(1, 300)
    )

    page = operator.get(f"{LIST}{account.pk}/delete/").content.decode()

    assert "299" in page
    assert page.count("order.placed") == 0


def test_an_account_that_was_deployed_meanwhile_is_not_deleted(operator, account, monkeypatch):
    looked = AccountAdmin.get_deleted_objects

    def meanwhile(self, *args):
        found = looked(self, *args)
        Account.objects.update(lifecycle="DEPLOYED")
        return found

    monkeypatch.setattr(AccountAdmin, "get_deleted_objects", meanwhile)

    answer = operator.post(f"{LIST}{account.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert Account.objects.count() == 1
    assert not LogEntry.objects.exists()


# Tokens


def test_a_token_is_shown_once(operator, account):
    address = f"{LIST}{account.pk}/token/"
    assert operator.get(address).status_code == 200
    assert not AccountToken.objects.exists()
    assert operator.post(address, {"name": ""}).status_code == 200
    assert not AccountToken.objects.exists()

    answer = operator.post(address, {"name": "EA in Frankfurt"})

    secret = answer.context["secret"]
    assert f">{secret}</code>" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert tokens.authenticate(secret) == AccountToken.objects.get()
    for page in (f"{LIST}{account.pk}/change/", "/admin/accounts/accounttoken/", address):
        assert secret not in operator.get(page).content.decode()
    assert secret not in serialize("json", [*LogEntry.objects.all(), *AuditEntry.objects.all()])


def test_a_token_is_revoked_from_its_accounts_page(operator, account):
    token, secret = tokens.create(account=account, name="EA", actor="ann")
    page = operator.get(f"{LIST}{account.pk}/change/").content.decode()
    assert f"/accounttoken/{token.pk}/revoke/" in page

    page = operator.post(f"/admin/accounts/accounttoken/{token.pk}/revoke/", follow=True)

    assert "1 token revoked." in page.content.decode()
    assert tokens.authenticate(secret) is None


# The import


def upload(client, text, name="accounts.csv"):
    data = text if isinstance(text, bytes) else text.encode()
    return client.post(f"{LIST}import/", {"file": SimpleUploadedFile(name, data)})


FILE = "server;login;label;group;password\nLive;1;One;Fund;hunter2\nS;1;Mine;;\n"


def test_a_file_is_tried_and_then_imported(operator, account):
    page = upload(operator, FILE)

    text = page.content.decode()
    assert "New groups: Fund." in text
    assert "state-created" in text
    assert "state-updated" in text
    assert "no-store" in page["Cache-Control"]
    assert "hunter2" not in text
    assert Account.objects.count() == 1

    parcel = page.context["parcel"]
    done = operator.post(f"{LIST}import/", {"parcel": parcel}, follow=True)
    assert "1 created, 1 updated, 0 unchanged." in done.content.decode()
    assert vault.opened(Account.objects.get(server="Live").sealed_password) == "hunter2"
    assert {entry[0] for entry in trail()} == {"operator"}


def test_what_is_wrong_with_a_file_is_shown_by_line(operator):
    page = upload(operator, "server,login,leverage,password\nS,1,hunter2,\nS,x,1,hunter2\n")

    text = page.content.decode()
    assert "Nothing was written: 2 errors." in text
    assert "<td>leverage</td>" in text
    assert "hunter2" not in text
    assert "parcel" not in page.context


@pytest.mark.parametrize("data", [b"", b"\x81\x8d", b"\xff\xfea"])
def test_a_file_that_is_no_text_is_refused(operator, data):
    assert "errorlist" in upload(operator, data).content.decode()


def test_a_parcel_of_another_user_or_a_strange_one_is_refused(operator, account):
    other = vault.parcel(FILE, owner="0")

    for parcel in (other, "", "x", vault.seal(FILE)):
        page = operator.post(f"{LIST}import/", {"parcel": parcel})
        assert "choose the file again" in page.content.decode()
    assert Account.objects.count() == 1


def test_an_import_without_a_key_says_what_to_set(operator, settings):
    settings.ACCOUNT_KEYS = []

    assert "TICKPLANE_ACCOUNT_KEYS" in upload(operator, "server,login\nS,1\n").content.decode()


def test_a_file_too_long_for_a_page_is_refused(operator, monkeypatch):
    monkeypatch.setattr("accounts.admin.importing.LONGEST_PARCEL", 100)

    assert "split the file" in upload(operator, FILE).content.decode()


# Who may


def test_who_may_only_look_changes_nothing(onlooker, account):
    token, _secret = tokens.create(account=account, name="EA", actor="ann")

    page = onlooker.get(f"{LIST}{account.pk}/change/").content.decode()
    assert "/step/" not in page
    assert "/token/" not in page
    assert "/revoke/" not in page
    assert "import/" not in onlooker.get(LIST).content.decode()
    for address in (
        f"{LIST}{account.pk}/step/deploy/", f"{LIST}{account.pk}/token/", f"{LIST}import/",
        f"/admin/accounts/accounttoken/{token.pk}/revoke/",
    ):  # fmt: skip
        assert onlooker.post(address, {"name": "x"}).status_code == 403, address
    for action in ("deploy", "set_group", "add_tag", "delete_selected"):
        act(onlooker, action, account, apply="1", tag="x", group="")
    assert Account.objects.get().lifecycle == "DRAFT"
    assert not Tag.objects.exists()
    assert AccountToken.objects.filter(revoked_at__isnull=True).count() == 1
    assert "S,1" in said(onlooker, "export_csv", account)


def test_who_is_not_signed_in_sees_nothing(client, account):
    for address in (f"{LIST}import/", f"{LIST}{account.pk}/token/"):
        assert client.get(address).status_code == 302
    assert client.post(f"{LIST}{account.pk}/step/deploy/").status_code == 302
    assert Account.objects.get().lifecycle == "DRAFT"

"""Accounts, groups, tags, rules and tokens over REST."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.core import state
from accounts.core.state import AccountState
from accounts.models import Account, AccountGroup, AccountToken, AuditEntry, DeadLetter, Rule, Tag
from accounts.services import tokens, vault

pytestmark = pytest.mark.django_db

ALL = "/api/v1/accounts"
NEW = {"server": "Broker-Live", "login": "261632689"}


class Api:
    """A client that speaks JSON."""

    def __init__(self, client):
        self.client = client

    def get(self, path="", **query):
        return self.client.get(ALL + path, query)

    def post(self, path="", body=None):
        return self.client.post(ALL + path, json.dumps(body or {}), "application/json")

    def patch(self, path, body):
        return self.client.patch(ALL + path, json.dumps(body), "application/json")

    def delete(self, path):
        return self.client.delete(ALL + path)


@pytest.fixture
def api(client):
    client.force_login(User.objects.create_superuser("boss"))
    return Api(client)


@pytest.fixture
def account():
    return Account.objects.create(server="Broker-Live", login=261632689)


def one(account):
    return f"/{account.uuid}"


def acts():
    return list(AuditEntry.objects.order_by("id").values_list("actor", "action"))


def test_an_account_is_declared_with_everything_it_can_have(api):
    AccountGroup.objects.create(name="Desk", positions_s=7)

    answer = api.post(
        "",
        NEW
        | {
            "label": "Desk 4",
            "provider": "push",
            "currency": "EUR",
            "leverage": 30,
            "group": "Desk",
            "tags": ["live", "eur"],
            "intervals": {"updateS": 5},
            "password": "investor secret",
        },
    )

    body = answer.json()
    row = Account.objects.get()
    assert answer.status_code == 201
    assert answer["Location"].endswith(f"{ALL}/{row.uuid}")
    assert (body["lifecycle"], body["deployed"]) == ("DRAFT", False)
    assert (body["server"], body["login"]) == ("Broker-Live", "261632689")
    assert (body["group"], body["tags"], body["hasPassword"]) == ("Desk", ["eur", "live"], True)
    assert body["intervals"] == {
        "accountS": None, "updateS": 5, "positionsS": None, "ordersS": None,
    }  # fmt: skip
    assert body["effectiveIntervals"] == {
        "accountS": 30, "updateS": 5, "positionsS": 7, "ordersS": 10,
    }  # fmt: skip
    assert vault.opened(row.sealed_password) == "investor secret"
    assert "investor" not in answer.content.decode()
    assert "investor" not in str(list(AuditEntry.objects.values()))
    assert acts() == [("boss", "create")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"login": "1"}, "server"),
        ({"server": "S"}, "login"),
        (NEW | {"login": "0"}, "login"),
        (NEW | {"login": 9223372036854775808}, "login"),
        (NEW | {"login": "1e3"}, "login"),
        (NEW | {"server": "x" * 65}, "server"),
        (NEW | {"server": "a\u0000"}, "server"),
        (NEW | {"server": "a\nb"}, "server"),
        (NEW | {"label": "a\tb"}, "label"),
        (NEW | {"leverage": 0}, "leverage"),
        (NEW | {"leverage": 2**31}, "leverage"),
        (NEW | {"provider": "magic"}, "provider"),
        (NEW | {"group": "unknown"}, "group"),
        (NEW | {"tags": "live"}, "tags"),
        (NEW | {"tags": [{}]}, "tags.0"),
        (NEW | {"tags": ["live", "eur;usd"]}, "tags.1"),
        (NEW | {"tags": ["a\nb"]}, "tags.0"),
        (NEW | {"intervals": {"updateS": 0}}, "intervals.updateS"),
        (NEW | {"intervals": {"update_s": 5}}, "intervals.update_s"),
        (NEW | {"colour": "red"}, "colour"),
        (NEW | {"lifecycle": "DEPLOYED"}, "lifecycle"),
        (NEW | {"sealed_password": "x"}, "sealed_password"),
    ],
)
def test_a_body_that_cannot_be_is_refused_by_field(api, body, field):
    answer = api.post("", body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert answer.json()["error"].startswith(f"{field}: ")
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    "body", ["[]", '"text"', "null", "{", "[" * 5000, '{"server": "\\ud800", "login": 1}']
)
def test_a_body_that_is_no_object_is_refused(api, body):
    answer = api.client.post(ALL, body, "application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_same_login_on_two_servers_is_two_accounts_and_on_one_a_conflict(api):
    first, second = api.post("", NEW), api.post("", NEW | {"server": "Other"})
    again = api.post("", NEW)

    assert (first.status_code, second.status_code, again.status_code) == (201, 201, 409)
    assert again.json() == {"error": "Broker-Live/261632689 is declared already"}


def test_a_change_writes_what_it_names_and_no_more(api, account):
    Account.objects.update(label="before", seq=41, last_error="by a worker")

    answer = api.patch(one(account), {"leverage": 50, "tags": ["x"]})

    row = Account.objects.get()
    assert (answer.status_code, answer.json()["leverage"], answer.json()["tags"]) == (
        200,
        50,
        ["x"],
    )
    assert (row.label, row.seq, row.last_error) == ("before", 41, "by a worker")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail, entry.account) == ("edit", "leverage, tags", account)


def test_a_change_that_changes_nothing_is_not_written_down(api, account):
    assert api.patch(one(account), {"leverage": 100, "label": "", "tags": []}).status_code == 200
    assert acts() == []


@pytest.mark.parametrize("body", [{"server": "Other"}, {"login": "7"}, {"accountId": "x"}])
def test_what_an_account_is_known_by_never_changes(api, account, body):
    answer = api.patch(one(account), body)

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == list(body)


def test_a_password_is_replaced_forgotten_and_never_shown(api, account):
    first = api.patch(one(account), {"password": " one "})
    assert vault.opened(Account.objects.get().sealed_password) == " one "
    assert "one" not in first.content.decode().replace("none", "").replace("lifecycleone", "")

    second = api.patch(one(account), {"password": ""})

    assert (first.json()["hasPassword"], second.json()["hasPassword"]) == (True, False)
    assert [e.detail for e in AuditEntry.objects.all()] == ["password", "password"]


def test_with_another_interval_an_account_begins_anew(api, account):
    Account.objects.update(lifecycle="DEPLOYED", epoch=3)

    api.patch(one(account), {"label": "same"})
    assert Account.objects.get().epoch == 3
    api.patch(one(account), {"intervals": {"updateS": 60}})
    assert Account.objects.get().epoch == 4


def test_an_account_is_deleted_once_it_is_not_deployed(api, account):
    Account.objects.update(lifecycle="DEPLOYED")
    refused = api.delete(one(account))
    Account.objects.update(lifecycle="UNDEPLOYED")
    done = api.delete(one(account))

    assert refused.status_code == 409
    assert refused.json() == {"error": "Broker-Live/261632689: it is DEPLOYED; undeploy it first"}
    assert (done.status_code, done.content) == (204, b"")
    assert api.get(one(account)).status_code == 404
    assert acts() == [("boss", "delete")]


def test_amounts_keep_their_digits(api, account):
    exact = AccountState(
        balance=Decimal("10000.00"),
        equity=Decimal("123456789012.345678"),
        profit=Decimal("-0.10"),
        margin=Decimal("1E+3"),
        free_margin=Decimal("0.00000001"),
    )
    Account.objects.update(state=state.stored(exact))

    text = api.get(one(account)).content.decode()

    assert '"balance":10000.00,"equity":123456789012.345678,"profit":-0.10,"margin":1000,' in text


def test_a_stored_state_that_cannot_be_read_stops_nothing(api, account):
    Account.objects.update(state='{"balance": "x"}')

    assert api.get().json()["results"][0]["state"] is None


@pytest.fixture
def several():
    desk, bank = (AccountGroup.objects.create(name=name) for name in ("Desk", "Bank"))
    live, test = (Tag.objects.create(name=name) for name in ("live", "test"))
    now = timezone.now()
    rows = [
        ("Alpha", 11, "one", desk, "DEPLOYED", "CONNECTED", "push", now),
        ("Alpha", 12, "two", desk, "DRAFT", "DISCONNECTED", "simulator", None),
        ("Beta", 11, "three", bank, "DEPLOYED", "STALE", "push", now - timedelta(minutes=5)),
    ]
    for server, login, label, group, lifecycle, connection, provider, heard in rows:
        account = Account.objects.create(
            server=server, login=login, label=label, group=group, lifecycle=lifecycle,
            connection=connection, provider=provider, last_state_at=heard,
        )  # fmt: skip
        account.tags.set([live, test] if login == 11 else [test])


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ({}, ["one", "two", "three"]),
        ({"lifecycle": "DEPLOYED"}, ["one", "three"]),
        ({"lifecycle": ["DEPLOYED", "DRAFT"]}, ["one", "two", "three"]),
        ({"connection": "STALE"}, ["three"]),
        ({"group": "Desk"}, ["one", "two"]),
        ({"tag": "live"}, ["one", "three"]),
        ({"server": "Alpha", "login": "11"}, ["one"]),
        ({"provider": "push", "ordering": "-login"}, ["one", "three"]),
        ({"olderThanS": "60"}, ["two", "three"]),
        ({"q": "alpha"}, ["one", "two"]),
        ({"q": "11 live alph"}, ["one"]),
        ({"q": "bank"}, ["three"]),
        ({"ordering": "label"}, ["one", "three", "two"]),
        ({"ordering": "-server,login"}, ["three", "one", "two"]),
        ({"pageSize": "1", "page": "2"}, ["two"]),
    ],
)
def test_lists_are_filtered_searched_and_ordered(api, several, query, labels):
    body = api.get("", **query).json()

    assert [row["label"] for row in body["results"]] == labels


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"lifecycle": "ASLEEP"}, "lifecycle"),
        ({"login": "abc"}, "login"),
        ({"login": "9" * 40}, "login"),
        ({"olderThanS": "-1"}, "olderThanS"),
        ({"olderThanS": "1e400"}, "olderThanS"),
        ({"ordering": "password"}, "ordering"),
        ({"groups": "Desk"}, "groups"),
        ({"q": "x\u0000"}, "q"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_by_name(api, query, field):
    answer = api.get("", **query)

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


@pytest.mark.parametrize("path", ["", "/audit", "/dead-letters", "/groups", "/tags", "/rules"])
def test_a_list_costs_the_same_for_one_row_and_for_a_hundred(
    api, path, django_assert_max_num_queries
):
    group = AccountGroup.objects.create(name="Desk", update_s=4)
    tags = [Tag.objects.create(name=f"t{number}") for number in range(3)]
    one_each = Decimal(1)
    text = state.stored(
        AccountState(
            balance=one_each,
            equity=one_each,
            profit=one_each,
            margin=one_each,
            free_margin=one_each,
        )
    )
    for number in range(100):
        account = Account.objects.create(server="S", login=number + 1, group=group, state=text)
        account.tags.set(tags)
        Rule.objects.create(
            name=f"r{number}", account=account, kind="profit", basis="daily", unit="amount",
            threshold=1,
        )  # fmt: skip
        AuditEntry.objects.create(actor="a", action="b", account=account)
        DeadLetter.objects.create(message_id=f"m{number}", payload="{}", account=account)

    with django_assert_max_num_queries(6):  # Two of them find out who asks.
        body = api.get(path, pageSize=500).json()

    assert body["results"]


def test_groups_are_declared_altered_and_deleted_when_empty(api, account):
    made = api.post("/groups", {"name": "Desk", "intervals": {"updateS": 5}}).json()
    path = f"/groups/{made['groupId']}"
    Account.objects.update(group=made["groupId"], lifecycle="DEPLOYED", epoch=1)

    altered = api.patch(path, {"intervals": {"updateS": 9}})
    refused = api.delete(path)
    Account.objects.update(group=None)
    done = api.delete(path)

    assert made == {
        "groupId": made["groupId"],
        "name": "Desk",
        "intervals": {"accountS": None, "updateS": 5, "positionsS": None, "ordersS": None},
        "accounts": 0,
    }
    assert (altered.json()["intervals"]["updateS"], altered.json()["accounts"]) == (9, 1)
    assert Account.objects.get().epoch == 2
    assert (refused.status_code, done.status_code) == (409, 204)
    assert [action for _, action in acts()] == ["create", "edit", "delete"]


def test_a_name_is_taken_once(api):
    for path in ("/groups", "/tags"):
        assert api.post(path, {"name": "a"}).status_code == 201
        assert api.post(path, {"name": "a"}).status_code == 409
    other = api.post("/groups", {"name": "b"}).json()
    assert api.patch(f"/groups/{other['groupId']}", {"name": "a"}).status_code == 409


def test_tags_are_renamed_and_taken_off(api, account):
    account.tags.set([Tag.objects.create(name="old")])
    tag = Tag.objects.get()

    assert api.patch(f"/tags/{tag.pk}", {"name": "new"}).json()["accounts"] == 1
    assert api.get("/tags").json()["results"][0]["name"] == "new"
    assert api.delete(f"/tags/{tag.pk}").status_code == 204
    assert api.get(one(account)).json()["tags"] == []


RULE = {
    "name": "Daily loss", "kind": "drawdown", "basis": "daily", "unit": "percent",
    "threshold": "5.25",
}  # fmt: skip


def test_rules_are_declared_for_an_account_or_a_group(api, account):
    AccountGroup.objects.create(name="Desk")

    own = api.post("/rules", RULE | {"accountId": str(account.uuid)})
    shared = api.post("/rules", RULE | {"group": "Desk", "level": "critical"})

    assert own.status_code == 201
    assert b'"threshold":5.25' in own.content
    assert own.json()["accountId"] == str(account.uuid)
    assert (shared.json()["group"], shared.json()["level"]) == ("Desk", "critical")
    found = api.get("/rules", accountId=str(account.uuid)).json()
    assert [row["ruleId"] for row in found["results"]] == [own.json()["ruleId"]]


def test_a_rule_moves_to_a_group_is_switched_off_and_deleted(api, account):
    AccountGroup.objects.create(name="Desk")
    made = api.post("/rules", RULE | {"accountId": str(account.uuid)}).json()
    path = f"/rules/{made['ruleId']}"

    moved = api.patch(path, {"group": "Desk", "enabled": False}).json()

    assert (moved["accountId"], moved["group"], moved["enabled"]) == (None, "Desk", False)
    assert api.delete(path).status_code == 204
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "accountId"),
        ({"group": "unknown"}, "group"),
        ({"accountId": "7f2d4c3e-6a51-4a0e-9c7e-0d8f6a1b2c3d"}, "accountId"),
        ({"group": "Desk", "threshold": "0"}, "threshold"),
        ({"group": "Desk", "threshold": "1.23456"}, "threshold"),
        ({"group": "Desk", "threshold": "NaN"}, "threshold"),
        ({"group": "Desk", "kind": "profit", "basis": "peak"}, "basis"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(api, change, field):
    AccountGroup.objects.create(name="Desk")

    answer = api.post("/rules", RULE | change)

    assert answer.status_code == 400
    assert list(answer.json().get("fields", {"": 0})) == [field]
    assert not Rule.objects.exists()


def test_a_change_that_gives_a_profit_a_peak_is_refused_by_name(api):
    group = AccountGroup.objects.create(name="Desk")
    rule = Rule.objects.create(
        name="r", group=group, kind="drawdown", basis="peak", unit="percent", threshold=5
    )

    answer = api.patch(f"/rules/{rule.pk}", {"kind": "profit"})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["basis"])
    rule.refresh_from_db()
    assert rule.kind == "drawdown"


@pytest.mark.parametrize("path", ["/groups", "/tags"])
@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a;b"])
def test_a_name_that_no_file_can_hold_is_refused(api, path, name):
    answer = api.post(path, {"name": name})

    # A group has a cell of its own; of tags there are several in one.
    fits = (path, name) == ("/groups", "a;b")
    assert answer.status_code == (201 if fits else 400)
    assert fits or list(answer.json()["fields"]) == ["name"]


def test_an_account_token_is_shown_once_and_revoked(api, account):
    made = api.post(f"{one(account)}/tokens", {"name": "terminal"})
    body = made.json()

    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    token = tokens.authenticate(body["token"])
    assert token is not None
    assert tokens.covers(token, account)
    listed = api.get(f"{one(account)}/tokens")
    assert body["token"] not in listed.content.decode()
    assert [row["prefix"] for row in listed.json()["tokens"]] == [body["prefix"]]

    path = f"{one(account)}/tokens/{body['prefix']}"
    assert (api.delete(path).status_code, api.delete(path).status_code) == (204, 404)
    assert tokens.authenticate(body["token"]) is None
    assert body["token"] not in str(list(AuditEntry.objects.values()))


def test_a_token_of_another_account_or_group_is_out_of_reach(api, account):
    other = Account.objects.create(server="Other", login=1)
    group = AccountGroup.objects.create(name="Desk")
    of_group = api.post(f"/groups/{group.pk}/tokens", {}).json()
    prefix = api.post(f"{one(other)}/tokens", {}).json()["prefix"]

    assert api.delete(f"{one(account)}/tokens/{prefix}").status_code == 404
    assert api.delete(f"{one(account)}/tokens/{of_group['prefix']}").status_code == 404
    assert api.get(f"/groups/{group.pk}/tokens").json()["tokens"][0]["prefix"] == of_group["prefix"]
    assert api.delete(f"/groups/{group.pk}/tokens/{of_group['prefix']}").status_code == 204
    assert AccountToken.objects.filter(revoked_at=None).count() == 1

"""The operator's pages beside the accounts themselves: groups, tokens, events, brokers …"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from accounts.core.errors import BrokerAway
from accounts.models import (
    Account,
    AccountEvent,
    AccountGroup,
    AccountToken,
    AuditEntry,
    DeadLetter,
    OutletStatus,
    Rule,
    ShardLease,
    Tag,
)
from accounts.services import deadletters, tokens
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db

ADMIN = "/admin/accounts/"
READ_ONLY = (
    "accountevent",
    "deadletter",
    "outletstatus",
    "shardlease",
    "auditentry",
    "accounttoken",
)


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


@pytest.fixture
def world():
    """One row of everything."""
    group = AccountGroup.objects.create(name="Fund", update_s=4)
    account = Account.objects.create(server="S", login=1, group=group)
    tag = Tag.objects.create(name="eu")
    account.tags.add(tag)
    tokens.create(account=account, name="EA", actor="ann")
    tokens.create(group=group, name="Agent", actor="ann")
    Rule.objects.create(
        name="Stop", group=group, kind="drawdown", basis="daily", unit="percent", threshold=5
    )
    AccountEvent.objects.create(
        account=account, number=1, kind="position.opened", payload='{"volume": 0.1}'
    )
    DeadLetter.objects.create(message_id="m1", account=account, number=1, payload="no json {")
    DeadLetter.objects.create(message_id="m2", number=None, payload="[" * 5000)
    OutletStatus.objects.create(name="nats", state="ready", confirmed=1234)
    ShardLease.objects.create(shard=0, owner="x", expires_at=NOW + timedelta(days=3650))
    return account


def rows(page):
    return page.content.decode().count('name="_selected_action"')


@pytest.mark.parametrize(
    "model", ["account", "accountgroup", "tag", "rule", *READ_ONLY]
)  # fmt: skip
def test_every_list_and_every_row_has_a_page(operator, world, model):
    listed = operator.get(f"{ADMIN}{model}/")
    assert listed.status_code == 200
    found = {m._meta.model_name: m for m in (
        Account, AccountGroup, Tag, Rule, AccountEvent, DeadLetter, OutletStatus, ShardLease,
        AuditEntry, AccountToken,
    )}[model].objects.all()  # fmt: skip

    assert found
    for row in found:
        page = operator.get(f"{ADMIN}{model}/{row.pk}/change/")
        assert page.status_code == 200, row
        assert operator.get(f"{ADMIN}{model}/?q=S/1").status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_the_machine_wrote_is_only_shown(operator, world, model):
    assert operator.get(f"{ADMIN}{model}/add/").status_code == 403
    row = operator.get(f"{ADMIN}{model}/").context["cl"].result_list[0]
    assert operator.post(f"{ADMIN}{model}/{row.pk}/change/", {}).status_code == 403
    assert operator.post(f"{ADMIN}{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in operator.get(f"{ADMIN}{model}/").content.decode()


def test_events_are_filtered(operator, world, settings):
    settings.RABBITMQ_URL = "amqp://h:1"
    AccountEvent.objects.create(
        account=world, number=2, kind="alert.drawdown", payload="{}", nats_at=NOW, rabbitmq_at=NOW
    )
    other = Account.objects.create(server="T", login=2)
    AccountEvent.objects.create(
        account=other, number=1, kind="order.placed", payload="{}", nats_at=NOW
    )

    def numbers(query):
        page = operator.get(f"{ADMIN}accountevent/?{query}")
        assert page.status_code == 200
        return sorted((e.account.login, e.number) for e in page.context["cl"].result_list)

    assert numbers("") == [(1, 1), (1, 2), (2, 1)]
    assert numbers("owed=1") == [(1, 1), (2, 1)]
    assert numbers("owed=0") == [(1, 2)]
    assert numbers("kind=alert") == [(1, 2)]
    assert numbers("kind=order.placed") == [(2, 1)]
    assert numbers(f"account__id__exact={world.pk}") == [(1, 1), (1, 2)]
    assert numbers("number__gte=2") == [(1, 2)]
    assert numbers("number__lte=1&q=S/1") == [(1, 1)]
    assert numbers("number__gte=x&number__lte=" + "9" * 40) == [(1, 1), (1, 2), (2, 1)]
    assert numbers("number__gte=") == [(1, 1), (1, 2), (2, 1)]
    settings.RABBITMQ_URL = ""
    assert numbers("owed=1") == [(1, 1)]


def test_a_range_keeps_the_other_filters(operator, world):
    page = operator.get(
        f"{ADMIN}accountevent/?kind=position.opened&number__gte=1&q=S"
    ).content.decode()

    assert '<input type="hidden" name="kind" value="position.opened">' in page
    assert '<input type="hidden" name="q" value="S">' in page
    assert 'name="number__gte" value="1"' in page


def test_a_hundred_events_take_as_many_queries_as_one(
    operator, world, django_assert_max_num_queries
):
    address = f"{ADMIN}accountevent/"
    operator.get(address)
    with django_assert_max_num_queries(12) as few:
        operator.get(address)
    AccountEvent.objects.bulk_create(
        AccountEvent(account=world, number=n, kind="order.placed", payload="{}")
        for n in range(2, 102)
    )
    with django_assert_max_num_queries(len(few)):
        assert operator.get(address).status_code == 200


def test_dead_letters_are_replayed(operator, world, monkeypatch):
    asked = []

    def replay(*, queryset, actor):
        asked.append((sorted(letter.message_id for letter in queryset), actor))
        return queryset.count()

    monkeypatch.setattr(deadletters, "replay", replay)
    chosen = DeadLetter.objects.filter(message_id="m1")

    page = operator.post(
        f"{ADMIN}deadletter/",
        {"action": "replay", "_selected_action": [letter.pk for letter in chosen]},
        follow=True,
    )

    assert "1 event replayed." in page.content.decode()
    assert asked == [(["m1"], "operator")]


def test_all_letters_of_an_account_or_a_range_are_replayed_at_once(operator, world, monkeypatch):
    DeadLetter.objects.bulk_create(
        DeadLetter(message_id=f"n{n}", account=world, number=n, payload="{}") for n in range(2, 9)
    )
    asked = []

    def replay(*, queryset, actor):
        asked.extend(queryset)
        return len(asked)

    monkeypatch.setattr(deadletters, "replay", replay)

    operator.post(
        f"{ADMIN}deadletter/?account__id__exact={world.pk}&number__gte=3&number__lte=5",
        {"action": "replay", "select_across": "1",
         "_selected_action": [DeadLetter.objects.get(number=3).pk]},
    )  # fmt: skip

    assert sorted(letter.number for letter in asked) == [3, 4, 5]


def test_a_replay_that_cannot_be_says_why(operator, world, monkeypatch):
    def replay(*, queryset, actor):
        raise BrokerAway("connection refused")

    monkeypatch.setattr(deadletters, "replay", replay)
    letter = DeadLetter.objects.latest("id")

    page = operator.post(
        f"{ADMIN}deadletter/",
        {"action": "replay", "_selected_action": [letter.pk]},
        follow=True,
    )

    assert "Nothing was replayed: connection refused" in page.content.decode()


def test_tokens_are_revoked_from_their_list(operator, world):
    chosen = [token.pk for token in AccountToken.objects.all()]
    answer = {"action": "revoke", "_selected_action": chosen}

    first = operator.post(f"{ADMIN}accounttoken/", answer, follow=True).content.decode()
    again = operator.post(f"{ADMIN}accounttoken/", answer, follow=True).content.decode()

    assert "2 tokens revoked." in first
    assert "revoked already" in again
    assert AuditEntry.objects.filter(action="revoke token", actor="operator").count() == 2


def test_a_group_has_its_tokens_and_rules(operator, world):
    page = operator.get(f"{ADMIN}accountgroup/{world.group_id}/change/").content.decode()
    assert "Agent" in page
    assert 'value="Stop"' in page

    answer = operator.post(f"{ADMIN}accountgroup/{world.group_id}/token/", {"name": "New"})

    token = AccountToken.objects.get(name="New")
    assert tokens.authenticate(answer.context["secret"]) == token
    assert token.group == world.group
    page = operator.post(f"{ADMIN}accounttoken/{token.pk}/revoke/", follow=True)
    assert page.redirect_chain[-1][0] == f"{ADMIN}accountgroup/{world.group_id}/change/"


def test_the_accounts_of_a_group_begin_anew_with_another_interval(operator, world):
    Account.objects.update(lifecycle="DEPLOYED", epoch=1)
    form = {"name": "Fund", "update_s": "9", "rules-TOTAL_FORMS": "0", "rules-INITIAL_FORMS": "0"}

    operator.post(f"{ADMIN}accountgroup/{world.group_id}/change/", form)

    assert Account.objects.get().epoch == 2
    assert Account.objects.get().intervals().update_s == 9
    assert AuditEntry.objects.latest("id").detail == "account group Fund: update_s"


def test_a_group_with_accounts_is_kept_and_an_empty_one_goes(operator, world):
    address = f"{ADMIN}accountgroup/{world.group_id}/delete/"
    operator.post(address, {"post": "yes"})
    assert AccountGroup.objects.exists()

    Account.objects.update(group=None)
    operator.post(address, {"post": "yes"})

    assert not AccountGroup.objects.exists()
    assert AccountToken.objects.count() == 1


@pytest.mark.parametrize(
    ("owners", "told"),
    [
        ({}, "choose one"),
        ({"account": True, "group": True}, "choose one"),
        ({"account": True}, None),
        ({"group": True}, None),
    ],
)
def test_a_rule_is_of_one_account_or_one_group(operator, world, owners, told):
    Rule.objects.all().delete()
    keys = {"account": world.pk, "group": world.group_id}
    form = {
        "name": "R", "kind": "profit", "basis": "daily", "unit": "amount", "threshold": "10",
        "level": "info", "enabled": "on", **{name: keys[name] for name in owners},
    }  # fmt: skip

    page = operator.post(f"{ADMIN}rule/add/", form, follow=True).content.decode()

    assert Rule.objects.exists() is (told is None)
    if told:
        assert told in page


def test_a_tag_can_travel_in_a_cell(operator):
    assert "separate tags" in operator.post(f"{ADMIN}tag/add/", {"name": "a;b"}).content.decode()
    assert (
        "control character" in operator.post(f"{ADMIN}tag/add/", {"name": "a\x1b"}).content.decode()
    )
    operator.post(f"{ADMIN}tag/add/", {"name": "a"})
    assert Tag.objects.get().name == "a"


@pytest.mark.parametrize("kind", ["account", "accountgroup"])
def test_a_name_is_one_line_of_text(operator, kind):
    form = {"name": "a\nb", "server": "a\nb", "login": 1, "provider": "push"}

    page = operator.post(f"{ADMIN}{kind}/add/", form | {"currency": "USD", "leverage": 100})

    assert "This holds a control character." in page.content.decode()
    assert not Account.objects.filter(login=1).exists()


def test_what_becomes_of_a_tag_is_written_down(operator):
    operator.post(f"{ADMIN}tag/add/", {"name": "live"})
    tag = Tag.objects.get()
    operator.post(f"{ADMIN}tag/{tag.pk}/change/", {"name": "demo"})
    operator.post(f"{ADMIN}tag/{tag.pk}/delete/", {"post": "yes"})

    acts = AuditEntry.objects.order_by("id").values_list("action", "detail")
    assert list(acts) == [
        ("create", "tag live"), ("edit", "tag demo: name"), ("delete", "tag demo"),
    ]  # fmt: skip

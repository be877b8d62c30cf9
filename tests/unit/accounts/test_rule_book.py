from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.core.rules import RuleSpec
from accounts.models import Account, AccountGroup, Rule
from accounts.services import rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def group():
    return AccountGroup.objects.create(name="Prop")


@pytest.fixture
def account(group):
    return Account.objects.create(server="S", login=1, group=group)


def add(**changes):
    fields = {"name": "R", "kind": "drawdown", "basis": "daily", "unit": "percent"}
    return Rule.objects.create(**fields | {"threshold": Decimal(5)} | changes)


def test_an_account_has_its_own_rules_and_its_groups(account, group):
    own = add(account=account, kind="profit", unit="amount", threshold=Decimal(250), level="info")
    shared = add(group=group, name="Shared")
    add(account=Account.objects.create(server="S", login=2))
    add(group=AccountGroup.objects.create(name="Other"))

    assert rules.rules_of(account) == [
        RuleSpec(
            id=own.pk, name="R", kind="profit", basis="daily", unit="amount",
            threshold=Decimal(250), level="info",
        ),
        RuleSpec(
            id=shared.pk, name="Shared", kind="drawdown", basis="daily", unit="percent",
            threshold=Decimal(5), level="warning",
        ),
    ]  # fmt: skip


def test_an_account_without_a_group_has_its_own_rules_alone(group):
    loner = Account.objects.create(server="S", login=2)
    own = add(account=loner)
    add(group=group)

    assert [spec.id for spec in rules.rules_of(loner)] == [own.pk]


def test_an_account_of_a_group_has_the_groups_alone_when_it_has_none(account, group):
    shared = add(group=group)

    assert [spec.id for spec in rules.rules_of(account)] == [shared.pk]


def test_a_disabled_rule_holds_for_nobody(account):
    add(account=account, enabled=False)

    assert list(rules.rules_of(account)) == []


def test_all_accounts_together_ask_the_database_once(
    account, group, monkeypatch, django_assert_num_queries
):
    others = [Account.objects.create(server="S", login=n, group=group) for n in range(2, 20)]
    add(group=group)
    clock = [100.0]
    monkeypatch.setattr(rules, "monotonic", lambda: clock[0])

    with django_assert_num_queries(1):
        for one in [account, *others]:
            assert len(rules.rules_of(one)) == 1
    add(account=account)
    clock[0] += rules.FRESH_S - 0.1
    with django_assert_num_queries(0):
        assert len(rules.rules_of(account)) == 1
    clock[0] += 0.1
    with django_assert_num_queries(1):
        assert len(rules.rules_of(account)) == 2
        assert len(rules.rules_of(others[0])) == 1


def test_a_process_can_be_told_to_read_again(account):
    assert list(rules.rules_of(account)) == []
    add(account=account)

    rules.forget()

    assert len(rules.rules_of(account)) == 1


def test_a_rule_that_no_form_wrote_silences_no_other(account, caplog):
    add(account=account, kind="loss")
    good = add(account=account)

    assert [spec.id for spec in rules.rules_of(account)] == [good.pk]
    assert "kind" in caplog.text

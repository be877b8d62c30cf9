from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts import services
from accounts.models import Account
from accounts.services import records

pytestmark = pytest.mark.django_db


def test_demo_accounts_are_declared_once():
    assert services.declare_demo_accounts(count=5) == 5
    assert services.declare_demo_accounts(count=5) == 0
    assert services.declare_demo_accounts(count=7) == 2

    assert Account.objects.filter(is_demo=True, lifecycle="DEPLOYED").count() == 7


def test_demo_accounts_that_were_undeployed_stay_so():
    services.declare_demo_accounts(count=2)
    services.undeploy(accounts=Account.objects.all())

    services.declare_demo_accounts(count=2)

    assert Account.objects.deployed().count() == 0


def test_deploying_begins_a_new_epoch_and_undeploying_ends_publishing():
    Account.objects.create(server="S", login=1)

    assert services.tick() == []
    assert services.deploy(accounts=Account.objects.all()) == 1
    assert services.deploy(accounts=Account.objects.all()) == 0
    assert Account.objects.get().epoch == 1
    assert services.tick() == [0]
    assert services.undeploy(accounts=Account.objects.all()) == 1
    assert services.tick() == []


def test_a_snapshot_is_requested_of_deployed_accounts_only():
    Account.objects.create(server="S", login=1, lifecycle="DEPLOYED")
    Account.objects.create(server="S", login=2)

    assert services.request_snapshots(accounts=Account.objects.all()) == 1
    assert list(Account.objects.order_by("login").values_list("epoch", flat=True)) == [1, 0]


@pytest.mark.parametrize(
    "values",
    [
        {"server": "S", "login": 1},
        {"server": "", "login": 2},
        {"server": "S", "login": 0},
        {"server": "S", "login": 2, "leverage": 0},
        {"server": "S", "login": 2, "provider": "crystal ball"},
    ],
)
def test_the_database_refuses_an_account_that_cannot_be(values):
    Account.objects.create(server="S", login=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(**values)
    Account.objects.create(server="S2", login=1)


def test_an_account_that_gets_another_provider_begins_anew():
    account = Account.objects.create(server="S", login=1, lifecycle="DEPLOYED")

    records.edit_account(account=account, values={"label": "Main"}, actor="boss")
    assert Account.objects.get().epoch == 0
    records.edit_account(account=account, values={"provider": "push"}, actor="boss")
    assert Account.objects.get().epoch == 1

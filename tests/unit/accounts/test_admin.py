from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model

from accounts import services
from accounts.models import Account
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/account/"


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


def act(client, action, *accounts):
    return client.post(
        LIST, {"action": action, "_selected_action": [a.pk for a in accounts]}, follow=True
    ).content.decode()


def test_the_list_shows_amounts_and_freshness(operator):
    services.declare_demo_accounts(count=1)
    services.publish_shard(shard=0, now=NOW, brokers=[MemoryBroker()])

    equity = json.loads(Account.objects.get().state)["equity"]
    page = operator.get(LIST).content.decode()

    assert f"{Decimal(str(equity)):,} USD" in page
    assert "ago" in page


def test_accounts_are_deployed_begun_anew_and_undeployed_from_the_list(operator):
    account = Account.objects.create(server="S", login=1)

    assert "1 account deployed." in act(operator, "deploy", account)
    assert "deployed already" in act(operator, "deploy", account)
    assert "1 snapshot follows" in act(operator, "publish_snapshot_now", account)
    assert Account.objects.get().epoch == 2
    assert "1 account undeployed." in act(operator, "undeploy", account)
    assert not Account.objects.get().deployed


def test_saving_a_form_leaves_what_the_workers_wrote_meanwhile(operator, monkeypatch):
    account = Account.objects.create(server="S", login=1)
    full_clean = Account.full_clean

    def meanwhile(self, *args, **kwargs):
        Account.objects.update(seq=41, last_error="written meanwhile")
        return full_clean(self, *args, **kwargs)

    monkeypatch.setattr(Account, "full_clean", meanwhile)
    operator.post(
        f"{LIST}{account.pk}/change/",
        {"label": "Mine", "provider": "simulator", "currency": "EUR", "leverage": "30"},
    )

    row = Account.objects.get()
    assert (row.label, row.currency, row.seq) == ("Mine", "EUR", 41)
    assert row.last_error == "written meanwhile"


def test_an_account_is_added_and_keeps_its_login(operator):
    form = {"server": "S", "login": "9", "provider": "simulator", "currency": "USD"}
    added = operator.post(f"{LIST}add/", {**form, "leverage": "100"}, follow=True)
    assert "until the action Deploy" in added.content.decode()
    account = Account.objects.get()
    operator.post(f"{LIST}{account.pk}/change/", {**form, "login": "10", "leverage": "50"})

    row = Account.objects.get()
    assert (row.login, row.leverage) == (9, 50)

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from accounts import services
from accounts.models import Account
from tests.unit.accounts.brokers import MemoryBroker
from tests.unit.accounts.examples import NOW

pytestmark = pytest.mark.django_db

KEYS = [
    "accountId", "server", "login", "label", "currency", "leverage", "provider", "deployed",
    "lastStateAt", "lastPublishedAt", "lastError", "state",
    "lifecycle", "lifecycleReason", "lifecycleSince", "connection", "connectionReason",
    "connectionSince", "group", "tags", "source", "intervals", "effectiveIntervals", "ageMs",
    "epoch", "seq", "eventNumber", "hasPassword", "snapshotOwed", "utcOffsetS", "isDemo",
    "createdAt",
]  # fmt: skip


@pytest.fixture
def reader(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("reader"))
    return client


def test_a_stranger_is_refused(client):
    assert client.get("/api/v1/accounts").status_code == 403


def test_accounts_are_listed_with_their_last_state(reader):
    services.declare_demo_accounts(count=3)
    brokers = [MemoryBroker()]
    for second in range(20):
        services.publish_shard(shard=0, now=NOW + timedelta(seconds=second), brokers=brokers)

    body = reader.get(reverse("accounts-list")).json()

    assert body["count"] == 3
    first = body["results"][0]
    row = Account.objects.order_by("id")[0]
    assert list(first) == KEYS
    assert first["accountId"] == str(row.uuid)
    assert first["login"] == str(row.login)
    assert row.last_state_at is not None
    assert first["lastStateAt"] == row.last_state_at.isoformat().replace("+00:00", "Z")
    assert first["state"]["balance"] == float(json.loads(row.state)["balance"])
    assert list(first["state"]) == [
        "balance", "equity", "profit", "margin", "freeMargin", "positions", "orders", "credit",
        "marginLevel", "currency", "currencyDigits", "leverage", "tradeMode", "marginMode",
        "tradeAllowed",
    ]  # fmt: skip
    positions = [p for found in body["results"] for p in found["state"]["positions"]]
    assert positions[0].keys() >= {"ticket", "symbol", "type", "openPrice", "openTime"}
    assert isinstance(positions[0]["profit"], float)
    assert positions[0]["openTime"].endswith(".000Z")


def test_an_account_without_a_state_says_so(reader):
    account = Account.objects.create(server="S", login=1)

    body = reader.get(reverse("accounts-detail", args=[account.uuid])).json()

    assert (body["state"], body["lastStateAt"], body["deployed"]) == (None, None, False)


def test_an_unknown_account_is_not_found(reader):
    assert reader.get(f"/api/v1/accounts/{Account().uuid}").status_code == 404
    assert reader.get("/api/v1/accounts/not-a-uuid").status_code == 404


def test_long_lists_come_in_pages(reader):
    services.declare_demo_accounts(count=7)

    first = reader.get("/api/v1/accounts?pageSize=5").json()
    second = reader.get(first["next"]).json()

    assert (len(first["results"]), len(second["results"])) == (5, 2)
    assert second["next"] is None


def test_nothing_can_be_changed_through_the_reading_calls(reader):
    assert reader.post("/api/v1/accounts", {}).status_code in (403, 405)

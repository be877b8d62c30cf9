"""Which accounts there are, and which of them are published."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.core.lifecycle import PUBLISHED, Lifecycle
from accounts.models import Account, AccountQuerySet

# Two servers, so that a login alone is never mistaken for an identity.
DEMO_SERVERS = ("Tickplane-Demo", "Tickplane-Demo2")
DEMO_LOGIN = 50_001
DEMO_LEVERAGES = (100, 30, 500)

# Consumers forget what they hold. The new epoch also keeps a visit that is under way from
# recording over it.
_ANEW: dict[str, Any] = {
    "epoch": F("epoch") + 1,
    "seq": 0,
    "published": "",
    "due_at": None,
    "snapshot_at": None,
    "refusals": 0,
    "nats_snapshot_required": True,
    "rabbitmq_snapshot_required": True,
}


def snapshots() -> AccountQuerySet:
    """Return all accounts with their last state, in a lasting order."""
    return Account.objects.order_by("id")


def deploy(*, accounts: QuerySet[Account]) -> int:
    """Let these accounts be published, from the next tick. Return how many were not before."""
    return accounts.exclude(lifecycle__in=PUBLISHED).update(
        lifecycle=Lifecycle.DEPLOYED, last_error="", **_ANEW
    )


def undeploy(*, accounts: QuerySet[Account]) -> int:
    """Return how many were published and are no longer."""
    return accounts.filter(lifecycle__in=PUBLISHED).update(lifecycle=Lifecycle.UNDEPLOYED)


def request_snapshots(*, accounts: QuerySet[Account]) -> int:
    """Let each deployed account begin anew, with a snapshot, at the next tick. Return how many."""
    return accounts.filter(lifecycle__in=PUBLISHED).update(**_ANEW)


def declare_demo_accounts(*, count: int = 20) -> int:
    """Create and deploy the simulated accounts that are missing. Return how many were."""
    wanted = [
        Account(
            server=DEMO_SERVERS[number % len(DEMO_SERVERS)],
            login=DEMO_LOGIN + number // len(DEMO_SERVERS),
            label=f"Demo {number + 1}",
            provider=Account.Provider.SIMULATOR,
            leverage=DEMO_LEVERAGES[number % len(DEMO_LEVERAGES)],
            lifecycle=Lifecycle.DEPLOYED,
            is_demo=True,
            epoch=1,
        )
        for number in range(count)
    ]
    with transaction.atomic():
        there = Account.objects.count()
        Account.objects.bulk_create(wanted, ignore_conflicts=True)
        return Account.objects.count() - there

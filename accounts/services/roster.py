"""Which accounts there are, and which of them are published."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from accounts.core.lifecycle import PUBLISHED, Lifecycle
from accounts.models import Account, AccountQuerySet
from accounts.services import audit
from accounts.services.audit import SYSTEM, Act
from accounts.services.lifecycle import ANEW

# Two servers, so that a login alone is never mistaken for an identity.
DEMO_SERVERS = ("Tickplane-Demo", "Tickplane-Demo2")
DEMO_LOGIN = 50_001
DEMO_LEVERAGES = (100, 30, 500)


def snapshots() -> AccountQuerySet:
    """Return all accounts with their last state, in a lasting order."""
    return Account.objects.order_by("id")


def request_snapshots(*, accounts: QuerySet[Account], actor: str = "") -> int:
    """
    Let each deployed account begin anew, with a snapshot, at the next tick. Return how many.

    Args:
        actor: Who is written down for it; empty for consumers, who ask often.
    """
    published = accounts.filter(lifecycle__in=PUBLISHED)
    with transaction.atomic():
        if actor:
            audit.note_all(
                Act(actor=actor, action="snapshot", account=account)
                for account in published.only("pk", "server", "login")
            )
        return published.update(**ANEW)


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
        there = set(Account.objects.values_list("server", "login"))
        missing = [account for account in wanted if (account.server, account.login) not in there]
        # Another process may declare the same at this moment; then its rows are the ones.
        Account.objects.bulk_create(missing, ignore_conflicts=True)
        made = list(Account.objects.filter(uuid__in=[account.uuid for account in missing]))
        audit.note_all(
            Act(actor=SYSTEM, action="create", account=account, after=account.lifecycle)
            for account in made
        )
    return len(made)

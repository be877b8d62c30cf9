"""Which accounts there are, and what an operator changes of them beside their lifecycle."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.core.lifecycle import DELETABLE, PUBLISHED, Lifecycle
from accounts.models import Account, AccountGroup, AccountQuerySet, Tag
from accounts.services import audit, rows, vault
from accounts.services.audit import SYSTEM, Act
from accounts.services.lifecycle import ANEW, Moves, Refusal, chunks

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
    published = Account.objects.filter(pk__in=_ids(accounts), lifecycle__in=PUBLISHED)
    with transaction.atomic():
        if actor:
            audit.note_all(
                Act(actor=actor, action="snapshot", account=account)
                for account in published.only("pk", "server", "login")
            )
        return rows.update(published, **ANEW)


def delete(*, accounts: QuerySet[Account], actor: str) -> Moves:
    """Delete those that are not deployed, with all that is kept of them; the others say why not."""
    changed = 0
    refused: list[Refusal] = []
    ids = list(accounts.order_by("pk").values_list("pk", flat=True).distinct())
    for part in chunks(ids):
        with transaction.atomic():
            rows = list(
                Account.objects.select_for_update()
                .filter(pk__in=part)
                .order_by("pk")
                .only("pk", "server", "login", "lifecycle")
            )
            leaving = [account for account in rows if account.lifecycle in DELETABLE]
            audit.note_all(
                Act(actor=actor, action="delete", account=account, before=account.lifecycle)
                for account in leaving
            )
            Account.objects.filter(pk__in=[account.pk for account in leaving]).delete()
        changed += len(leaving)
        refused += [undeletable(account) for account in rows if account not in leaving]
    return Moves(changed, tuple(refused))


def undeletable(account: Account) -> Refusal:
    reason = _("it is %(lifecycle)s; undeploy it first") % {"lifecycle": account.lifecycle}
    return Refusal(str(account), reason)


def set_group(*, accounts: QuerySet[Account], group: AccountGroup | None, actor: str) -> int:
    """Put these accounts into the group, or into none. Return how many were not there."""
    elsewhere = Account.objects.filter(pk__in=_ids(accounts)).exclude(group=group)
    if group is None:
        elsewhere = Account.objects.filter(pk__in=_ids(accounts), group__isnull=False)
    with transaction.atomic():
        movers = list(elsewhere.only("pk", "server", "login"))
        moved = Account.objects.filter(pk__in=[account.pk for account in movers])
        rows.update(moved, group=group)
        # Else an interval of the group that they leave would first run its course.
        request_snapshots(accounts=moved)
        detail = _("group: %(group)s") % {"group": group or "–"}  # noqa: RUF001
        audit.note_all(
            Act(actor=actor, action="edit", account=account, detail=detail) for account in movers
        )
    return len(movers)


def add_tag(*, accounts: QuerySet[Account], tag: Tag, actor: str) -> int:
    """Give these accounts the tag. Return how many did not have it."""
    through = Account.tags.through
    with transaction.atomic():
        bare = list(
            Account.objects.filter(pk__in=_ids(accounts))
            .exclude(tags=tag)
            .only("pk", "server", "login")
        )
        through.objects.bulk_create(
            (through(account_id=account.pk, tag_id=tag.pk) for account in bare),
            ignore_conflicts=True,
        )
        detail = _("tag: %(tag)s") % {"tag": tag}
        audit.note_all(
            Act(actor=actor, action="edit", account=account, detail=detail) for account in bare
        )
    return len(bare)


def keep_password(*, account: Account, password: str, actor: str) -> None:
    """
    Keep the investor password, sealed.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
    """
    _write_password(account, vault.seal(password), _("password kept"), actor)


def forget_password(*, account: Account, actor: str) -> None:
    _write_password(account, "", _("password removed"), actor)


def _write_password(account: Account, sealed: str, detail: str, actor: str) -> None:
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(sealed_password=sealed)
        audit.note(actor=actor, action="password", account=account, detail=detail)
    account.sealed_password = sealed


def _ids(accounts: QuerySet[Account]) -> QuerySet[Account, int]:
    """Return the rows' numbers: a filter that joins must not join again."""
    return accounts.order_by().values_list("pk", flat=True)


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

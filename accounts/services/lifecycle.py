"""
Moves accounts through their lifecycle: the only place that writes it.

Each move locks its rows, asks the table of core.lifecycle, and is written down in the same
transaction. An account that cannot move says why and stops none of the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.core.errors import BadTransition
from accounts.core.lifecycle import Connection, Lifecycle, Step, after
from accounts.models import Account, AccountEvent
from accounts.services import audit, outlets
from accounts.services.audit import SYSTEM, Act

# So many rows are locked together.
CHUNK = 500
REASON_LENGTH = 200
# A broker that took no event for so long may be away for good: somebody must decide.
PATIENCE = timedelta(minutes=10)

# Consumers forget what they hold. The new epoch also keeps a visit that is under way from
# recording over it.
ANEW: dict[str, Any] = {
    "epoch": F("epoch") + 1,
    "seq": 0,
    "published": "",
    "due_at": None,
    "snapshot_at": None,
    "refusals": 0,
    "nats_snapshot_required": True,
    "rabbitmq_snapshot_required": True,
}
# What else a move writes, by where it leads.
_ALONG: dict[Lifecycle, dict[str, Any]] = {
    Lifecycle.DEPLOYING: {**ANEW, "last_error": ""},
    # Nobody watches any more whether it is heard.
    Lifecycle.UNDEPLOYED: {
        "connection": Connection.DISCONNECTED,
        "connection_reason": "not deployed",
        "connection_since": Now(),
    },
}


@dataclass(frozen=True)
class Refusal:
    """An account that stays where it is, and why."""

    account: str
    reason: str


@dataclass(frozen=True)
class Moves:
    """What became of a request."""

    changed: int = 0
    refused: tuple[Refusal, ...] = ()


def deploy(*, accounts: QuerySet[Account], actor: str = SYSTEM) -> int:
    """Let these accounts be published, from the next tick. Return how many were not before."""
    return request(accounts=accounts, step=Step.DEPLOY, actor=actor).changed


def undeploy(*, accounts: QuerySet[Account], actor: str = SYSTEM) -> int:
    """Return how many were published and are no longer."""
    return request(accounts=accounts, step=Step.UNDEPLOY, actor=actor).changed


def redeploy(*, accounts: QuerySet[Account], actor: str = SYSTEM) -> int:
    """Let these accounts begin anew. Return how many do."""
    return request(accounts=accounts, step=Step.REDEPLOY, actor=actor).changed


def request(
    *, accounts: QuerySet[Account], step: Step, actor: str, now: datetime | None = None
) -> Moves:
    """Move each of these accounts that can take the step, and say why the others cannot."""
    changed = 0
    refused: list[Refusal] = []
    ids = list(accounts.order_by("pk").values_list("pk", flat=True).distinct())
    for part in chunks(ids):
        with transaction.atomic():
            rows = _locked(Q(pk__in=part))
            moves = _move(rows, step, actor=actor, now=now or timezone.now())
        changed += moves.changed
        refused += moves.refused
    return Moves(changed, tuple(refused))


def advance(  # noqa: PLR0913  two of them only narrow it down
    *,
    account_id: int,
    step: Step,
    reason: str = "",
    now: datetime,
    seen: Lifecycle | None = None,
    epoch: int | None = None,
) -> bool:
    """
    Take a worker's step with one account; return whether it was possible.

    Args:
        reason: Why it failed.
        seen, epoch: What the worker acted on. When an operator has decided otherwise meanwhile, the
            answer comes too late and changes nothing.
    """
    ids = [account_id]
    changed = advance_all(
        account_ids=ids, step=step, reason=reason, now=now, seen=seen, epoch=epoch
    )
    return changed == 1


def advance_all(  # noqa: PLR0913  see `advance`
    *,
    account_ids: Sequence[int],
    step: Step,
    reason: str = "",
    now: datetime,
    seen: Lifecycle | None = None,
    epoch: int | None = None,
) -> int:
    """Take the same step with many accounts at once; return with how many. See `advance`."""
    wanted = Q()
    if seen is not None:
        wanted &= Q(lifecycle=seen)
    if epoch is not None:
        wanted &= Q(epoch=epoch)
    changed = 0
    for part in chunks(account_ids):
        with transaction.atomic():
            rows = _locked(wanted & Q(pk__in=part))
            changed += _move(rows, step, actor=SYSTEM, now=now, reason=reason).changed
    return changed


def finish_undeploying(*, now: datetime) -> int:
    """Let go of the accounts of which nothing is owed any more; return how many."""
    leaving = dict(
        Account.objects.filter(Q(claim="") | Q(claimed_until__lte=now))
        .filter(lifecycle=Lifecycle.UNDEPLOYING)
        .values_list("pk", "lifecycle_since")
    )
    if not leaving:
        return 0
    owed = _owed(leaving)
    done = [pk for pk in leaving if pk not in owed]
    for pk in owed:
        if now - leaving[pk] >= PATIENCE:
            reason = ngettext(
                "%(count)d event is still owed to a broker",
                "%(count)d events are still owed to a broker",
                owed[pk],
            ) % {"count": owed[pk]}
            _answer([pk], Step.FAILED, reason, now)
    return _answer(done, Step.DONE, "", now)


def _answer(account_ids: Sequence[int], step: Step, reason: str, now: datetime) -> int:
    return advance_all(
        account_ids=account_ids, step=step, reason=reason, now=now, seen=Lifecycle.UNDEPLOYING
    )


def _owed(account_ids: Iterable[int]) -> dict[int, int]:
    """Return how many events each of these accounts still owes a configured broker."""
    return dict(
        AccountEvent.objects.filter(
            outlets.owed_events(),
            account__lifecycle=Lifecycle.UNDEPLOYING,
            account_id__in=list(account_ids),
        )
        .order_by()
        .values_list("account_id")
        .annotate(Count("pk"))
    )


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield as many at a time as are locked together."""
    for first in range(0, len(ids), CHUNK):
        yield ids[first : first + CHUNK]


def _locked(wanted: Q) -> list[Account]:
    """Return the rows, which stay as they are until the transaction ends."""
    return list(
        Account.objects.select_for_update()
        .filter(wanted)
        .order_by("pk")  # Everybody locks in the same order, so that nobody waits in a circle.
        .only("pk", "server", "login", "lifecycle")
    )


def _move(
    rows: Sequence[Account], step: Step, *, actor: str, now: datetime, reason: str = ""
) -> Moves:
    """Move the rows, which are locked, and write it down."""
    ways: dict[Lifecycle, list[Account]] = defaultdict(list)
    refused = []
    for account in rows:
        try:
            ways[after(account.lifecycle, step)].append(account)
        except BadTransition as e:
            refused.append(Refusal(str(account), str(e)))
    for target, movers in ways.items():
        Account.objects.filter(pk__in=[account.pk for account in movers]).update(
            lifecycle=target,
            lifecycle_reason=reason[:REASON_LENGTH],
            lifecycle_since=now,
            **_ALONG.get(target, {}),
        )
        audit.note_all(
            Act(
                actor=actor,
                action=step,
                account=account,
                before=account.lifecycle,
                after=target,
                detail=reason,
            )
            for account in movers
        )
    return Moves(sum(map(len, ways.values())), tuple(refused))

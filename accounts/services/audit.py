"""Writes down who did what to which account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import Account, AuditEntry

# Who acts when nobody is named.
SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class Act:
    """What `note` takes, for many at once."""

    actor: str
    action: str
    account: Account | None = None
    before: str = ""
    after: str = ""
    detail: str = ""


def note(  # noqa: PLR0913  the columns of one row
    *,
    actor: str,
    action: str,
    account: Account | None = None,
    before: str = "",
    after: str = "",
    detail: str = "",
) -> None:
    """
    Write one act down, in the caller's transaction.

    Args:
        before, after: A state, for an act that changed it.
        detail: Whatever else is worth reading; never a password or a token.
    """
    note_all(
        [
            Act(
                actor=actor,
                action=action,
                account=account,
                before=before,
                after=after,
                detail=detail,
            )
        ]
    )


def note_all(acts: Iterable[Act]) -> None:
    """Write these acts down, in the caller's transaction."""
    AuditEntry.objects.bulk_create(map(_entry, acts), batch_size=500)


def _entry(act: Act) -> AuditEntry:
    return AuditEntry(
        actor=(act.actor or SYSTEM)[:150],
        action=act.action[:32],
        account=act.account,
        account_name="" if act.account is None else str(act.account)[:100],
        before=act.before[:20],
        after=act.after[:20],
        detail=act.detail[:500],
    )

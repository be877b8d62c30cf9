"""What the page of one account shows beside its form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.core.errors import BadState
from accounts.core.lifecycle import PUBLISHED, TABLE, Lifecycle, Step
from accounts.core.state import AccountState, restored
from accounts.models import Account, AccountEvent, AuditEntry
from accounts.services import outlets

# Of what happened, so much is on the page; the rest is a link away.
LATEST = 50
OPERATOR = (Step.DEPLOY, Step.REDEPLOY, Step.UNDEPLOY)


def panels(account: Account, *, may_change: bool) -> dict[str, Any]:
    state = _state(account)
    return {
        "account": account,
        "lifecycle_badge": shown.badge(account.lifecycle),
        "connection_badge": shown.badge(account.connection),
        "heard": shown.moment(account.last_state_at),
        "last_publish": shown.moment(account.last_published_at),
        "lifecycle_since": shown.moment(account.lifecycle_since),
        "connection_since": shown.moment(account.connection_since),
        "owed": [name for name in outlets.configured() if getattr(account, outlets.OWED[name])]
        if account.deployed
        else [],
        "state": state,
        "unreadable": bool(account.state) and state is None,
        "figures": _figures(state),
        "steps": _steps(account) if may_change else [],
        "timeline": _timeline(account),
        "with_rabbitmq": "rabbitmq" in outlets.configured(),
        "trail": list(AuditEntry.objects.filter(account=account)[:LATEST]),
    }


def _state(account: Account) -> AccountState | None:
    try:
        return restored(account.state) if account.state else None
    except BadState:
        return None


def _figures(state: AccountState | None) -> Sequence[tuple[Any, str]]:
    if state is None:
        return ()
    money = [
        (_("balance"), state.balance),
        (_("equity"), state.equity),
        (_("profit"), state.profit),
        (_("margin"), state.margin),
        (_("free margin"), state.free_margin),
        (_("credit"), state.credit),
    ]
    level = NONE if state.margin_level is None else f"{shown.amount(state.margin_level)} %"
    return [
        *((name, shown.amount(value, state.currency)) for name, value in money),
        (_("margin level"), level),
        (_("leverage"), f"1:{state.leverage}"),
    ]


NONE = shown.NOTHING


def _steps(account: Account) -> list[tuple[str, Any]]:
    """Return the operator's steps that the account can take now, with their names."""
    ways = TABLE[Lifecycle(account.lifecycle)]
    steps: list[tuple[str, Any]] = [
        (step.value, shown.STEP_NAMES[step]) for step in OPERATOR if step in ways
    ]
    if account.lifecycle in PUBLISHED:
        steps.append(("snapshot", _("Publish a snapshot now")))
    return steps


def _timeline(account: Account) -> list[AccountEvent]:
    return list(AccountEvent.objects.filter(account=account).defer("payload")[:LATEST])

"""
Takes in what terminals push: who may, what it says, what happened; all in one transaction.

Many pushes are taken in together, because a transaction costs more than a push. Each gets an answer
of its own, and one that is refused stops none of the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from django.db import transaction
from msgspec.structs import replace

from accounts.core import diff
from accounts.core.errors import BadState
from accounts.core.lifecycle import Connection
from accounts.core.mt5 import Push
from accounts.core.state import AccountState
from accounts.models import Account, AccountToken
from accounts.services import history, observe, relay, rows, tokens
from accounts.services.observe import Observation

logger = logging.getLogger(__name__)

# How long a revoked token may still be accepted by a process that has just accepted it.
TOKEN_S = 5.0
MOST_TOKENS = 10_000
COLUMNS = (*observe.COLUMNS, "utc_offset_s", "due_at")


class Refused(Enum):
    """Why a push was not taken in."""

    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105  no secret
    NOT_COVERED = "not_covered"
    BAD_STATE = "bad_state"
    ANOTHER_ACCOUNT = "another_account"
    NOT_PUSHED = "not_pushed"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivery:
    """One push as it came in. `said` is why it could not be read, where it could not."""

    secret: str
    account_id: UUID | None
    said: Push | BadState


@dataclass(frozen=True)
class Answer:
    """What became of a push. `key` is the account's row; `urgent`: a message is due at once."""

    account_id: str
    refused: Refused | None = None
    reason: str = ""
    key: int = 0
    deployed: bool = False
    events: int = 0
    urgent: bool = False


def ingest(*, deliveries: Sequence[Delivery], now: datetime) -> list[Answer]:
    """Take these pushes in; return an answer for each, in their order."""
    owners = _tokens(delivery.secret for delivery in deliveries)
    answers: list[Answer] = []
    with transaction.atomic():
        accounts = _locked(d.account_id for d in deliveries if d.secret in owners)
        seen: list[Observation] = []
        for delivery in deliveries:
            account = accounts.get(delivery.account_id) if delivery.account_id else None
            token = owners.get(delivery.secret)
            if refusal := _refusal(delivery, account, token):
                answers.append(Answer(str(delivery.account_id or ""), *refusal))
                continue
            assert account is not None
            assert isinstance(delivery.said, Push)
            seen.append(_take(account, delivery.said, now))
            answers.append(_answer(seen[-1]))
        _write(seen)
    return answers


def _locked(account_ids: Iterable[UUID | None]) -> dict[UUID, Account]:
    wanted = {account_id for account_id in account_ids if account_id}
    if not wanted:
        return {}
    found = rows.locked(Account.objects.filter(uuid__in=wanted))
    return {account.uuid: account for account in found}


def _refusal(
    delivery: Delivery, account: Account | None, token: AccountToken | None
) -> tuple[Refused, str] | None:
    said = delivery.said
    if token is None:
        return Refused.UNKNOWN_TOKEN, "the token is unknown or was revoked"
    if account is None or not tokens.covers(token, account):
        # The same for both: a token is no means of finding out which accounts there are.
        return Refused.NOT_COVERED, "the token does not cover this account"
    if isinstance(said, BadState):
        return Refused.BAD_STATE, str(said)
    if account.provider != Account.Provider.PUSH:
        return Refused.NOT_PUSHED, f"the account's provider is {account.provider}, not push"
    if (said.server, said.login) != (account.server, account.login):
        theirs = f"{said.server}/{said.login}"
        return Refused.ANOTHER_ACCOUNT, f"account is {theirs}, but this account is {account}"
    return None


def _take(account: Account, said: Push, now: datetime) -> Observation:
    account.utc_offset_s = said.utc_offset_s
    trouble = "" if said.connected else "the terminal is not connected to its broker"
    if said.state is None:
        found = Observation(account)
        reason = trouble or "the terminal gave no state"
        observe.connect(found, Connection.DISCONNECTED, reason=reason, at=now)
        return found
    before = observe.held(account)
    state = _completed(account, said, said.state)
    found = observe.observe(account, state, at=now, done=said.done, trouble=trouble)
    if account.due_at and before and diff.changed(before, state):
        account.due_at = min(account.due_at, account.next_update_at or now)
    return found


def _completed(account: Account, said: Push, state: AccountState) -> AccountState:
    """Return the state with the operator's word where the terminal said nothing."""
    named: Mapping[str, object] = {name: getattr(account, name) for name in said.left_out}
    return replace(state, **named) if named else state


def _answer(found: Observation) -> Answer:
    account = found.account
    return Answer(
        account_id=str(account.uuid),
        key=account.pk,
        deployed=account.deployed,
        events=len(found.events),
        urgent=account.deployed and (found.structural or bool(found.events)),
    )


def _write(seen: Sequence[Observation]) -> None:
    # An account that came twice is one row, in the order in which it came.
    last = {found.account.pk: found.account for found in seen}
    rows.write(last.values(), COLUMNS, guards={})
    relay.add(event for found in seen for event in found.events)
    history.keep((f.account.pk, f.finished) for f in seen if f.finished is not None)


class _Known:
    """Tokens that were found good a moment ago, by their secrets."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[float, AccountToken]] = {}

    def find(self, secrets: Iterable[str]) -> dict[str, AccountToken]:
        """Return the tokens of those secrets that have one."""
        now = time.monotonic()
        good: dict[str, AccountToken] = {}
        unsure: list[str] = []
        for secret in set(secrets):
            known = self._tokens.get(secret)
            if known and now - known[0] < TOKEN_S:
                good[secret] = known[1]
            else:
                unsure.append(secret)
        if not unsure:
            return good
        found = tokens.authenticate_all(unsure)
        if len(self._tokens) + len(found) > MOST_TOKENS:
            self._tokens.clear()
        for secret in unsure:
            self._tokens.pop(secret, None)
        self._tokens |= {secret: (now, token) for secret, token in found.items()}
        return good | found


_tokens = _Known().find

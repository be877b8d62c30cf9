"""Tokens with which terminals and agents push: made, shown once, checked, revoked."""

from __future__ import annotations

import hashlib
import secrets as dice
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Account, AccountGroup, AccountToken
from accounts.services import audit

SCHEME = "tpa_"
# Bytes of chance. A guess is hopeless, so a fast hash does; a slow one would cost every push.
SECRET_BYTES = 32
# Of the 43 characters behind the scheme, what may be shown.
SHOWN = 8
LONGEST = 200
# `last_used_at` is for people: one write a minute, not one a push.
NOTED_EVERY = timedelta(minutes=1)


def create(
    *,
    account: Account | None = None,
    group: AccountGroup | None = None,
    name: str,
    actor: str,
) -> tuple[AccountToken, str]:
    """
    Return a new token of one account or of one group, and its secret.

    The secret is kept nowhere: whoever asks shows it once.
    """
    secret = SCHEME + dice.token_urlsafe(SECRET_BYTES)
    with transaction.atomic():
        token = AccountToken.objects.create(
            account=account,
            group=group,
            name=name[:100],
            digest=_digest(secret),
            prefix=secret[: len(SCHEME) + SHOWN],
            created_by=actor[:150],
        )
        audit.note(actor=actor, action="token", account=account, detail=_about(token))
    return token, secret


def revoke(*, token: AccountToken, actor: str, now: datetime | None = None) -> bool:
    """Refuse the token from now on; return whether it was not refused already."""
    with transaction.atomic():
        changed = AccountToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(
            revoked_at=now or timezone.now()
        )
        if changed:
            audit.note(
                actor=actor, action="revoke token", account=token.account, detail=_about(token)
            )
    return bool(changed)


def authenticate(secret: str, *, now: datetime | None = None) -> AccountToken | None:
    """Return the token that the secret belongs to, unless there is none or it is revoked."""
    return authenticate_all([secret], now=now).get(secret)


def authenticate_all(
    secrets: Iterable[str], *, now: datetime | None = None
) -> dict[str, AccountToken]:
    """Return the tokens of those secrets that belong to one that is not revoked."""
    digests = {_digest(secret): secret for secret in secrets if _may_be_one(secret)}
    found = AccountToken.objects.filter(digest__in=list(digests), revoked_at__isnull=True)
    # The database finds them by their hashes, whose bytes nobody can steer: how long it takes says
    # nothing about a secret.
    tokens = {digests[token.digest]: token for token in found} if digests else {}
    _note_use(list(tokens.values()), now or timezone.now())
    return tokens


def _may_be_one(secret: str) -> bool:
    return secret.startswith(SCHEME) and secret.isascii() and len(secret) <= LONGEST


def covers(token: AccountToken, account: Account) -> bool:
    """Return whether the token may push this account."""
    if token.account_id is not None:
        return token.account_id == account.pk
    return token.group_id is not None and token.group_id == account.group_id


def _note_use(tokens: Sequence[AccountToken], now: datetime) -> None:
    since = now - NOTED_EVERY
    due = [t.pk for t in tokens if t.last_used_at is None or t.last_used_at <= since]
    if due:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=since)
        AccountToken.objects.filter(stale, pk__in=due).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _about(token: AccountToken) -> str:
    """Return what may be written down of it."""
    return f"{token} {token.name} {token.group or ''}".strip()

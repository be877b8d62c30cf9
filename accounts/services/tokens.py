"""Tokens with which terminals and agents push: made, shown once, checked, revoked."""

from __future__ import annotations

import hashlib
import hmac
import secrets
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
    secret = SCHEME + secrets.token_urlsafe(SECRET_BYTES)
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
    if not (secret.startswith(SCHEME) and secret.isascii() and len(secret) <= LONGEST):
        return None
    digest = _digest(secret)
    token = (
        AccountToken.objects.select_related("account", "group")
        .filter(digest=digest, revoked_at__isnull=True)
        .first()
    )
    # The database found it by its hash, whose bytes nobody can steer; this takes no time from it.
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    _note_use(token, now or timezone.now())
    return token


def covers(token: AccountToken, account: Account) -> bool:
    """Return whether the token may push this account."""
    if token.account_id is not None:
        return token.account_id == account.pk
    return token.group_id is not None and token.group_id == account.group_id


def _note_use(token: AccountToken, now: datetime) -> None:
    if token.last_used_at is not None and token.last_used_at > now - NOTED_EVERY:
        return
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - NOTED_EVERY)
    AccountToken.objects.filter(due, pk=token.pk).update(last_used_at=now)
    token.last_used_at = now


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _about(token: AccountToken) -> str:
    """Return what may be written down of it."""
    return f"{token} {token.name} {token.group or ''}".strip()

"""
API tokens and what they allow.

A scope is `<app>:<read|write>`. Which one a call needs follows from the app that its view belongs
to and from its method, so that no view has to name it and none can forget to.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.services import audit
from controlplane.models import ApiToken

MARK = "tp_"
SHOWN = 11
READING = ("GET", "HEAD", "OPTIONS")
# A scope for an app without an API would allow nothing.
APPS = tuple(
    app for app in ("accounts", "pipeline", "realtime", "streams") if find_spec(f"{app}.api")
)
SCOPES = tuple(f"{app}:{what}" for app in APPS for what in ("read", "write"))
# A row that is written at every call would make reading as dear as writing.
TOUCHED_EVERY = timedelta(minutes=1)


class BadToken(Exception):
    """The token cannot be made as asked; `field` names what is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def create(  # noqa: PLR0913  the columns of one row
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: str,
    now: datetime,
) -> tuple[ApiToken, str]:
    """
    Return a new token and its secret, which nobody can be told again.

    Raises:
        BadToken: No name, an unknown scope, none at all, or a moment that has passed.
    """
    _check(user, name, scopes, expires_at, now)
    secret = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user,
            name=name,
            scopes=[scope for scope in SCOPES if scope in scopes],
            expires_at=expires_at,
            digest=_digest(secret),
            prefix=secret[:SHOWN],
            created_at=now,
        )
        audit.note(
            actor=actor,
            action="api_token.create",
            detail=f"{token} for {user.get_username()}: {' '.join(token.scopes)}",
        )
    return token, secret


def revoke(*, token: ApiToken, actor: str, now: datetime) -> bool:
    """End the token for good; return whether it was alive."""
    with transaction.atomic():
        ended = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
        if ended:
            audit.note(
                actor=actor,
                action="api_token.revoke",
                detail=f"{token} of {token.user.get_username()}",
            )
    return bool(ended)


def find(*, secret: str, now: datetime) -> ApiToken | None:
    """Return the living token of an active user, and note that it was used; else None."""
    token = (
        ApiToken.objects.select_related("user")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), digest=_digest(secret), revoked_at=None)
        .first()
    )
    if token is None or not token.user.is_active:
        return None
    if token.last_used_at is None or token.last_used_at <= now - TOUCHED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def scope(module: str, method: str) -> str | None:
    """Return what a token needs to call a view of this module; None where no scope covers it."""
    app = module.partition(".")[0]
    return f"{app}:{'read' if method in READING else 'write'}" if app in APPS else None


def _check(
    user: User, name: str, scopes: Sequence[str], expires_at: datetime | None, now: datetime
) -> None:
    if not name or len(name) > 100:  # noqa: PLR2004  the column's
        raise BadToken("name", _("give one of at most 100 letters"))
    if not scopes:
        raise BadToken("scopes", _("give at least one of %(all)s") % {"all": ", ".join(SCOPES)})
    for wanted in scopes:
        if wanted not in SCOPES:
            raise BadToken(
                "scopes",
                _("%(scope)s is not one of %(all)s") % {"scope": wanted, "all": ", ".join(SCOPES)},
            )
    if expires_at is not None and expires_at <= now:
        raise BadToken("expires_at", _("this moment has passed"))
    if not user.is_active:
        raise BadToken("user", _("this user may not sign in"))


def _digest(secret: str) -> str:
    # The secret is long and random: a slow hash would protect nothing and cost every call.
    return hashlib.sha256(secret.encode()).hexdigest()

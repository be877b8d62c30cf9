"""A link that signs one user in, once, for ten minutes."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

AGE_S = 600
_SALT = "tickplane.invitation"


def invite(user: User) -> str:
    """Return a token bound to the user's last sign-in: signing in, in any way, ends it."""
    return signing.dumps([user.pk, _mark(user)], salt=_SALT)


def path(user: User) -> str:
    """Return the path of a new invitation's link."""
    # Named here, so that a process which serves no page need not load every URL's view.
    return reverse("sign-in-once", "controlplane.account_urls", args=[invite(user)])


def redeem(token: str) -> User | None:
    """Return the user whose token this is, and end the token; None when it does not hold."""
    try:
        pk, mark = signing.loads(token, salt=_SALT, max_age=AGE_S)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    with transaction.atomic():
        # Locked, so that of two redemptions at once only the first finds the mark unchanged.
        user = get_user_model().objects.select_for_update().filter(pk=pk, is_active=True).first()
        if user is None or _mark(user) != mark:
            return None
        user.last_login = timezone.now()
        user.save(update_fields=["last_login"])
    return user


def _mark(user: User) -> str:
    return user.last_login.isoformat() if user.last_login else ""

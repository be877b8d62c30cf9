"""Carries a text through a page between two steps, so that nobody can read or alter it there."""

from __future__ import annotations

import base64
import hmac

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class Unopened(Exception):
    """Altered, another person's, or too old."""


def sealed(text: str, owner: str) -> str:
    return _box(owner).encrypt(text.encode()).decode()


def opened(parcel: str, owner: str, within_s: int) -> str:
    """
    Return the text again.

    Raises:
        Unopened: See there.
    """
    try:
        return _box(owner).decrypt(parcel.encode(), ttl=within_s).decode()
    except (InvalidToken, UnicodeError) as e:
        raise Unopened from e


def _box(owner: str) -> Fernet:
    purpose = f"parcel of {owner}"
    key = hmac.digest(settings.SECRET_KEY.encode(), purpose.encode(), "sha256")
    return Fernet(base64.urlsafe_b64encode(key))

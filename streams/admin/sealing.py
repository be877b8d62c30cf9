"""Carries a text through a page between two steps, so that nobody can read or alter it there."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    # 6 MB, for a page that is seldom opened.
    from cryptography.fernet import Fernet


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
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    try:
        return _box(owner).decrypt(parcel.encode(), ttl=within_s).decode()
    except (InvalidToken, UnicodeError) as e:
        raise Unopened from e


def _box(owner: str) -> Fernet:
    from cryptography.fernet import Fernet  # noqa: PLC0415

    purpose = f"parcel of {owner}"
    key = hmac.digest(settings.SECRET_KEY.encode(), purpose.encode(), "sha256")
    return Fernet(base64.urlsafe_b64encode(key))

"""
Seals what must be kept but never shown: the accounts' investor passwords.

Fernet (AES-128-CBC with HMAC-SHA-256) under the first of TICKPLANE_ACCOUNT_KEYS; the others only
open what was sealed before a new key was put in front of them.
"""

from __future__ import annotations

import hmac
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from accounts.core.errors import NoKey, Unopened
from accounts.models import Account

if TYPE_CHECKING:
    # 6 MB in each process; most never seal or open anything.
    from cryptography.fernet import MultiFernet

BATCH = 500

# In front of what is sealed, so that what was sealed for one purpose is not opened for another.
_PASSWORD = b"password:"
_PARCEL = b"parcel:"


@dataclass(frozen=True)
class Rotation:
    """How many passwords the first key seals now, and the accounts of those that no key opens."""

    resealed: int
    unopened: tuple[str, ...]


def has_key() -> bool:
    return bool(settings.ACCOUNT_KEYS)


def seal(password: str) -> str:
    """
    Return the password as it may be kept.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
    """
    return _box().encrypt(_PASSWORD + password.encode()).decode()


def opened(sealed: str) -> str:
    """
    Return what `seal` was given.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
        Unopened: None of the keys opens it, or it was altered.
    """
    return _contents(sealed, _PASSWORD, within_s=None).decode()


def holds(sealed: str, password: str) -> bool:
    """
    Return whether this is what `seal` was given; what no key opens is not.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
    """
    try:
        return bool(sealed) and hmac.compare_digest(opened(sealed).encode(), password.encode())
    except Unopened:
        return False


def parcel(text: str, *, owner: str) -> str:
    """
    Return a text that a page may carry to its next step: short, and closed to everybody.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
    """
    head = _PARCEL + owner.encode() + b":"
    return _box().encrypt(head + zlib.compress(text.encode(), 6)).decode()


def unwrapped(sealed: str, *, owner: str, within_s: int) -> str:
    """
    Return what `parcel` was given by the same owner not longer ago than that.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
        Unopened: It is too old, another's, or was altered.
    """
    head = _PARCEL + owner.encode() + b":"
    return zlib.decompress(_contents(sealed, head, within_s=within_s)).decode()


def rotate() -> Rotation:
    """
    Seal every password anew with the first key.

    Raises:
        NoKey: TICKPLANE_ACCOUNT_KEYS is empty.
    """
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    box, resealed, last = _box(), 0, 0
    unopened: list[str] = []
    while True:
        with transaction.atomic():
            rows = list(
                Account.objects.select_for_update()
                .filter(pk__gt=last)
                .exclude(sealed_password="")
                .order_by("pk")
                .only("pk", "server", "login", "sealed_password")[:BATCH]
            )
            if not rows:
                return Rotation(resealed, tuple(unopened))
            for account in rows:
                try:
                    account.sealed_password = box.rotate(_bytes(account.sealed_password)).decode()
                except InvalidToken:
                    unopened.append(str(account))
                else:
                    resealed += 1
            last = rows[-1].pk
            Account.objects.bulk_update(rows, ["sealed_password"])


def _contents(sealed: str, head: bytes, *, within_s: int | None) -> bytes:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    try:
        contents = _box().decrypt(_bytes(sealed), ttl=within_s)
    except InvalidToken:
        contents = b""
    if not contents.startswith(head):
        raise Unopened("none of TICKPLANE_ACCOUNT_KEYS opens it")
    return contents.removeprefix(head)


def _bytes(sealed: str) -> bytes:
    # Text that is none of ours must be refused by the key, not by the encoding.
    return sealed.encode(errors="replace")


def _box() -> MultiFernet:
    if not settings.ACCOUNT_KEYS:
        raise NoKey("TICKPLANE_ACCOUNT_KEYS is empty, so no password can be kept")
    return _made(tuple(settings.ACCOUNT_KEYS))


@lru_cache(maxsize=8)
def _made(keys: tuple[str, ...]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

    return MultiFernet([Fernet(key) for key in keys])

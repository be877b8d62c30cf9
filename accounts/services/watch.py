"""Notices terminals that fall silent."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.core.lifecycle import Connection
from accounts.models import Account
from accounts.services import observe, relay, rows
from accounts.services.observe import Observation


def note_silence(*, shard: int, now: datetime) -> int:
    """Mark the pushed accounts of the shard that were not heard for too long; return how many."""
    stale_at = now - timedelta(seconds=settings.ACCOUNT_STALE_S)
    lost_at = now - timedelta(seconds=settings.ACCOUNT_DISCONNECTED_S)
    silent = Q(connection=Connection.CONNECTED, last_state_at__lt=stale_at)
    silent |= Q(connection=Connection.STALE, last_state_at__lt=lost_at)
    pushed = Account.objects.deployed().of_shard(shard).filter(provider=Account.Provider.PUSH)
    # Looked up without a lock first: nearly always there is none.
    ids = list(pushed.filter(silent).values_list("pk", flat=True))
    if not ids:
        return 0
    with transaction.atomic():
        accounts = rows.locked(pushed.filter(silent, pk__in=ids))
        found = [_silent(account, lost_at=lost_at, now=now) for account in accounts]
        rows.write([seen.account for seen in found], observe.CONNECTION_COLUMNS, guards={})
        relay.add(event for seen in found for event in seen.events)
    return len(found)


def lost(account: Account, *, reason: str, at: datetime) -> Observation:
    """Note, without writing it, that the account's provider gives no state."""
    found = Observation(account, heard_before_at=account.last_state_at)
    observe.connect(found, Connection.DISCONNECTED, reason=reason, at=at)
    return found


def _silent(account: Account, *, lost_at: datetime, now: datetime) -> Observation:
    found = Observation(account)
    heard_at = account.last_state_at
    assert heard_at is not None, "who was never heard is not silent"
    silence_s = (now - heard_at).total_seconds()
    observe.connect(
        found,
        Connection.DISCONNECTED if heard_at < lost_at else Connection.STALE,
        reason=f"nothing was pushed for {silence_s:.0f} s",
        at=now,
    )
    return found

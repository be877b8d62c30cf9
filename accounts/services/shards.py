"""
Leases of shards: at any moment one worker publishes a shard.

Every moment is the database's, so that two workers whose clocks differ agree about an end. The
owner is a fence: nothing is recorded by a worker whose lease went to another one.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Account, AccountEvent, ShardLease
from accounts.services import outlets

# More than a visit can take, and all the silence that a killed worker causes.
LEASE = timedelta(seconds=10)


@dataclass
class Lease:
    """
    `taken_over`: the last owner never gave it back, and may have sent what it did not record.
    `holder`: who keeps it from visit to visit, if anybody does.
    """

    shard: int
    owner: str
    taken_over: bool
    resynced_at: datetime | None
    holder: str = ""
    # By this process's monotonic clock, and never later than the database knows.
    kept_at_s: float = field(default_factory=time.monotonic)


def tick() -> list[int]:
    """
    Return the numbers of the shards that have something to do and that no process holds for long.

    Something to do: deployed accounts, or events that are still owed.
    """
    busy = set(Account.objects.deployed().shards())
    for name in outlets.configured():
        owed = AccountEvent.objects.filter(outlets.owed_events([name])).order_by()
        busy |= set(Account.objects.filter(pk__in=owed.values("account_id")).shards())
    held = ShardLease.objects.exclude(holder="").filter(expires_at__gt=Now())
    return sorted(busy - set(held.values_list("shard", flat=True)))


def claim(shard: int, *, holder: str = "") -> Lease | None:
    """Return a lease of the shard, or None while somebody else has one."""
    began_s = time.monotonic()
    row, _ = ShardLease.objects.get_or_create(shard=shard)
    owner = uuid.uuid4().hex
    free = Q(owner="") | Q(expires_at__lte=Now())
    claimed = (
        ShardLease.objects.filter(free, shard=shard, owner=row.owner)
        .update(owner=owner, holder=holder, expires_at=Now() + LEASE)
    )  # fmt: skip
    if not claimed:
        ShardLease.objects.filter(shard=shard).update(skipped=F("skipped") + 1)
        return None
    return Lease(shard, owner, row.owner != "", row.resynced_at, holder, began_s)


def is_ours(lease: Lease) -> bool:
    """
    Return whether the lease is ours for some time to come.

    It is asked for before anything is sent: a process that was stopped for a while, or whose visits
    take long, may have lost it.
    """
    fresh = time.monotonic() - lease.kept_at_s < LEASE.total_seconds() / 2
    return fresh or prolong(lease)


def prolong(lease: Lease) -> bool:
    """Return whether the lease is still ours; if so it lasts its full time again."""
    lease.kept_at_s = time.monotonic()
    return bool(
        ShardLease.objects.filter(shard=lease.shard, owner=lease.owner).update(
            expires_at=Now() + LEASE, holder=lease.holder, resynced_at=lease.resynced_at
        )
    )


def give_back(lease: Lease) -> bool:
    """Return whether the lease was still ours to give back."""
    return bool(
        ShardLease.objects.filter(shard=lease.shard, owner=lease.owner).update(
            owner="", holder="", expires_at=None, resynced_at=lease.resynced_at
        )
    )


def end_visit(lease: Lease, *, took_s: float, tick_s: float, keep: bool) -> bool:
    """
    Count the visit, and whether it took longer than a tick; return whether the lease was ours.

    Args:
        keep: Whether the lease goes on, for the next visit by the same process.
    """
    goes_on = {"expires_at": Now() + LEASE} if keep else {"owner": "", "expires_at": None}
    lease.kept_at_s = time.monotonic()
    return bool(
        ShardLease.objects.filter(shard=lease.shard, owner=lease.owner).update(
            **goes_on,
            resynced_at=lease.resynced_at,
            visits=F("visits") + 1,
            overruns=F("overruns") + int(took_s > tick_s),
            last_visit_ms=round(took_s * 1000),
        )
    )

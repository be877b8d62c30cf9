"""What readers ask for, with everything that they need of it in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.models import (
    Account,
    AccountEvent,
    AccountGroup,
    AccountQuerySet,
    AccountToken,
    AuditEntry,
    DeadLetter,
    OutletStatus,
    Rule,
    ShardLease,
    Tag,
)


def accounts() -> AccountQuerySet:
    """Return all accounts with their last state, group and tags, in a lasting order."""
    return (
        Account.objects.select_related("group")
        .prefetch_related("tags")
        .defer("published", "bar", "trackers")
        .order_by("id")
    )


def older_than(found: QuerySet[Account], seconds: float) -> QuerySet[Account]:
    """Return those of which no state came for so long, or ever."""
    moment = timezone.now() - timedelta(seconds=seconds)
    return found.filter(Q(last_state_at__isnull=True) | Q(last_state_at__lt=moment))


def events(*, account: Account) -> QuerySet[AccountEvent]:
    return AccountEvent.objects.filter(account=account)


def dead_letters() -> QuerySet[DeadLetter]:
    return DeadLetter.objects.select_related("account")


def audit_entries() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.select_related("account")


def groups() -> QuerySet[AccountGroup]:
    return AccountGroup.objects.annotate(count=Count("accounts")).order_by("name", "id")


def tags() -> QuerySet[Tag]:
    return Tag.objects.annotate(count=Count("accounts")).order_by("name", "id")


def rules() -> QuerySet[Rule]:
    return Rule.objects.select_related("account", "group").order_by("name", "id")


def tokens() -> QuerySet[AccountToken]:
    return AccountToken.objects.order_by("-created_at", "-id")


def brokers() -> QuerySet[OutletStatus]:
    return OutletStatus.objects.order_by("name")


def shards() -> QuerySet[ShardLease]:
    return ShardLease.objects.order_by("shard")

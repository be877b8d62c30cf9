"""Who publishes which shard, and whether it keeps up."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import shown
from accounts.admin.records import Written
from accounts.models import ShardLease


@admin.register(ShardLease)
class ShardAdmin(Written):
    list_display = (
        "shard", "condition", "holder", "visit_count", "last_visit_ms", "overrun_count",
        "skipped_count", "resynced",
    )  # fmt: skip
    fields = (
        "shard", "condition", "holder", "expires_at", "resynced_at", "visits", "last_visit_ms",
        "overruns", "skipped",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("state"))
    def condition(self, lease: ShardLease) -> str:
        held = lease.expires_at is not None and lease.expires_at > timezone.now()
        if held and (lease.owner or lease.holder):
            return shown.badge("held", gettext("held"))
        return shown.badge("free", gettext("between two visits"))

    @admin.display(description=_("visits"), ordering="visits")
    def visit_count(self, lease: ShardLease) -> str:
        return shown.count(lease.visits)

    @admin.display(description=_("overruns"), ordering="overruns")
    def overrun_count(self, lease: ShardLease) -> str:
        return shown.count(lease.overruns)

    @admin.display(description=_("skipped"), ordering="skipped")
    def skipped_count(self, lease: ShardLease) -> str:
        return shown.count(lease.skipped)

    @admin.display(description=_("began anew"), ordering="resynced_at")
    def resynced(self, lease: ShardLease) -> str:
        return shown.moment(lease.resynced_at)

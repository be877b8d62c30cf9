"""Who publishes which shard."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ShardLease(models.Model):
    """
    Who publishes a shard at this moment; nobody, when `owner` is empty or the lease has expired.

    Moments are the database's clock. `holder` names a process that keeps the lease between visits,
    so that beat need not ask for them.
    """

    shard = models.PositiveBigIntegerField(primary_key=True)
    owner = models.CharField(max_length=32, blank=True, default="")
    holder = models.CharField(_("held by"), max_length=100, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    # The last time that a lost link made every account of the shard owe a broker a snapshot.
    resynced_at = models.DateTimeField(null=True)
    visits = models.PositiveBigIntegerField(_("visits"), default=0)
    # Visits that took longer than a tick, and ticks that found the shard still being visited.
    overruns = models.PositiveBigIntegerField(_("overruns"), default=0)
    skipped = models.PositiveBigIntegerField(_("skipped"), default=0)
    last_visit_ms = models.PositiveIntegerField(_("last visit, ms"), default=0)

    class Meta:
        verbose_name = _("shard")
        verbose_name_plural = _("shards")
        ordering = ("shard",)

    def __str__(self) -> str:
        return f"{self.shard}"

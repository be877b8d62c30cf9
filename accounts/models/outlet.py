"""How each broker fares, as all processes together see it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutletStatus(models.Model):
    """
    One broker. The counters count messages and never begin anew.

    unknown: sent, and the link broke or the deadline passed before an answer. shed: never sent,
    because the broker took nothing just then.
    """

    class State(models.TextChoices):
        READY = "ready", _("ready")
        DEGRADED = "degraded", _("degraded")
        AWAY = "away", _("away")

    name = models.CharField(_("broker"), max_length=16, primary_key=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.AWAY)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    since = models.DateTimeField(_("since"), default=timezone.now)
    seen_at = models.DateTimeField(_("seen"), default=timezone.now)
    confirmed = models.PositiveBigIntegerField(_("confirmed"), default=0)
    returned = models.PositiveBigIntegerField(_("returned"), default=0)
    nacked = models.PositiveBigIntegerField(_("nacked"), default=0)
    unknown = models.PositiveBigIntegerField(_("unknown"), default=0)
    shed = models.PositiveBigIntegerField(_("shed"), default=0)

    class Meta:
        verbose_name = _("broker")
        verbose_name_plural = _("brokers")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

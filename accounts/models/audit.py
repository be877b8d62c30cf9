"""Who did what to which account."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account


class AuditEntry(models.Model):
    """
    One act of an operator, a token or a worker. Written by `services`, never altered.

    `account_name` outlives the account. `detail` never holds a password or a token.
    """

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    actor = models.CharField(_("actor"), max_length=150)
    account = models.ForeignKey(
        Account, on_delete=models.SET_NULL, null=True, related_name="audit",
        verbose_name=_("account"),
    )  # fmt: skip
    account_name = models.CharField(max_length=100, blank=True)
    action = models.CharField(_("action"), max_length=32)
    before = models.CharField(_("before"), max_length=20, blank=True)
    after = models.CharField(_("after"), max_length=20, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.account_name}"

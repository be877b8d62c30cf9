"""What a terminal or an agent signs its pushes with."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account
from accounts.models.group import AccountGroup


class AccountToken(models.Model):
    """
    A secret that allows to push the state of one account, or of all accounts of one group.

    Only its SHA-256 is kept; `prefix` is the part that may be shown.
    """

    name = models.CharField(_("name"), max_length=100, blank=True)
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens",
        verbose_name=_("account"),
    )  # fmt: skip
    group = models.ForeignKey(
        AccountGroup, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens",
        verbose_name=_("group"),
    )  # fmt: skip

    # Written by `services` only.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    created_by = models.CharField(_("created by"), max_length=150, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("account token")
        verbose_name_plural = _("account tokens")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                condition=Q(account__isnull=True) ^ Q(group__isnull=True),
                name="accounts_token_of_one_account_or_group",
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"

"""Equity and balance, minute by minute."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account


class EquityBar(models.Model):
    """
    What equity and balance did in one minute, in whole numbers of 10**-digits of the currency.

    Whole numbers, because SQLite keeps decimals as floats.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="bars")
    at = models.DateTimeField(_("minute"))
    digits = models.PositiveSmallIntegerField(default=2)
    equity_open = models.BigIntegerField()
    equity_high = models.BigIntegerField()
    equity_low = models.BigIntegerField()
    equity_close = models.BigIntegerField()
    balance_open = models.BigIntegerField()
    balance_high = models.BigIntegerField()
    balance_low = models.BigIntegerField()
    balance_close = models.BigIntegerField()

    class Meta:
        verbose_name = _("equity bar")
        verbose_name_plural = _("equity bars")
        ordering = ("account", "at")
        constraints = [models.UniqueConstraint("account", "at", name="accounts_bar_unique_minute")]
        indexes = [models.Index("at", name="accounts_bar_minute")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.at}"

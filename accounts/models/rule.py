"""Rules that raise an alert when an account loses or gains too much."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account
from accounts.models.group import AccountGroup


class Rule(models.Model):
    """A limit on an account, or on each account of a group. See core.rules."""

    class Kind(models.TextChoices):
        DRAWDOWN = "drawdown", _("Drawdown")
        PROFIT = "profit", _("Profit")

    class Basis(models.TextChoices):
        DAILY = "daily", _("Since the start of the day")
        PEAK = "peak", _("From the highest equity")
        START = "start", _("Since the rule first saw the account")

    class Unit(models.TextChoices):
        AMOUNT = "amount", _("Amount in the account's currency")
        PERCENT = "percent", _("Percent")

    class Level(models.TextChoices):
        INFO = "info", _("Info")
        WARNING = "warning", _("Warning")
        ERROR = "error", _("Error")
        CRITICAL = "critical", _("Critical")

    name = models.CharField(_("name"), max_length=100)
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, null=True, blank=True, related_name="rules",
        verbose_name=_("account"),
    )  # fmt: skip
    group = models.ForeignKey(
        AccountGroup, on_delete=models.CASCADE, null=True, blank=True, related_name="rules",
        verbose_name=_("group"),
    )  # fmt: skip
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    basis = models.CharField(_("basis"), max_length=16, choices=Basis)
    unit = models.CharField(_("unit"), max_length=16, choices=Unit)
    threshold = models.DecimalField(_("threshold"), max_digits=18, decimal_places=4)
    level = models.CharField(_("level"), max_length=16, choices=Level, default=Level.WARNING)
    enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(account__isnull=True) ^ Q(group__isnull=True),
                name="accounts_rule_of_one_account_or_group",
            ),
            models.CheckConstraint(
                condition=Q(threshold__gt=0), name="accounts_rule_threshold_positive"
            ),
            models.CheckConstraint(
                condition=~Q(kind="profit", basis="peak"), name="accounts_rule_profit_from_peak"
            ),
        ]

    def __str__(self) -> str:
        return self.name

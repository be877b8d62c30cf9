"""Groups give their accounts intervals and rules; tags only find them again."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

LONGEST_INTERVAL_S = 3600


def interval(name: StrOrPromise) -> models.PositiveSmallIntegerField[int | None, int | None]:
    """Return a column of seconds; empty means what stands a level above."""
    return models.PositiveSmallIntegerField(
        name,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_INTERVAL_S)],
        help_text=_("Seconds. Empty: as the group has it, else the contract's default."),
    )


class AccountGroup(models.Model):
    """Accounts that share intervals, rules and an agent's token."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    account_s = interval(_("snapshot every"))
    update_s = interval(_("update every"))
    positions_s = interval(_("positions every"))
    orders_s = interval(_("orders every"))

    class Meta:
        verbose_name = _("account group")
        verbose_name_plural = _("account groups")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    name = models.CharField(_("name"), max_length=64, unique=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

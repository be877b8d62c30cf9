"""Accounts, and who publishes which shard of them."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.core.messages import Sender
from accounts.core.schedule import Turns

SHARD_SIZE = 500


class AccountQuerySet(models.QuerySet["Account"]):
    def deployed(self) -> Self:
        return self.filter(deployed=True)

    def of_shard(self, shard: int) -> Self:
        """Return the accounts whose rows fall into the shard, in the order of their rows."""
        first = shard * SHARD_SIZE + 1
        return self.filter(id__gte=first, id__lt=first + SHARD_SIZE).order_by("id")

    def shards(self) -> list[int]:
        """Return the numbers of the shards that hold one of these accounts."""
        number = models.ExpressionWrapper(
            (F("id") - 1) / SHARD_SIZE, output_field=models.BigIntegerField()
        )
        return sorted(
            self.order_by().annotate(shard=number).values_list("shard", flat=True).distinct()
        )


class Account(models.Model):
    """One trading account whose state consumers receive on a schedule."""

    class Provider(models.TextChoices):
        SIMULATOR = "simulator", _("Simulator")

    uuid = models.UUIDField(_("account id"), default=uuid.uuid4, unique=True, editable=False)
    server = models.CharField(_("server"), max_length=64)
    login = models.PositiveBigIntegerField(_("login"))
    label = models.CharField(_("label"), max_length=100, blank=True)
    provider = models.CharField(
        _("provider"), max_length=16, choices=Provider, default=Provider.SIMULATOR
    )
    currency = models.CharField(
        _("currency"), max_length=16, default="USD", help_text=_("Where the provider names none.")
    )
    leverage = models.PositiveIntegerField(
        _("leverage"), default=100, help_text=_("Where the provider names none.")
    )

    # Written by `services` only.
    deployed = models.BooleanField(_("deployed"), default=False, editable=False, db_index=True)
    is_demo = models.BooleanField(_("demo"), default=False, editable=False)
    # Grows whenever consumers must begin anew; `seq` counts the messages within it.
    epoch = models.PositiveBigIntegerField(default=0, editable=False)
    seq = models.PositiveBigIntegerField(default=0, editable=False)
    state = models.JSONField(null=True, editable=False)
    # What a consumer holds that merged every message; None when nobody knows.
    published = models.JSONField(null=True, editable=False)
    # A broker that did not confirm is owed a snapshot before it gets anything else.
    nats_snapshot_required = models.BooleanField(default=True, editable=False)
    rabbitmq_snapshot_required = models.BooleanField(default=True, editable=False)
    next_account_at = models.DateTimeField(null=True, editable=False)
    next_update_at = models.DateTimeField(null=True, editable=False)
    next_positions_at = models.DateTimeField(null=True, editable=False)
    next_orders_at = models.DateTimeField(null=True, editable=False)
    last_state_at = models.DateTimeField(_("last state"), null=True, editable=False)
    last_published_at = models.DateTimeField(_("last publish"), null=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=200, blank=True, editable=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ("server", "login")
        constraints = [
            models.UniqueConstraint("server", "login", name="accounts_account_unique_login"),
            models.CheckConstraint(
                condition=Q(login__gt=0), name="accounts_account_login_positive"
            ),
            models.CheckConstraint(condition=~Q(server=""), name="accounts_account_server_named"),
            models.CheckConstraint(
                condition=Q(leverage__gt=0), name="accounts_account_leverage_positive"
            ),
            models.CheckConstraint(
                condition=Q(provider__in=["simulator"]), name="accounts_account_provider_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server}/{self.login}"

    def sender(self) -> Sender:
        return Sender(
            key=self.pk,
            server=self.server,
            login=str(self.login),
            account_id=str(self.uuid),
            epoch=self.epoch,
        )

    def turns(self) -> Turns:
        return Turns(
            account_at=self.next_account_at,
            update_at=self.next_update_at,
            positions_at=self.next_positions_at,
            orders_at=self.next_orders_at,
        )


class ShardLease(models.Model):
    """
    Who publishes a shard at this moment; nobody, when `owner` is empty or the lease has expired.

    An owner that ended without giving the lease back may have sent what it did not record: whoever
    takes over begins a new epoch.
    """

    shard = models.PositiveBigIntegerField(primary_key=True)
    owner = models.CharField(max_length=32, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    # The last time that a lost link made every account of the shard owe RabbitMQ a snapshot.
    resynced_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("shard lease")
        verbose_name_plural = _("shard leases")

    def __str__(self) -> str:
        return f"{self.shard}"

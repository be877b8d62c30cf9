"""The outbox: what happened to accounts, kept until every broker has confirmed it, and after."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.account import Account


class AccountEvent(models.Model):
    """
    One event, written in the transaction that learnt of it.

    `number` counts an account's events without a gap. `message_id` stays the same however often
    the event is sent, so that a consumer knows it has it. A moment that is empty is still owed.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="events", verbose_name=_("account")
    )
    number = models.PositiveBigIntegerField(_("number"))
    message_id = models.UUIDField(default=uuid.uuid4, unique=True)
    kind = models.CharField(_("kind"), max_length=32)
    # The encoded message, as it is sent.
    payload = models.TextField()
    # Where it goes on NATS; empty: to the account's own subject.
    subject = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    rabbitmq_at = models.DateTimeField(_("on RabbitMQ"), null=True)
    nats_at = models.DateTimeField(_("on NATS"), null=True)
    attempts = models.PositiveIntegerField(_("failed attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("account event")
        verbose_name_plural = _("account events")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint("account", "number", name="accounts_event_unique_number")
        ]
        # One for each broker: without RabbitMQ every event is for ever one that it does not have.
        indexes = [
            models.Index(
                # The first column holds nothing, but lets SQLite prefer it to that of the numbers.
                f"{broker}_at", "account", "id",
                name=f"accounts_event_owed_{broker}",
                condition=Q(**{f"{broker}_at__isnull": True}),
            )
            for broker in ("nats", "rabbitmq")
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.account_id} #{self.number} {self.kind}"


class DeadLetter(models.Model):
    """An event that its consumers refused for good, taken off the dead-letter queue."""

    message_id = models.CharField(max_length=64, db_index=True)
    account = models.ForeignKey(
        Account, on_delete=models.SET_NULL, null=True, related_name="dead_letters",
        verbose_name=_("account"),
    )  # fmt: skip
    number = models.PositiveBigIntegerField(_("number"), null=True)
    kind = models.CharField(_("kind"), max_length=64, blank=True)
    payload = models.TextField()
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    deaths = models.PositiveIntegerField(_("deaths"), default=1)
    collected_at = models.DateTimeField(_("died"), default=timezone.now, db_index=True)
    replayed_at = models.DateTimeField(_("replayed"), null=True)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.message_id

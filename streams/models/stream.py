"""Declared streams and consumers."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class Policy(models.TextChoices):
    """What a plan may do to the object in NATS."""

    MANAGE = "manage", _("manage: create, change, and delete when asked")
    OBSERVE = "observe", _("observe: look only, never change")
    PROTECT = "protect", _("protect: create and change, never purge or delete")


class Standing(models.TextChoices):
    """How what is declared compares with what NATS has; `core.plan` decides it."""

    UNKNOWN = "unknown", _("not looked yet")
    IN_SYNC = "in_sync", _("as declared")
    CHANGED = "changed", _("declared anew, not applied yet")
    DRIFTED = "drifted", _("changed in NATS by somebody else")
    MISSING = "missing", _("not in NATS")


class Declared(models.Model):
    """
    What streams and consumers have in common.

    `config` holds the fields that an operator set, by JetStream's own names and units (nanoseconds,
    bytes); a field that is not there is left to the server. `applied` is what the server answered
    after the last apply, `live` what it said last. Unknown keys are kept in all three.
    """

    config = models.JSONField(_("configuration"), default=dict, blank=True)
    policy = models.CharField(
        _("policy"), max_length=8, choices=Policy, default=Policy.MANAGE
    )  # fmt: skip

    # Written by `services` only.
    applied = models.JSONField(null=True, editable=False)
    live = models.JSONField(null=True, editable=False)
    standing = models.CharField(
        _("standing"), max_length=8, choices=Standing, default=Standing.UNKNOWN, editable=False
    )
    # The names of the fields that differ.
    drift = models.JSONField(_("drift"), default=list, editable=False)
    seen_at = models.DateTimeField(_("seen"), null=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def given(self) -> dict[str, Any]:
        """What is declared; nothing where the column, which takes any JSON, holds no object."""
        return self.config if self.has_shape else {}

    @property
    def has_shape(self) -> bool:
        return isinstance(self.config, dict)


class Stream(Declared):
    """One JetStream stream."""

    name = models.CharField(_("name"), max_length=255, unique=True)

    # Written by `services` only.
    messages = models.PositiveBigIntegerField(_("messages"), default=0, editable=False)
    bytes = models.PositiveBigIntegerField(_("bytes"), default=0, editable=False)
    first_seq = models.PositiveBigIntegerField(_("first sequence"), default=0, editable=False)
    last_seq = models.PositiveBigIntegerField(_("last sequence"), default=0, editable=False)
    consumer_count = models.PositiveIntegerField(_("consumers"), default=0, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name = _("stream")
        verbose_name_plural = _("streams")
        constraints = [
            models.CheckConstraint(
                name="streams_stream_policy_known",
                condition=models.Q(policy__in=["manage", "observe", "protect"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subjects(self) -> list[str]:
        found: Any = self.given.get("subjects")
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


class StreamConsumer(Declared):
    """One durable consumer of a stream."""

    stream = models.ForeignKey(
        Stream, on_delete=models.CASCADE, related_name="consumers", verbose_name=_("stream")
    )
    name = models.CharField(_("name"), max_length=255)

    # Written by `services` only. The counts are JetStream's.
    num_pending = models.PositiveBigIntegerField(_("waiting"), default=0, editable=False)
    num_ack_pending = models.PositiveBigIntegerField(_("unacknowledged"), default=0, editable=False)
    num_redelivered = models.PositiveBigIntegerField(_("redelivered"), default=0, editable=False)
    delivered_seq = models.PositiveBigIntegerField(_("delivered up to"), default=0, editable=False)
    ack_floor_seq = models.PositiveBigIntegerField(
        _("acknowledged up to"), default=0, editable=False
    )
    last_active_at = models.DateTimeField(_("last active"), null=True, editable=False)
    paused_until = models.DateTimeField(_("paused until"), null=True, editable=False)

    class Meta:
        ordering = ("stream", "name")
        verbose_name = _("consumer")
        verbose_name_plural = _("consumers")
        constraints = [
            models.UniqueConstraint("stream", "name", name="streams_consumer_unique_name"),
            models.CheckConstraint(
                name="streams_consumer_policy_known",
                condition=models.Q(policy__in=["manage", "observe", "protect"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id and self.stream.name}/{self.name}"

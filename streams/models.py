"""Declared streams."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from streams.core import definition
from streams.core.definition import StreamDefinition
from streams.core.errors import BadDefinition


class Stream(models.Model):
    """One JetStream stream that this installation keeps in being."""

    class Retention(models.TextChoices):
        LIMITS = "limits", _("until a limit is reached")
        INTEREST = "interest", _("until every consumer has it")
        WORKQUEUE = "workqueue", _("until one consumer has it")

    class Storage(models.TextChoices):
        FILE = "file", _("file")
        MEMORY = "memory", _("memory")

    name = models.CharField(_("name"), max_length=32, unique=True)
    subjects = models.JSONField(
        _("subjects"), default=list, help_text=_('A list of patterns, for example ["market.>"].')
    )
    retention = models.CharField(
        _("retention"), max_length=10, choices=Retention, default=Retention.LIMITS
    )
    storage = models.CharField(_("storage"), max_length=6, choices=Storage, default=Storage.FILE)
    max_age_s = models.PositiveBigIntegerField(
        _("max age (s)"), default=0, help_text=_("0 keeps messages for ever.")
    )
    max_msgs = models.PositiveBigIntegerField(
        _("max messages"), default=0, help_text=_("0 means no limit.")
    )
    max_bytes = models.PositiveBigIntegerField(
        _("max bytes"), default=0, help_text=_("0 means no limit.")
    )

    # Written by `services` only.
    messages = models.PositiveBigIntegerField(_("messages"), default=0, editable=False)
    bytes = models.PositiveBigIntegerField(_("bytes"), default=0, editable=False)
    seen_at = models.DateTimeField(_("seen"), null=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name = _("stream")
        verbose_name_plural = _("streams")
        constraints = [
            models.CheckConstraint(
                name="streams_stream_retention_known",
                condition=models.Q(retention__in=["limits", "interest", "workqueue"]),
            ),
            models.CheckConstraint(
                name="streams_stream_storage_known",
                condition=models.Q(storage__in=["file", "memory"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not isinstance(self.subjects, list) or not all(
            isinstance(subject, str) for subject in self.subjects
        ):
            raise ValidationError({"subjects": _("Give a list of texts.")})
        try:
            definition.check(self.definition())
        except BadDefinition as e:
            raise ValidationError({e.field: str(e)}) from e

    def definition(self) -> StreamDefinition:
        return StreamDefinition(
            name=self.name,
            subjects=tuple(self.subjects),
            retention=self.retention,  # type: ignore[arg-type]  # the choices are the literal's
            storage=self.storage,  # type: ignore[arg-type]
            max_age_s=self.max_age_s,
            max_msgs=self.max_msgs,
            max_bytes=self.max_bytes,
        )

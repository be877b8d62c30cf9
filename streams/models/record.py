"""What happened, and what was kept."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class BrokerAct(models.Model):
    """
    One change of an operator or a program, with what was there before. Never altered.

    Passwords and their hashes are never in it.
    """

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    actor = models.CharField(_("actor"), max_length=150)
    action = models.CharField(_("action"), max_length=32)
    # stream, consumer, cluster, node, user, tls, template
    kind = models.CharField(_("kind"), max_length=16)
    name = models.CharField(_("name"), max_length=520)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("NATS audit entry")
        verbose_name_plural = _("NATS audit entries")

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.kind} {self.name}"


class Advisory(models.Model):
    """One of JetStream's or the server's own events. Bounded; the oldest go first."""

    # The server's own id of it: two listeners keep one row.
    event_id = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField(_("at"), db_index=True)
    # The last part of the server's type, for example stream_leader_elected.
    kind = models.CharField(_("kind"), max_length=64, db_index=True)
    stream = models.CharField(_("stream"), max_length=255, blank=True, db_index=True)
    consumer = models.CharField(_("consumer"), max_length=255, blank=True)
    text = models.CharField(_("text"), max_length=300, blank=True)
    data = models.JSONField(_("data"), default=dict)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("advisory")
        verbose_name_plural = _("advisories")

    def __str__(self) -> str:
        return f"{self.kind} {self.stream}"


class Backup(models.Model):
    """One snapshot of a stream in a file of ours."""

    class State(models.TextChoices):
        RUNNING = "running", _("being written")
        DONE = "done", _("complete")
        FAILED = "failed", _("failed")

    stream = models.CharField(_("stream"), max_length=255, db_index=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    actor = models.CharField(_("actor"), max_length=150)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.RUNNING)
    # Relative to the folder of backups.
    file = models.CharField(_("file"), max_length=400)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    messages = models.PositiveBigIntegerField(_("messages"), default=0)
    config = models.JSONField(_("configuration"), default=dict)
    last_error = models.CharField(_("last error"), max_length=200, blank=True)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("backup")
        verbose_name_plural = _("backups")

    def __str__(self) -> str:
        return f"{self.stream} {self.at:%Y-%m-%d %H:%M}"


class SubjectTemplate(models.Model):
    """How the subject of one type of data is built; types without a row follow the scheme."""

    data_type = models.CharField(_("type of data"), max_length=32, unique=True)
    template = models.CharField(_("template"), max_length=200)

    class Meta:
        ordering = ("data_type",)
        verbose_name = _("subject template")
        verbose_name_plural = _("subject templates")

    def __str__(self) -> str:
        return f"{self.data_type}: {self.template}"

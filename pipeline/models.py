"""Declared sources of market data."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from pipeline.core.spec import SourceSpec


def check_endpoint(value: str) -> None:
    """
    Raises:
        ValidationError: No WebSocket URL, or one that carries a login.
    """
    try:
        parts = urlsplit(value)
        reachable = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
        holds_login = "@" in parts.netloc
    except ValueError:
        reachable = holds_login = False
    if not reachable or not value.isprintable() or " " in value or "#" in value:
        raise ValidationError(_("Give a URL of the form ws://host:port/path or wss://host/path."))
    if holds_login:
        # It would be shown, logged and exported with the row.
        raise ValidationError(_("A URL with a user or password in it is not accepted."))


class DataSource(models.Model):
    """One place that market data come from."""

    class Protocol(models.TextChoices):
        WEBSOCKET = "websocket", _("WebSocket")

    class Venue(models.TextChoices):
        BINANCE = "binance", _("Binance spot")

    class State(models.TextChoices):
        STOPPED = "stopped", _("stopped")
        CONNECTING = "connecting", _("connecting")
        RUNNING = "running", _("running")
        RECONNECTING = "reconnecting", _("reconnecting")
        DEGRADED = "degraded", _("degraded")
        REFUSED = "refused", _("refused")

    name = models.SlugField(_("name"), max_length=64, unique=True)
    protocol = models.CharField(
        _("protocol"), max_length=16, choices=Protocol, default=Protocol.WEBSOCKET
    )
    venue = models.CharField(_("venue"), max_length=16, choices=Venue, default=Venue.BINANCE)
    endpoint = models.CharField(
        _("endpoint"),
        max_length=2000,
        validators=[check_endpoint],
        help_text=_("With the streams in it: wss://host/stream?streams=btcusdt@trade/…"),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    buffer_size = models.PositiveIntegerField(
        _("buffer size"),
        default=16_384,
        validators=[MinValueValidator(1024), MaxValueValidator(1024 * 1024)],
        help_text=_("Bytes of one read: from 4096 for a slow source to 32768 for a fast one."),
    )
    reconnect_interval = models.FloatField(
        _("reconnect interval (s)"),
        default=5.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(3600.0)],
        help_text=_("The pauses between attempts grow up to this."),
    )
    max_reconnect_attempts = models.PositiveIntegerField(
        _("max reconnect attempts"),
        default=10,
        help_text=_(
            "After so many failures in a row the source counts as degraded. It is still tried."
        ),
    )
    silence_s = models.FloatField(
        _("silence (s)"),
        default=30.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(86_400.0)],
        help_text=_("Without a message for so long the link counts as lost."),
    )

    # Written by `services` only.
    state = models.CharField(
        _("state"), max_length=16, choices=State, default=State.STOPPED, editable=False
    )
    state_since = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    last_error = models.CharField(_("last error"), max_length=200, blank=True, editable=False)
    received = models.PositiveBigIntegerField(_("received"), default=0, editable=False)
    published = models.PositiveBigIntegerField(_("published"), default=0, editable=False)
    undecodable = models.PositiveBigIntegerField(_("undecodable"), default=0, editable=False)
    last_message_at = models.DateTimeField(_("last message"), null=True, editable=False)
    is_demo = models.BooleanField(_("demo"), default=False, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name = _("data source")
        verbose_name_plural = _("data sources")
        constraints = [
            models.CheckConstraint(
                name="pipeline_datasource_protocol_known",
                condition=models.Q(protocol__in=["websocket"]),
            ),
            models.CheckConstraint(
                name="pipeline_datasource_venue_known", condition=models.Q(venue__in=["binance"])
            ),
            models.CheckConstraint(
                name="pipeline_datasource_times_positive",
                condition=models.Q(silence_s__gt=0, reconnect_interval__gt=0),
            ),
            models.CheckConstraint(
                name="pipeline_datasource_buffer_bounded",
                condition=models.Q(buffer_size__gte=1024, buffer_size__lte=1024 * 1024),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def spec(self) -> SourceSpec:
        return SourceSpec(
            source_id=self.name,
            protocol=self.protocol,
            endpoint=self.endpoint,
            venue=self.venue,
            silence_s=self.silence_s,
            reconnect_interval=self.reconnect_interval,
            max_reconnect_attempts=self.max_reconnect_attempts,
            buffer_size=self.buffer_size,
        )

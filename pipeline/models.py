"""Declared sources of market data."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrPromise

from pipeline.core import checking
from pipeline.core.errors import BadOption
from pipeline.core.spec import SourceSpec


def check_endpoint(value: str) -> None:
    """
    Raises:
        ValidationError: No WebSocket URL, or one that carries a login.
    """
    _check_url(
        value,
        ("ws", "wss"),
        _("Give a URL of the form ws://host:port/path or wss://host/path."),
    )


def _check_url(value: str, schemes: tuple[str, ...], otherwise: StrPromise) -> None:
    try:
        parts = urlsplit(value)
        reachable = parts.scheme in schemes and parts.hostname and parts.port != 0
        holds_login = "@" in parts.netloc
    except ValueError:
        reachable = holds_login = False
    if not reachable or not value.isprintable() or " " in value or "#" in value:
        raise ValidationError(otherwise)
    if holds_login:
        # It would be shown, logged and exported with the row.
        raise ValidationError(_("A URL with a user or password in it is not accepted."))


def check_rest_endpoint(value: str) -> None:
    """
    Raises:
        ValidationError: No HTTP URL, or one that carries a login.
    """
    _check_url(value, ("http", "https"), _("Give a URL of the form https://host or http://host."))


def one_minute() -> list[str]:
    return ["1m"]


SECONDS = ("silence_s", "reconnect_interval", "link_life_s", "ping_every_s")


class DataSource(models.Model):
    """One place that market data come from."""

    class Protocol(models.TextChoices):
        WEBSOCKET = "websocket", _("WebSocket")

    class Venue(models.TextChoices):
        BINANCE = "binance", _("Binance spot")
        BINANCE_USDM = "binance-usdm", _("Binance USD-M futures")
        BINANCE_COINM = "binance-coinm", _("Binance COIN-M futures")
        OKX = "okx", _("OKX")
        DERIBIT = "deribit", _("Deribit")

    class Linger(models.IntegerChoices):
        NONE = 0, _("none")
        SHORT = 1, _("1 ms")
        LONG = 5, _("5 ms")

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
        blank=True,
        validators=[check_endpoint],
        help_text=_(
            "Empty for the venue's own. It may name its streams itself: "
            "wss://host/stream?streams=btcusdt@trade/…"
        ),
    )
    rest_endpoint = models.CharField(
        _("REST endpoint"),
        max_length=2000,
        blank=True,
        validators=[check_rest_endpoint],
        help_text=_(
            "For snapshots, symbols and missed trades. Empty for the venue's own, or for none if "
            "the endpoint above is not the venue's."
        ),
    )
    types = models.JSONField(_("types of data"), default=list, blank=True)
    symbols = models.JSONField(
        _("symbols"),
        default=list,
        blank=True,
        help_text=_("As the venue writes them; * and ? stand for others."),
    )
    intervals = models.JSONField(_("intervals of klines"), default=one_minute, blank=True)
    options = models.JSONField(_("options of the venue"), default=dict, blank=True)
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
    stale_s = models.JSONField(
        _("stale after (s)"),
        default=dict,
        blank=True,
        help_text=_('By type of data, for example {"trade": 600}; else as the type has it.'),
    )
    linger_ms = models.PositiveSmallIntegerField(
        _("linger"),
        choices=Linger,
        default=Linger.NONE,
        help_text=_("What is received may wait so long for more: it spares processor time."),
    )
    link_life_s = models.FloatField(
        _("renew after (s)"),
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(604_800.0)],
        help_text=_("A link is renewed without a gap; 0 for the venue's own limit."),
    )
    renew_at = models.CharField(
        _("renew at (UTC)"),
        max_length=5,
        blank=True,
        validators=[RegexValidator(r"^([01]\d|2[0-3]):[0-5]\d$", _("Give a time as HH:MM."))],
        help_text=_("Instead, at this time of each day: HH:MM."),
    )
    trusted = models.BooleanField(
        _("trusted"),
        default=False,
        help_text=_("Read without the checks of the protocol: for feeds of your own."),
    )
    checksums = models.BooleanField(_("compare checksums"), default=True)
    backfill = models.BooleanField(_("ask for missed trades"), default=True)
    handshake = models.JSONField(
        _("handshake"),
        default=list,
        blank=True,
        help_text=_(
            'Before any subscription: [{"send": "…", "expect": "…", "within_s": 10}]. What is sent '
            "is never shown again."
        ),
    )
    ping_text = models.CharField(
        _("ping"), max_length=1000, blank=True, help_text=_("Sent instead of the venue's own.")
    )
    ping_every_s = models.FloatField(
        _("ping every (s)"),
        default=20.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(3600.0)],
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
    epoch = models.PositiveBigIntegerField(_("epoch"), default=0, editable=False)
    seen_at = models.DateTimeField(_("last report"), null=True, editable=False)
    channels = models.PositiveIntegerField(_("channels"), default=0, editable=False)
    links = models.PositiveIntegerField(_("links"), default=0, editable=False)
    # Since the row was made, by name: see `pipeline.core.status.SourceStatus`.
    by_type = models.JSONField(_("by type"), default=dict, editable=False)
    troubles = models.JSONField(_("troubles"), default=dict, editable=False)
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
                name="pipeline_datasource_venue_known",
                condition=models.Q(
                    venue__in=["binance", "binance-usdm", "binance-coinm", "okx", "deribit"]
                ),
            ),
            models.CheckConstraint(
                name="pipeline_datasource_times_positive",
                condition=models.Q(silence_s__gt=0, reconnect_interval__gt=0),
            ),
            models.CheckConstraint(
                name="pipeline_datasource_buffer_bounded",
                condition=models.Q(buffer_size__gte=1024, buffer_size__lte=1024 * 1024),
            ),
            models.CheckConstraint(
                name="pipeline_datasource_linger_known",
                condition=models.Q(linger_ms__in=[0, 1, 5]),
            ),
            models.CheckConstraint(
                name="pipeline_datasource_link_bounded",
                condition=models.Q(link_life_s__gte=0, ping_every_s__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """
        Raises:
            ValidationError: By field: what its venue does not have, or what does not go together.
        """
        if self.venue not in self.Venue.values:
            return  # Said by the field.
        found: dict[str, list[str]] = {}
        for name in SECONDS:
            # No limit is below or above what is no number.
            value = getattr(self, name)
            if isinstance(value, float) and not isfinite(value):
                found[name] = [str(_("Give a number."))]
        for fault in self._faults():
            found.setdefault(fault.field, []).append(fault.reason)
        if found:
            raise ValidationError(found)

    def spec(self) -> SourceSpec:
        """
        Raises:
            BadOption: One of its lists is no list. Whoever wrote the row did not ask `clean`.
        """
        shaped: dict[str, Any] = {
            name: checking.shaped(name, getattr(self, name)) for name in checking.SHAPES
        }
        return SourceSpec(
            source_id=self.name,
            protocol=self.protocol,
            endpoint=self.endpoint,
            venue=self.venue,
            silence_s=self.silence_s,
            reconnect_interval=self.reconnect_interval,
            max_reconnect_attempts=self.max_reconnect_attempts,
            buffer_size=self.buffer_size,
            rest_endpoint=self.rest_endpoint,
            types=tuple(shaped["types"]),
            symbols=tuple(shaped["symbols"]),
            intervals=tuple(shaped["intervals"]),
            options=shaped["options"],
            stale_s=shaped["stale_s"],
            link_life_s=self.link_life_s,
            renew_at=self.renew_at,
            linger_ms=self._linger(),
            trusted=self.trusted,
            checksums=self.checksums,
            backfill=self.backfill,
            handshake=tuple(shaped["handshake"]),
            ping_text=self.ping_text,
            ping_every_s=self.ping_every_s,
            epoch=self.epoch,
        )

    def _faults(self) -> list[BadOption]:
        misshapen = []
        for name in checking.SHAPES:
            try:
                checking.shaped(name, getattr(self, name))
            except BadOption as e:
                misshapen.append(e)
        return misshapen or checking.faults(self.spec())

    def _linger(self) -> Literal[0, 1, 5]:
        return 5 if self.linger_ms == 5 else 1 if self.linger_ms == 1 else 0  # noqa: PLR2004

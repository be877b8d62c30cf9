"""Declared servers: clusters, their nodes, users and certificates."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

PORT = (MinValueValidator(1), MaxValueValidator(65_535))


class TlsFiles(models.Model):
    """Where a server finds its certificate. The files are the operator's; only paths are kept."""

    name = models.SlugField(_("name"), max_length=64, unique=True)
    cert_file = models.CharField(_("certificate file"), max_length=400)
    key_file = models.CharField(_("key file"), max_length=400)
    ca_file = models.CharField(_("CA file"), max_length=400, blank=True)
    verify = models.BooleanField(
        _("verify"), default=False, help_text=_("The other side must show a certificate too.")
    )
    timeout_s = models.FloatField(
        _("handshake timeout (s)"), default=3, validators=[MinValueValidator(0.1)]
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("TLS files")
        verbose_name_plural = _("TLS files")

    def __str__(self) -> str:
        return self.name


class Cluster(models.Model):
    """
    The settings that all nodes of one NATS installation share; a single node is a cluster of one.

    Sizes and durations are kept as they were written ("1GB", "2m"); `core.sizes` reads them.
    """

    name = models.SlugField(_("name"), max_length=64, unique=True)
    service_port = models.PositiveIntegerField(_("service port"), default=8085, validators=PORT)
    auto_start_nats = models.BooleanField(_("start nats-server"), default=True)
    auto_create_streams = models.BooleanField(_("create streams"), default=True)

    host = models.CharField(_("client host"), max_length=255, default="127.0.0.1")
    nats_port = models.PositiveIntegerField(_("client port"), default=4222, validators=PORT)
    http_port = models.PositiveIntegerField(_("monitoring port"), default=8222, validators=PORT)
    cluster_host = models.CharField(_("route host"), max_length=255, default="0.0.0.0")  # noqa: S104  the contract's
    cluster_port = models.PositiveIntegerField(_("route port"), default=6222, validators=PORT)
    cluster_name = models.CharField(_("cluster name"), max_length=64, blank=True)
    cluster_routes = models.JSONField(
        _("further routes"), default=list, blank=True,
        help_text=_('To nodes that are not declared here: ["nats-route://node2:6222"].'),
    )  # fmt: skip
    nats_url = models.CharField(_("NATS URL"), max_length=400, blank=True)
    client_urls = models.JSONField(_("client URLs"), default=list, blank=True)
    data_dir = models.CharField(_("data folder"), max_length=400, blank=True)

    jetstream_enabled = models.BooleanField(_("JetStream"), default=True)
    jetstream_max_memory = models.CharField(_("max memory"), max_length=32, default="1GB")
    jetstream_max_storage = models.CharField(_("max storage"), max_length=32, default="10GB")
    jetstream_max_streams = models.PositiveIntegerField(_("max streams"), default=100)
    jetstream_max_consumers = models.PositiveIntegerField(_("max consumers"), default=1000)
    sync_interval = models.CharField(
        _("sync interval"), max_length=32, default="2m",
        help_text=_('"always" writes each message through to the disk.'),
    )  # fmt: skip

    max_connections = models.PositiveIntegerField(_("max connections"), default=1000)
    max_subscriptions = models.PositiveIntegerField(_("max subscriptions"), default=1000)
    max_payload = models.CharField(_("max payload"), max_length=32, default="1MB")
    write_deadline = models.CharField(_("write deadline"), max_length=32, default="2s")
    ping_interval = models.CharField(_("ping interval"), max_length=32, default="2m")
    max_pings_out = models.PositiveIntegerField(_("max pings out"), default=2)
    lame_duck_duration = models.CharField(_("lame duck duration"), max_length=32, default="30s")

    client_tls = models.ForeignKey(
        TlsFiles, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("TLS for clients"),
    )  # fmt: skip
    route_tls = models.ForeignKey(
        TlsFiles, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("TLS for routes"),
    )  # fmt: skip

    class Meta:
        ordering = ("name",)
        verbose_name = _("NATS cluster")
        verbose_name_plural = _("NATS clusters")

    def __str__(self) -> str:
        return self.name


class Node(models.Model):
    """One nats-server. What is empty comes from its cluster."""

    class State(models.TextChoices):
        STOPPED = "stopped", _("stopped")
        STARTING = "starting", _("starting")
        RUNNING = "running", _("running")
        UNHEALTHY = "unhealthy", _("running, not ready")
        REFUSED = "refused", _("configuration refused; the old one runs on")
        FAILED = "failed", _("ends again and again")

    cluster = models.ForeignKey(
        Cluster, on_delete=models.CASCADE, related_name="nodes", verbose_name=_("cluster")
    )
    name = models.SlugField(_("name"), max_length=64, unique=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    address = models.CharField(
        _("address"), max_length=255, default="127.0.0.1",
        help_text=_("Where the other nodes and clients reach it."),
    )  # fmt: skip
    nats_port = models.PositiveIntegerField(
        _("client port"), null=True, blank=True, validators=PORT
    )
    http_port = models.PositiveIntegerField(
        _("monitoring port"), null=True, blank=True, validators=PORT
    )
    cluster_port = models.PositiveIntegerField(
        _("route port"), null=True, blank=True, validators=PORT
    )
    data_dir = models.CharField(_("data folder"), max_length=400, blank=True)
    client_tls = models.ForeignKey(
        TlsFiles, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("TLS for clients"),
    )  # fmt: skip
    route_tls = models.ForeignKey(
        TlsFiles, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("TLS for routes"),
    )  # fmt: skip
    # Counted up by an operator who wants it restarted; the supervisor remembers the number.
    restart_wanted = models.PositiveIntegerField(default=0, editable=False)

    # Written by the supervisor only.
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.STOPPED, editable=False
    )
    since = models.DateTimeField(_("since"), null=True, editable=False)
    reason = models.CharField(_("reason"), max_length=500, blank=True, editable=False)
    pid = models.PositiveIntegerField(_("process"), null=True, editable=False)
    version = models.CharField(_("version"), max_length=32, blank=True, editable=False)
    restarts = models.PositiveIntegerField(_("restarts"), default=0, editable=False)
    restart_done = models.PositiveIntegerField(default=0, editable=False)
    # The server's own digest of what it runs, and of what it should run.
    digest = models.CharField(_("digest"), max_length=100, blank=True, editable=False)
    wanted_digest = models.CharField(_("wanted digest"), max_length=100, blank=True, editable=False)
    # The options whose change waits for a restart.
    awaits_restart = models.JSONField(_("awaits restart"), default=list, editable=False)
    certificate_ends_at = models.DateTimeField(_("certificate ends"), null=True, editable=False)
    seen_at = models.DateTimeField(_("seen"), null=True, editable=False)

    class Meta:
        ordering = ("cluster", "name")
        verbose_name = _("NATS node")
        verbose_name_plural = _("NATS nodes")

    def __str__(self) -> str:
        return self.name


class BrokerUser(models.Model):
    """Somebody who may log in to the nodes of a cluster."""

    class Role(models.TextChoices):
        ADMIN = "admin", _("admin: everything in the account")
        PRODUCER = "producer", _("producer: publishes its subjects")
        CONSUMER = "consumer", _("consumer: reads its subjects, and consumes their streams")
        CUSTOM = "custom", _("custom: exactly the lists below")

    cluster = models.ForeignKey(
        Cluster, on_delete=models.CASCADE, related_name="users", verbose_name=_("cluster")
    )
    name = models.CharField(_("name"), max_length=64)
    # bcrypt, as nats-server reads it. The password itself is kept nowhere.
    password_hash = models.CharField(max_length=100, editable=False, blank=True)
    role = models.CharField(_("role"), max_length=8, choices=Role, default=Role.CONSUMER)
    enabled = models.BooleanField(_("enabled"), default=True)
    subjects = models.JSONField(
        _("subjects"), default=list, blank=True, help_text=_('For example ["market.>"].')
    )
    streams = models.JSONField(
        _("streams"), default=list, blank=True,
        help_text=_("Those that a consumer may consume; empty: all that hold its subjects."),
    )  # fmt: skip
    publish_allow = models.JSONField(_("may publish"), default=list, blank=True)
    publish_deny = models.JSONField(_("may not publish"), default=list, blank=True)
    subscribe_allow = models.JSONField(_("may subscribe"), default=list, blank=True)
    subscribe_deny = models.JSONField(_("may not subscribe"), default=list, blank=True)

    class Meta:
        ordering = ("cluster", "name")
        verbose_name = _("NATS user")
        verbose_name_plural = _("NATS users")
        constraints = [
            models.UniqueConstraint("cluster", "name", name="streams_user_unique_name"),
        ]

    def __str__(self) -> str:
        return self.name

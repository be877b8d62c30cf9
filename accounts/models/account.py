"""One trading account: what the operator declares, and what the workers know about it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.core.lifecycle import PUBLISHED, Connection, Lifecycle
from accounts.core.messages import Sender
from accounts.core.schedule import Intervals, Turns
from accounts.core.shard import SHARD_SIZE
from accounts.models.group import AccountGroup, Tag, interval


class AccountQuerySet(models.QuerySet["Account"]):
    def deployed(self) -> Self:
        """Return the accounts that are published, or are about to be."""
        return self.filter(lifecycle__in=PUBLISHED)

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
        PUSH = "push", _("Terminal pushes (Expert Advisor or agent)")
        RECORDING = "recording", _("Recorded session")

    uuid = models.UUIDField(_("account id"), default=uuid.uuid4, unique=True, editable=False)
    server = models.CharField(_("server"), max_length=64)
    login = models.PositiveBigIntegerField(_("login"))
    label = models.CharField(_("label"), max_length=100, blank=True)
    group = models.ForeignKey(
        AccountGroup,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name=_("group"),
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="accounts", verbose_name=_("tags"))
    provider = models.CharField(
        _("provider"), max_length=16, choices=Provider, default=Provider.SIMULATOR
    )
    source = models.CharField(
        _("source"),
        max_length=200,
        blank=True,
        help_text=_(
            "Recorded session: the name of its file. Simulator: empty, or `busy` for an account"
            " that always has a position and an order. Otherwise empty."
        ),
    )
    currency = models.CharField(
        _("currency"), max_length=16, default="USD", help_text=_("Where the provider names none.")
    )
    leverage = models.PositiveIntegerField(
        _("leverage"), default=100, help_text=_("Where the provider names none.")
    )
    account_s = interval(_("snapshot every"))
    update_s = interval(_("update every"))
    positions_s = interval(_("positions every"))
    orders_s = interval(_("orders every"))

    # Written by `services` only.
    created_at = models.DateTimeField(_("declared"), default=timezone.now, editable=False)
    is_demo = models.BooleanField(_("demo"), default=False, editable=False)
    # The investor password, encrypted: see `services.vault`. Empty where none is kept.
    sealed_password = models.TextField(blank=True, editable=False)

    lifecycle = models.CharField(
        _("lifecycle"),
        max_length=20,
        choices=[(state.value, state.value) for state in Lifecycle],
        default=Lifecycle.DRAFT.value,
        editable=False,
        db_index=True,
    )
    lifecycle_reason = models.CharField(max_length=200, blank=True, editable=False)
    lifecycle_since = models.DateTimeField(default=timezone.now, editable=False)
    connection = models.CharField(
        _("connection"),
        max_length=16,
        choices=[(state.value, state.value) for state in Connection],
        default=Connection.DISCONNECTED.value,
        editable=False,
    )
    connection_reason = models.CharField(max_length=200, blank=True, editable=False)
    connection_since = models.DateTimeField(default=timezone.now, editable=False)

    # Grows whenever consumers must begin anew; `seq` counts the messages within it.
    epoch = models.PositiveBigIntegerField(default=0, editable=False)
    seq = models.PositiveBigIntegerField(default=0, editable=False)
    # The number of the account's last event; never begins anew.
    event_number = models.PositiveBigIntegerField(default=0, editable=False)
    # JSON of core.state.AccountState as text: it is read far more often than it is searched.
    state = models.TextField(blank=True, default="", editable=False)
    # What a consumer holds that merged every message; empty when nobody knows.
    published = models.TextField(blank=True, default="", editable=False)
    # Grows with every structural change; when the other one is behind, a message is due at once.
    structure_number = models.PositiveBigIntegerField(default=0, editable=False)
    sent_structure_number = models.PositiveBigIntegerField(default=0, editable=False)
    # Broker time less UTC, as the terminal last said.
    utc_offset_s = models.IntegerField(null=True, editable=False)

    # A broker that did not confirm is owed a snapshot before it gets anything else, from
    # `snapshot_at` on; after refusals in a row that moment moves away.
    nats_snapshot_required = models.BooleanField(default=True, editable=False)
    rabbitmq_snapshot_required = models.BooleanField(default=True, editable=False)
    snapshot_at = models.DateTimeField(null=True, editable=False)
    refusals = models.PositiveSmallIntegerField(default=0, editable=False)
    next_account_at = models.DateTimeField(null=True, editable=False)
    next_update_at = models.DateTimeField(null=True, editable=False)
    next_positions_at = models.DateTimeField(null=True, editable=False)
    next_orders_at = models.DateTimeField(null=True, editable=False)
    # The earliest moment at which a visit has something to do here; empty means now.
    due_at = models.DateTimeField(null=True, editable=False)
    # Who writes messages of this account at this moment. A claim that expired instead of being
    # given back may have sent what it did not record: whoever comes next begins a new epoch.
    claim = models.CharField(max_length=32, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)

    # JSON of the minute under way (core.bars) and of each rule's memory (core.rules).
    bar = models.TextField(blank=True, editable=False)
    trackers = models.TextField(blank=True, editable=False)

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
                condition=Q(provider__in=["simulator", "push", "recording"]),
                name="accounts_account_provider_known",
            ),
            models.CheckConstraint(
                condition=Q(lifecycle__in=[state.value for state in Lifecycle]),
                name="accounts_account_lifecycle_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server}/{self.login}"

    @property
    def deployed(self) -> bool:
        return self.lifecycle in PUBLISHED

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

    def intervals(self) -> Intervals:
        """Return the account's own intervals, else its group's, else the contract's."""
        return Intervals(
            **{
                name: float(seconds)
                for name in Intervals.__struct_fields__
                if (seconds := getattr(self, name) or getattr(self.group, name, None))
            }
        )

    def age(self) -> timedelta | None:
        """Return how long ago the last state came, or None when none did."""
        return None if self.last_state_at is None else timezone.now() - self.last_state_at

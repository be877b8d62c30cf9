"""This process's way to each broker, and how the brokers fare."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db.models import F, Q

from accounts.core.errors import PublishError
from accounts.models import OutletStatus
from accounts.publish.bus import Bus
from accounts.publish.outlet import Counts, Outlet
from accounts.publish.rabbit import Rabbit
from streams import services as streams

logger = logging.getLogger(__name__)

# How long a visit waits for one broker. The other one waits as long, so it is short.
CHECK_S = 1.0
# At most one row is written in this time, by each process and broker, unless the state changes.
NOTE_S = 1.0
REASON_LENGTH = 300

# The column that says whether a broker is owed a snapshot, or an event, by the broker's name.
OWED = {"nats": "nats_snapshot_required", "rabbitmq": "rabbitmq_snapshot_required"}
SENT_AT = {"nats": "nats_at", "rabbitmq": "rabbitmq_at"}


def ours() -> tuple[Outlet, ...]:
    """Return this process's way to each configured broker; they connect on first use."""
    return _outlets(os.getpid())


def configured() -> tuple[str, ...]:
    """Return the names of the brokers that this installation has."""
    return ("nats", "rabbitmq") if settings.RABBITMQ_URL else ("nats",)


def owed_events(names: Iterable[str] | None = None) -> Q:
    """Return the condition of events that one of these brokers, or of all, has not confirmed."""
    columns = [SENT_AT[name] for name in (configured() if names is None else names)]
    return Q(*((f"{column}__isnull", True) for column in columns), _connector=Q.OR)


def away(brokers: Iterable[Outlet]) -> dict[str, str]:
    """Return why each broker that cannot be reached now cannot, by its name."""
    found: dict[str, str] = {}
    for broker in brokers:
        try:
            broker.check(CHECK_S)
        except PublishError as e:
            found[broker.name] = str(e)
    return found


@dataclass(frozen=True)
class _Noted:
    counts: Counts = Counts()  # noqa: RUF009  frozen
    fares: tuple[str, str] | None = None
    at_s: float = 0.0


class Notes:
    """What this process has already added to the counters that all processes share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: WeakKeyDictionary[Outlet, _Noted] = WeakKeyDictionary()

    def note(
        self, brokers: Sequence[Outlet], away: dict[str, str], *, now: datetime, judge: bool
    ) -> None:
        """
        Write how each broker fares; often enough for a page, seldom enough for a database.

        Args:
            judge: Whether this process is the one to say that a broker is away or back. Were it
                everybody, two links that come back one after the other would look like a broker
                that comes and goes.
        """
        with self._lock:
            for broker in brokers:
                self._note(broker, _fares(broker, away) if judge else None, now)

    def _note(self, broker: Outlet, fares: tuple[str, str] | None, now: datetime) -> None:
        noted = self._noted.get(broker) or _Noted()
        if fares in (None, noted.fares) and time.monotonic() - noted.at_s < NOTE_S:
            return
        name, counts = broker.name, broker.counts()
        grown = {
            outcome: F(outcome) + count - getattr(noted.counts, outcome)
            for outcome in Counts.__struct_fields__
            if (count := getattr(counts, outcome)) != getattr(noted.counts, outcome)
        }
        OutletStatus.objects.get_or_create(name=name, defaults={"since": now})
        row = OutletStatus.objects.filter(name=name)
        row.update(seen_at=now, **grown)
        if fares:
            state, reason = fares
            row.exclude(state=state, reason=reason).update(reason=reason)
            row.exclude(state=state).update(state=state, since=now)
        self._noted[broker] = _Noted(counts, fares, time.monotonic())


NOTES = Notes()


def back_at(brokers: Iterable[Outlet]) -> dict[str, datetime]:
    """Return since when each broker has been taking messages, by its name."""
    rows = OutletStatus.objects.exclude(state=OutletStatus.State.AWAY)
    names = [broker.name for broker in brokers]
    return dict(rows.filter(name__in=names).values_list("name", "since"))


def note_lost_link(name: str, *, now: datetime) -> None:
    """Let what follows be spread, as after an outage that a visit has seen."""
    OutletStatus.objects.filter(name=name).update(since=now)


def _fares(broker: Outlet, away: dict[str, str]) -> tuple[str, str]:
    if reason := away.get(broker.name, ""):
        return OutletStatus.State.AWAY.value, reason[:REASON_LENGTH]
    if warning := broker.warning():
        return OutletStatus.State.DEGRADED.value, warning[:REASON_LENGTH]
    return OutletStatus.State.READY.value, ""


@cache
def _outlets(pid: int) -> tuple[Outlet, ...]:
    # By process: a connection that was open before a fork belongs to the parent.
    bus = Bus(streams.link())
    return (bus, Rabbit(settings.RABBITMQ_URL)) if settings.RABBITMQ_URL else (bus,)

"""Writes what the worker says of its sources to their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import F, QuerySet

from pipeline.core.status import SourceStatus
from pipeline.models import DataSource

NS_PER_US = 1000
US_PER_S = 1_000_000

COUNTED = ("received", "published", "undecodable")
# Kept by name in `troubles`, beside the reasons why frames were not decodable.
TROUBLES = (
    "gaps", "resyncs", "stale", "disconnects", "repeated", "backfilled", "bad_checksums", "ignored",
    "unasked",
)  # fmt: skip
UNDECODABLE = "undecodable:"


def record_status(
    *, sources: Iterable[SourceStatus], before: Mapping[str, SourceStatus], now: datetime
) -> None:
    """
    Write what the worker says of its sources to their rows; a row it does not name is stopped.

    Args:
        before: What was recorded last, by source id. Counters are added by difference, so that
            they outlive the worker; what did not change is not written.
    """
    with transaction.atomic():
        running = set()
        for source in sources:
            running.add(source.source_id)
            if before.get(source.source_id) != source:
                _record(source, before.get(source.source_id))
        _stop(DataSource.objects.exclude(name__in=running), now)


def record_begun(*, names: Iterable[str], now: datetime) -> None:
    """Write that a worker was told to run these sources. Those that run already stay so."""
    stopped = DataSource.objects.filter(name__in=list(names), state=DataSource.State.STOPPED)
    stopped.update(state=DataSource.State.CONNECTING, state_since=now, seen_at=now)


def record_seen(*, names: Iterable[str], now: datetime) -> None:
    """Write that the worker still reports these sources, changed or not."""
    DataSource.objects.filter(name__in=list(names)).update(seen_at=now)


def record_stop(*, now: datetime) -> None:
    """Write that no source runs: the pipeline itself has ended."""
    _stop(DataSource.objects.all(), now)


def _record(source: SourceStatus, before: SourceStatus | None) -> None:
    if before is None or before.began_ns != source.began_ns:
        # Another run: its counters began at 0.
        before = SourceStatus(
            source_id=source.source_id, began_ns=0, state=source.state, since_ns=0
        )
    values: dict[str, object] = {
        "state": source.state.value,
        "state_since": _at(source.since_ns),
        "last_error": source.last_error[:200],
        "channels": source.channels,
        "links": source.links,
        **{name: F(name) + getattr(source, name) - getattr(before, name) for name in COUNTED},
        **_named(source, before),
    }
    if source.last_message_ns:
        values["last_message_at"] = _at(source.last_message_ns)
    DataSource.objects.filter(name=source.source_id).update(**values)


def _named(source: SourceStatus, before: SourceStatus) -> dict[str, dict[str, int]]:
    """Return the columns that hold counters by name, where one of these has grown."""
    grown = {
        "by_type": _grown(source.by_type, before.by_type),
        "troubles": _grown(_troubles(source), _troubles(before)),
    }
    if not any(grown.values()):
        return {}
    # The database adds no numbers inside JSON; the pipeline's manager is the only one who does.
    row = DataSource.objects.filter(name=source.source_id).values("by_type", "troubles").first()
    if row is None:
        return {}
    so_far = {"by_type": row["by_type"], "troubles": row["troubles"]}
    return {
        column: dict(Counter(counts(so_far[column])) + more)
        for column, more in grown.items()
        if more
    }


def _grown(now: Mapping[str, int], before: Mapping[str, int]) -> Counter[str]:
    return Counter(now) - Counter(before)


def _troubles(source: SourceStatus) -> dict[str, int]:
    reasons = {f"{UNDECODABLE}{reason}": n for reason, n in source.problems.items()}
    return {name: getattr(source, name) for name in TROUBLES} | reasons


def counts(column: object) -> dict[str, int]:
    """Return the counters by name that one of these columns holds."""
    # A column of JSON may hold anything, after a hand was at it.
    found = column if isinstance(column, dict) else {}
    return {name: n for name, n in found.items() if type(n) is int and n > 0}


def _stop(sources: QuerySet[DataSource], now: datetime) -> None:
    sources.exclude(state=DataSource.State.STOPPED).update(
        state=DataSource.State.STOPPED, state_since=now, channels=0, links=0
    )


def _at(time_ns: int) -> datetime:
    # Whole microseconds: a float of seconds would round them.
    seconds, us = divmod(time_ns // NS_PER_US, US_PER_S)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=us)

"""The way into pipeline for Django code: what should run, and what was seen of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import F, QuerySet
from msgspec import structs

from pipeline.core.simulate import market
from pipeline.core.spec import SourceSpec
from pipeline.core.status import SourceStatus
from pipeline.models import DataSource
from streams.services import templates

DEMO_NAME = "binance-demo"

NS_PER_US = 1000
US_PER_S = 1_000_000


def specs() -> list[SourceSpec]:
    """
    Return every enabled source, ready to run.

    Raises:
        BadDefinition: The subject templates cannot be: nobody would know where the data go.
    """
    texts = templates.active().texts
    sources = DataSource.objects.filter(enabled=True).order_by("name")
    return [structs.replace(source.spec(), templates=texts) for source in sources]


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


def record_stop(*, now: datetime) -> None:
    """Write that no source runs: the pipeline itself has ended."""
    _stop(DataSource.objects.all(), now)


def enable(*, sources: QuerySet[DataSource]) -> int:
    """Return how many were not enabled before."""
    return sources.filter(enabled=False).update(enabled=True)


def disable(*, sources: QuerySet[DataSource]) -> int:
    """Return how many were enabled before."""
    return sources.filter(enabled=True).update(enabled=False)


def declare_demo_source(*, endpoint: str) -> DataSource:
    """
    Return the demo's source, made or brought up to date; one that was disabled stays so.

    Args:
        endpoint: Where the exchange simulator listens; `ws://host:port` means all its streams.
    """
    source, _ = DataSource.objects.update_or_create(
        name=DEMO_NAME,
        defaults={
            "endpoint": _all_streams(endpoint),
            "protocol": DataSource.Protocol.WEBSOCKET,
            "venue": DataSource.Venue.BINANCE,
            "is_demo": True,
        },
    )
    return source


def move_demo_source(*, endpoint: str) -> None:
    """Bring the demo's source up to date where there is one: an operator may have deleted it."""
    DataSource.objects.filter(name=DEMO_NAME, is_demo=True).update(endpoint=_all_streams(endpoint))


def has_demo_source() -> bool:
    """Return whether made-up prices may flow."""
    return DataSource.objects.filter(is_demo=True, enabled=True).exists()


def _all_streams(endpoint: str) -> str:
    if urlsplit(endpoint).path:
        return endpoint
    return f"{endpoint}/stream?streams={'/'.join(market.streams())}"


def _record(source: SourceStatus, before: SourceStatus | None) -> None:
    if before is not None and before.began_ns != source.began_ns:
        before = None  # Another run: its counters began at 0.
    values: dict[str, object] = {
        "state": source.state.value,
        "state_since": _at(source.since_ns),
        "last_error": source.last_error[:200],
        "received": F("received") + source.received - (before.received if before else 0),
        "published": F("published") + source.published - (before.published if before else 0),
        "undecodable": F("undecodable")
        + source.undecodable
        - (before.undecodable if before else 0),
    }
    if source.last_message_ns:
        values["last_message_at"] = _at(source.last_message_ns)
    DataSource.objects.filter(name=source.source_id).update(**values)


def _stop(sources: QuerySet[DataSource], now: datetime) -> None:
    sources.exclude(state=DataSource.State.STOPPED).update(
        state=DataSource.State.STOPPED, state_since=now
    )


def _at(time_ns: int) -> datetime:
    # Whole microseconds: a float of seconds would round them.
    seconds, us = divmod(time_ns // NS_PER_US, US_PER_S)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=us)

"""What was collected, and whether anybody collects."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from pipeline.models import DataSource
from pipeline.services.reports import counts

# The pipeline reports each few seconds; a database may keep it waiting for some.
SEEN_FOR = timedelta(seconds=30)


def collection_stats() -> dict[str, dict[str, int]]:
    """Return how many messages were published of each exchange and type, since its rows exist."""
    found: dict[str, Counter[str]] = {}
    for venue, by_type in DataSource.objects.values_list("venue", "by_type"):
        found.setdefault(venue, Counter()).update(counts(by_type))
    return {venue: dict(sorted(found[venue].items())) for venue in sorted(found) if found[venue]}


def has_enabled_sources() -> bool:
    return DataSource.objects.filter(enabled=True).exists()


def is_alive(*, now: datetime) -> bool:
    """Return whether a pipeline reports on any source."""
    running = DataSource.objects.exclude(state=DataSource.State.STOPPED)
    return running.filter(seen_at__gte=now - SEEN_FOR).exists()


def is_unreported(*, source: DataSource, now: datetime) -> bool:
    """Return whether its state is one of the past: a pipeline ran it, and says nothing any more."""
    if source.state == DataSource.State.STOPPED or source.seen_at is None:
        return False
    return source.seen_at < now - SEEN_FOR

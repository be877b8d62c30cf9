"""Sources as operators declare them."""

from __future__ import annotations

from django.db.models import QuerySet

from pipeline.core import expected
from pipeline.core.errors import BadOption
from pipeline.core.spec import SourceSpec
from pipeline.models import DataSource


def enable(*, sources: QuerySet[DataSource]) -> int:
    """Return how many were not enabled before."""
    return sources.filter(enabled=False).update(enabled=True)


def disable(*, sources: QuerySet[DataSource]) -> int:
    """Return how many were enabled before."""
    return sources.filter(enabled=True).update(enabled=False)


def overlapping(*, source: DataSource) -> list[str]:
    """Return the names of the other enabled sources that bring some of the same."""
    if not source.enabled:
        return []
    others = DataSource.objects.filter(enabled=True, venue=source.venue).exclude(pk=source.pk)
    found = [_spec(each) for each in (source, *others)]
    if found[0] is None:
        return []
    return expected.overlapping(found[0], [spec for spec in found[1:] if spec])


def _spec(source: DataSource) -> SourceSpec | None:
    try:
        spec = source.spec()
        expected.expected(spec)
    except BadOption:
        return None  # It cannot run, and so disturbs nobody.
    return spec

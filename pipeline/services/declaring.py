"""Sources as operators declare them."""

from __future__ import annotations

from django.db.models import QuerySet

from pipeline.models import DataSource


def enable(*, sources: QuerySet[DataSource]) -> int:
    """Return how many were not enabled before."""
    return sources.filter(enabled=False).update(enabled=True)


def disable(*, sources: QuerySet[DataSource]) -> int:
    """Return how many were enabled before."""
    return sources.filter(enabled=True).update(enabled=False)

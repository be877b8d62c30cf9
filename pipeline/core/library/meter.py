"""How long messages take from one end to the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_NS_PER_MS = 1_000_000


class Meter:
    """
    Attributes:
        count: Messages of the source. total_ns: What they took in all.
    """

    __slots__ = ("count", "total_ns")

    def __init__(self) -> None:
        self.count = 0
        self.total_ns = 0

    def add(self, took_ns: int) -> None:
        self.count += 1
        self.total_ns += took_ns


def performance(meters: Mapping[str, Meter], active: int) -> dict[str, Any]:
    """
    Return the figures as programs know them; times are milliseconds a message.

    Args:
        meters: By source.
    """
    return {
        "total_processed": sum(meter.count for meter in meters.values()),
        "avg_processing_time_ms": _average_ms(meters.values()),
        "active_sources": active,
        "sources_performance": {
            source_id: {"avg_time": _average_ms([meter])} for source_id, meter in meters.items()
        },
    }


def _average_ms(meters: Iterable[Meter]) -> float:
    count, total_ns = 0, 0
    for meter in meters:
        count += meter.count
        total_ns += meter.total_ns
    return total_ns / count / _NS_PER_MS if count else 0.0

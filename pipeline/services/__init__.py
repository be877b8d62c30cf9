"""The way into pipeline for Django code: what should run, and what was seen of it."""

from __future__ import annotations

from pipeline.services.collection import (
    collection_stats,
    has_enabled_sources,
    is_alive,
    is_unreported,
)
from pipeline.services.declaring import disable, enable, overlapping
from pipeline.services.demo import (
    DEMO_NAME,
    declare_demo_source,
    declare_demo_sources,
    has_demo_source,
    move_demo_source,
)
from pipeline.services.orders import orders, specs
from pipeline.services.reports import counts, record_begun, record_seen, record_status, record_stop

__all__ = [
    "DEMO_NAME",
    "collection_stats",
    "counts",
    "declare_demo_source",
    "declare_demo_sources",
    "disable",
    "enable",
    "has_demo_source",
    "has_enabled_sources",
    "is_alive",
    "is_unreported",
    "move_demo_source",
    "orders",
    "overlapping",
    "record_begun",
    "record_seen",
    "record_status",
    "record_stop",
    "specs",
]

"""The operator's pages of NATS. Each module registers its own with the admin."""

from __future__ import annotations

from streams.admin import (
    advisories,
    backups,
    consumers,
    servers,
    streams,
    subjects,
    trail,
    users,
)

__all__ = [
    "advisories",
    "backups",
    "consumers",
    "servers",
    "streams",
    "subjects",
    "trail",
    "users",
]

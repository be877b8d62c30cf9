"""The tables of all fields of streams and consumers, and what makes a configuration wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.core import consumer_rules, stream_rules, values
from streams.core.consumer_fields import CONSUMER_FIELDS
from streams.core.field import Field
from streams.core.stream_fields import STREAM_FIELDS

__all__ = ["CONSUMER_FIELDS", "STREAM_FIELDS", "Field", "check", "known_at", "unknown"]


def check(
    config: Mapping[str, Any],
    fields: Mapping[str, Field],
    *,
    level: int | None = None,
    stream: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """
    Return by field why this configuration cannot be; empty when it can.

    Keys that the table does not know are let through: see `unknown`.

    Args:
        level: The server's API level, where it is known; what is newer is refused by name.
        stream: Of a consumer: its stream's configuration, where it is known.
    """
    found = {
        name: reason
        for name, field in fields.items()
        if (reason := values.wrong(field, config.get(name), level))
    }
    if found:
        return found  # The rules below rely on values that are right by themselves.
    rules = stream_rules.broken if fields is STREAM_FIELDS else consumer_rules.broken
    given = {name: value for name, value in config.items() if value is not None}
    for name, reason in rules(given):
        found.setdefault(name, reason)
    if stream is not None:
        for name, reason in consumer_rules.broken_within(given, stream):
            found.setdefault(name, reason)
    return found


def unknown(config: Mapping[str, Any], fields: Mapping[str, Field]) -> list[str]:
    """Return the keys that the table does not know; they are kept as they are."""
    return sorted(set(config) - set(fields))


def known_at(level: int, fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the fields that a server of this API level knows."""
    return {name: field for name, field in fields.items() if field.level <= level}

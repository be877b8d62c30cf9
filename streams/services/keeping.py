"""Keeps the declared streams in being."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.core import definition
from streams.core.errors import ApiRefused, BrokerError
from streams.models import Stream
from streams.services import templates
from streams.services.linked import link
from streams.services.live import live_streams

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

NAME_IN_USE = 10058


@dataclass(frozen=True)
class Kept:
    """What `keep_streams` found and did. `failed` holds (name, reason)."""

    existing: tuple[str, ...]
    created: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def keep_streams(*, now: datetime) -> Kept:
    """
    Create each declared stream that does not exist. One that exists is never changed.

    Raises:
        BrokerAway: NATS cannot be asked. Nothing was changed.
    """
    live = {stream["config"]["name"]: stream for stream in live_streams()}
    templates.ensure_stored()
    declared = list(Stream.objects.all())
    created: list[str] = []
    failed: list[tuple[str, str]] = []
    for row in declared:
        try:
            if row.name not in live:
                live[row.name] = _create(row)
                created.append(row.name)
        except BrokerError as e:
            logger.warning("stream %s not created: %s", row.name, e)
            failed.append((row.name, str(e)))
            row.last_error = str(e)[:200]
        else:
            state = live[row.name]["state"]
            row.messages, row.bytes = state["messages"], state["bytes"]
            row.seen_at, row.last_error = now, ""
    Stream.objects.bulk_update(declared, ["messages", "bytes", "seen_at", "last_error"])
    existing = tuple(row.name for row in declared if row.name in live and row.name not in created)
    return Kept(existing, tuple(created), tuple(failed))


def _create(row: Stream) -> JsonObject:
    try:
        made = link().api(f"STREAM.CREATE.{row.name}", definition.request(row.name, row.config))
    except ApiRefused as e:
        if e.code != NAME_IN_USE:
            raise
        # Another process created it between our look and our call.
        return link().api(f"STREAM.INFO.{row.name}")
    logger.info("stream %s created", row.name)
    return made

"""The way into streams for Django code: keep the declared streams, report, publish."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from streams.broker import server
from streams.broker.link import Link
from streams.core import definition, report, subjects
from streams.core.errors import ApiRefused, BadSubject, BrokerAway, BrokerError
from streams.models import Stream

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

NAME_IN_USE = 10058


@dataclass(frozen=True)
class Kept:
    """What `keep_streams` found and did. `failed` holds (name, reason)."""

    existing: tuple[str, ...]
    created: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


@cache
def link() -> Link:
    """Return this process's connection to NATS, made on first use."""
    return Link(settings.NATS_URL, name="control")


def keep_streams(*, now: datetime) -> Kept:
    """
    Create each declared stream that does not exist. One that exists is never changed.

    Raises:
        BrokerAway: NATS cannot be asked. Nothing was changed.
    """
    live = {stream["config"]["name"]: stream for stream in live_streams()}
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
        made = link().api(f"STREAM.CREATE.{row.name}", definition.request(row.definition()))
    except ApiRefused as e:
        if e.code != NAME_IN_USE:
            raise
        # Another process created it between our look and our call.
        return link().api(f"STREAM.INFO.{row.name}")
    logger.info("stream %s created", row.name)
    return made


def live_streams() -> list[JsonObject]:
    """
    Return JetStream's info of every stream, page by page: the server gives 256 at a time.

    Raises:
        BrokerAway, ApiRefused: See `Link.api`.
    """
    found: list[JsonObject] = []
    while True:
        page = link().api("STREAM.LIST", {"offset": len(found)})
        found += page.get("streams") or []
        if not page.get("streams") or len(found) >= page["total"]:
            return found


def stream_rows() -> list[JsonObject]:
    return [report.stream_row(stream) for stream in live_streams()]


def status(*, now: datetime, started_at: datetime) -> JsonObject:
    """Return `GET /api/v1/status`; a broker that is away is a state, not an error."""
    streams: Sequence[JsonObject] = []
    account: JsonObject = {}
    varz = _varz()
    if varz is not None:
        try:
            streams, account = live_streams(), link().api("INFO")
        except BrokerError as e:
            logger.warning("JetStream does not answer: %s", e)
    return report.status(
        timestamp=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        uptime_s=round((now - started_at).total_seconds()),
        varz=varz,
        account=account,
        streams=streams,
    )


def health() -> tuple[bool, JsonObject]:
    """Return whether NATS is ready, and `GET /health`."""
    try:
        answer = server.monitor(settings.NATS_MONITOR_URL, "/healthz")
    except BrokerAway as e:
        return False, {"status": "unhealthy", "service": report.SERVICE, "nats": str(e)}
    ready = answer.get("status") == "ok"
    return ready, {
        "status": "healthy" if ready else "unhealthy",
        "service": report.SERVICE,
        "nats": "running" if ready else str(answer.get("error", "not ready")),
    }


def nats_info() -> JsonObject:
    return report.nats_info(_varz(), _own_pid())


def publish(*, subject: str, message: object) -> None:
    """
    Publish a text as it is, or any other JSON value as JSON.

    Raises:
        BadSubject: `subject` is no concrete subject, or one of the server's own.
        TooLarge: The message has more bytes than the server takes.
        BrokerError: It was not published, or a stream refused it.
    """
    if subjects.tokens(subject)[0].startswith(("$", "_")):
        raise BadSubject(f"{subject!r} belongs to the server itself")
    payload = message.encode() if isinstance(message, str) else msgspec.json.encode(message)
    link().publish_stored(subject, payload)


def _varz() -> Mapping[str, Any] | None:
    try:
        return server.monitor(settings.NATS_MONITOR_URL, "/varz")
    except BrokerAway as e:
        logger.warning("%s", e)
        return None


def _own_pid() -> int | None:
    try:
        return int(Path(settings.NATS_PID_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

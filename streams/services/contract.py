"""The answers of the message-broker contract."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from streams.broker import server
from streams.core import report
from streams.core.errors import BrokerAway, BrokerError
from streams.services.linked import link
from streams.services.live import live_streams

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]


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

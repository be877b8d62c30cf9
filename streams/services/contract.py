"""The answers of the message-broker contract."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from streams.broker import server
from streams.core import report
from streams.core.errors import BrokerAway, BrokerError
from streams.services import metering, templates
from streams.services.live import live_streams

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def stream_rows() -> list[JsonObject]:
    return [report.stream_row(stream) for stream in live_streams()]


def status(
    *, now: datetime, started_at: datetime, collector: report.Collector | None = None
) -> JsonObject:
    """
    Return `GET /api/v1/status`; a broker that is away is a state, not an error.

    Args:
        collector: What those who collect say of themselves; we only know what is stored.
    """
    varz = _varz()
    streams: list[JsonObject] = []
    consumers: list[JsonObject] = []
    account: JsonObject = {}
    stored: dict[str, dict[str, int]] | None = None
    measured: JsonObject = {"throughput": None, "round_trip_ms": None}
    if varz is not None:
        try:
            # First this one: it connects, where nobody has, and the next is measured.
            streams = live_streams()
            account, measured["round_trip_ms"] = metering.account()
            consumers = metering.consumers(streams)
            stored = metering.collection(streams, templates.active_or_standard())
            measured["throughput"] = metering.throughput()
        except BrokerError as e:
            logger.warning("JetStream does not answer: %s", e)
    return report.status(
        timestamp=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        uptime_s=round((now - started_at).total_seconds()),
        varz=varz,
        account=account,
        streams=streams,
        consumers=consumers,
        stored=stored,
        measured=measured,
        collector=collector or report.Collector(),
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
    varz = _varz()
    return report.nats_info(varz, _own_pid() if varz is not None else None)


def _varz() -> Mapping[str, Any] | None:
    try:
        return server.monitor(settings.NATS_MONITOR_URL, "/varz")
    except BrokerAway as e:
        logger.warning("%s", e)
        return None


def _own_pid() -> int | None:
    """Return the process of the server that answers, where that is one of ours."""
    host = urlsplit(settings.NATS_MONITOR_URL).hostname
    if host not in LOOPBACK:
        return None
    try:
        pid = int(Path(settings.NATS_PID_FILE).read_text(encoding="ascii"))
        os.kill(pid, 0)  # Only asks: a file outlives a server that was killed.
    except (OSError, ValueError, OverflowError):
        return None
    return pid if pid > 0 else None

"""The way into streams for Django code: keep the declared streams, report, publish."""

from __future__ import annotations

from streams.services.contract import health, nats_info, status, stream_rows
from streams.services.keeping import Kept, keep_streams
from streams.services.linked import link
from streams.services.live import live_streams
from streams.services.publishing import publish

__all__ = [
    "Kept",
    "health",
    "keep_streams",
    "link",
    "live_streams",
    "nats_info",
    "publish",
    "status",
    "stream_rows",
]

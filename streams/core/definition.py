"""What a stream should be, in JetStream's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NANOSECONDS = 1_000_000_000
# nats-server refuses a window longer than the stream's age limit.
DUPLICATE_WINDOW_NS = 120 * NANOSECONDS


def request(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of JetStream's STREAM.CREATE: what was declared, and our own defaults."""
    age_ns = config.get("max_age") or DUPLICATE_WINDOW_NS
    ours = {
        "retention": "limits",
        "storage": "file",
        "max_msgs": -1,
        "max_bytes": -1,
        "max_consumers": -1,
        "num_replicas": 1,
        "discard": "old",
        "duplicate_window": min(age_ns, DUPLICATE_WINDOW_NS),
        "allow_direct": True,
        # Fast ingest; see docs/decisions.md.
        "allow_batched": True,
    }
    return {**ours, **config, "name": name}

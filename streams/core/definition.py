"""
What is sent to JetStream: raw JSON, made from what was declared and from what is there.

An update begins with the live configuration and replaces what was declared, so that a field which
neither the operator nor this version knows keeps its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from streams.core.values import SERVERS_OWN

Config: TypeAlias = Mapping[str, Any]

NANOSECONDS = 1_000_000_000
# The server's own; it refuses a window longer than the stream's age limit.
DUPLICATE_WINDOW_NS = 120 * NANOSECONDS
FAST_INGEST_LEVEL = 4


def new_stream(name: str, config: Config, level: int) -> dict[str, Any]:
    """Return the body of STREAM.CREATE: what was declared, what follows from it, our defaults."""
    ours: dict[str, Any] = {"allow_direct": True}
    if level >= FAST_INGEST_LEVEL and not config.get("mirror"):
        ours["allow_batched"] = True
    if not config.get("mirror") and not config.get("sources"):
        age_ns = config.get("max_age") or DUPLICATE_WINDOW_NS
        ours["duplicate_window"] = min(age_ns, DUPLICATE_WINDOW_NS)
    return {**ours, **_given(config), **implied(config), "name": name}


def new_consumer(name: str, config: Config) -> dict[str, Any]:
    """Return the configuration in CONSUMER.CREATE; a durable acknowledges unless told not to."""
    return {"ack_policy": "explicit", **_given(config), **_names(name)}


def changed_stream(name: str, config: Config, live: Config) -> dict[str, Any]:
    """Return the body of STREAM.UPDATE."""
    body = {**without_own(live), **config, **implied(config), "name": name}
    window_ns, age_ns = body.get("duplicate_window") or 0, body.get("max_age") or 0
    if "duplicate_window" not in config and 0 < age_ns < window_ns:
        # Left to the server, which nevertheless refuses a window longer than the new age.
        body["duplicate_window"] = age_ns
    if not body.get("mirror") and "mirror_direct" not in config:
        body.pop("mirror_direct", None)  # Goes with the mirror, or the server refuses.
    return _given(body)


def changed_consumer(name: str, config: Config, live: Config) -> dict[str, Any]:
    """Return the configuration in CONSUMER.CREATE with action update."""
    kept = without_own(live)
    for one, other in (
        ("filter_subject", "filter_subjects"),
        ("filter_subjects", "filter_subject"),
        ("backoff", "ack_wait"),
    ):
        # Either can be said; the one that was not declared would contradict it.
        if config.get(one):
            kept.pop(other, None)
    return _given({**kept, **config, **_names(name)})


def implied(config: Config) -> dict[str, Any]:
    """Return what the server switches by itself for what was declared."""
    made: dict[str, Any] = {}
    if config.get("subject_delete_marker_ttl"):
        made |= {"allow_msg_ttl": True, "allow_rollup_hdrs": True}
    if config.get("allow_msg_schedules"):
        made |= {"allow_rollup_hdrs": True}
    if config.get("sealed"):
        made |= {"max_age": 0, "discard": "new", "deny_delete": True, "deny_purge": True}
        made |= {"allow_rollup_hdrs": False}
    return {name: value for name, value in made.items() if name not in config}


def without_own(config: Config) -> dict[str, Any]:
    """Return the configuration without what the server writes into `metadata` by itself."""
    kept = dict(config)
    metadata = kept.get("metadata")
    if isinstance(metadata, Mapping):
        kept["metadata"] = {k: v for k, v in metadata.items() if not k.startswith(SERVERS_OWN)}
        if not kept["metadata"]:
            del kept["metadata"]
    return kept


def declared(config: Config) -> dict[str, Any]:
    """Return what an operator would have written to have this configuration."""
    own = ("name", "durable_name", "pause_until")
    return {k: v for k, v in without_own(config).items() if k not in own}


def _given(config: Config) -> dict[str, Any]:
    # Declared as null is declared as absent: to a server both are the same.
    return {name: value for name, value in config.items() if value is not None}


def _names(name: str) -> dict[str, Any]:
    return {"durable_name": name, "name": name}

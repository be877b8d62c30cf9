"""
The answers of the message-broker contract, built from what NATS says of itself.

Every number is the server's own count; nothing is estimated. Key names and order are those of the
contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from streams.core import advisory
from streams.core.templates import Templates

SERVICE = "message-broker-service"


def stream_row(stream: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of `GET /api/v1/streams` from JetStream's stream info."""
    state = stream["state"]
    return {
        "name": stream["config"]["name"],
        "subjects": stream["config"].get("subjects", []),
        "messages": state["messages"],
        "bytes": state["bytes"],
        "first_seq": state["first_seq"],
        "last_seq": state["last_seq"],
        "consumer_count": state["consumer_count"],
    }


def published(streams: Iterable[Mapping[str, Any]]) -> int:
    """
    Return how many messages these streams have stored since they were created, purged ones too.

    A mirror, and a stream that only collects from others, hold copies, which were counted there.
    What our own stream captures of JetStream was published by nobody.
    """
    return sum(
        stream["state"]["last_seq"] - max(stream["config"].get("first_seq", 0) - 1, 0)
        for stream in streams
        if stream["config"].get("subjects") and stream["config"]["name"] != advisory.STREAM
    )


def consumed(consumers: Iterable[Mapping[str, Any]]) -> int:
    """
    Return how many messages these consumers were handed, repeated ones too.

    The one that reads our own stream is left out, see `published`.
    """
    return sum(
        consumer["delivered"]["consumer_seq"]
        for consumer in consumers
        if consumer["stream_name"] != advisory.STREAM
    )


def message_stats(
    varz: Mapping[str, Any],
    account: Mapping[str, Any],
    streams: Iterable[Mapping[str, Any]],
    consumers: Iterable[Mapping[str, Any]],
) -> dict[str, int]:
    """
    Return what the broker counted.

    published, consumed: See there. (The server's own count of what it sent has every answer and
        acknowledgement in it.)
    errors: JetStream API calls refused, and clients cut off as slow, since the server started.
    """
    return {
        "published": published(streams),
        "consumed": consumed(consumers),
        "errors": account.get("api", {}).get("errors", 0) + varz.get("slow_consumers", 0),
    }


class Look(msgspec.Struct, frozen=True):
    """The server's counters at one moment of its own clock."""

    server_id: str
    at: datetime
    in_msgs: int
    out_msgs: int
    in_bytes: int
    out_bytes: int


def look(varz: Mapping[str, Any]) -> Look:
    """
    Raises:
        msgspec.ValidationError: The server says something else than its counters.
    """
    return msgspec.convert({**varz, "at": varz.get("now")}, Look)


def rates(before: Look, after: Look) -> dict[str, float]:
    """Return what went through per second between two looks at one server, the second one later."""
    over_s = (after.at - before.at).total_seconds()
    return {"over_s": round(over_s, 3)} | {
        f"{name}_per_s": round((getattr(after, name) - getattr(before, name)) / over_s, 1)
        for name in ("in_msgs", "out_msgs", "in_bytes", "out_bytes")
    }


def collected(counts: Iterable[tuple[str, int]], templates: Templates) -> dict[str, dict[str, int]]:
    """
    Return how many messages are stored of each exchange and type of data.

    Args:
        counts: Subjects and their messages. Those of no market data are passed over.
    """
    found: dict[str, Counter[str]] = {}
    for subject, count in counts:
        place = templates.parse(subject)
        if place is not None:
            found.setdefault(place.exchange, Counter())[place.data_type] += count
    return {exchange: dict(sorted(found[exchange].items())) for exchange in sorted(found)}


def server_summary(varz: Mapping[str, Any]) -> dict[str, Any]:
    """Return `nats_server.server_info` of `GET /api/v1/status`."""
    return {
        "server_id": varz.get("server_id", ""),
        "server_name": varz.get("server_name", ""),
        "version": varz.get("version", ""),
        "go": varz.get("go", ""),
        "host": varz.get("host", ""),
        "port": varz.get("port", 0),
        "max_connections": varz.get("max_connections", 0),
        "connections": varz.get("connections", 0),
        "total_connections": varz.get("total_connections", 0),
        "routes": varz.get("routes", 0),
        "remotes": varz.get("remotes", 0),
    }


class Collector(msgspec.Struct, frozen=True):
    """
    Attributes:
        status: `running`, or `stopped` where sources are enabled and nobody collects.
        published: How many messages, by exchange and type of data.
    """

    status: str = "running"
    published: Mapping[str, Mapping[str, int]] = {}


def status(  # noqa: PLR0913  each is a part of the answer
    *,
    timestamp: str,
    uptime_s: int,
    varz: Mapping[str, Any] | None,
    account: Mapping[str, Any],
    streams: Sequence[Mapping[str, Any]],
    consumers: Sequence[Mapping[str, Any]],
    stored: Mapping[str, Mapping[str, int]] | None,
    measured: Mapping[str, Any],
    collector: Collector,
) -> dict[str, Any]:
    """
    Return `GET /api/v1/status`: the broker's contract, then `data` of the collector's, then what
    neither asks for.

    Args:
        varz: None when the server does not answer.
        stored: By exchange and type; None when JetStream does not answer.
    """
    return {
        "service": SERVICE,
        "timestamp": timestamp,
        "uptime_seconds": uptime_s,
        "nats_server": {
            "status": "running" if varz is not None else "unreachable",
            "server_info": server_summary(varz or {}),
        },
        "jetstream_streams": [
            {key: row[key] for key in ("name", "subjects", "messages", "bytes", "consumer_count")}
            for row in map(stream_row, streams)
        ],
        "message_stats": message_stats(varz or {}, account, streams, consumers),
        "data": {
            "status": collector.status if stored is not None else "unreachable",
            "collection_stats": collector.published,
            "stored": stored or {},
        },
        "measured": measured,
        "jetstream": {key: account.get(key, 0) for key in ("memory", "storage")},
    }


def nats_info(varz: Mapping[str, Any] | None, pid: int | None) -> dict[str, Any]:
    """
    Return `GET /api/v1/nats/info`.

    A port is 0 where the server does not listen, as `cluster` is on a single node. `pid` is null
    for a server that this installation did not start.
    """
    varz = varz or {}
    return {
        "status": "running" if varz else "unreachable",
        "pid": pid,
        "ports": {
            "nats": varz.get("port", 0),
            "cluster": varz.get("cluster", {}).get("cluster_port", 0),
            "http": varz.get("http_port", 0),
        },
        "server_info": {
            "server_id": varz.get("server_id", ""),
            "connections": varz.get("connections", 0),
            "in_msgs": varz.get("in_msgs", 0),
            "out_msgs": varz.get("out_msgs", 0),
            "in_bytes": varz.get("in_bytes", 0),
            "out_bytes": varz.get("out_bytes", 0),
        },
    }

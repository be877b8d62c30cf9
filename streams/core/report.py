"""
The answers of the message-broker contract, built from what NATS says of itself.

Every number is the server's own count; nothing is estimated. Key names and order are those of the
contract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def message_stats(
    varz: Mapping[str, Any], account: Mapping[str, Any], streams: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """
    Return what the broker counted.

    published: messages that streams have stored since they were created.
    consumed: messages that the server sent to its clients since it started.
    errors: JetStream API calls refused, and clients cut off as slow, since it started.
    """
    return {
        "published": sum(stream["state"]["last_seq"] for stream in streams),
        "consumed": varz.get("out_msgs", 0),
        "errors": account.get("api", {}).get("errors", 0) + varz.get("slow_consumers", 0),
    }


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


def status(
    *,
    timestamp: str,
    uptime_s: int,
    varz: Mapping[str, Any] | None,
    account: Mapping[str, Any],
    streams: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return `GET /api/v1/status`. `varz` is None when the server does not answer."""
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
        "message_stats": message_stats(varz or {}, account, streams),
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

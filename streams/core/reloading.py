"""
Which changes a running nats-server takes without a restart.

A server refuses a whole reload when one option in it needs a restart. So those are held back until
somebody asks for the restart, and the rest goes live. The table is what nats-server 2.15 answered,
option by option; where a server disagrees its refusal counts.
"""

from __future__ import annotations

import msgspec

from streams.core.serverconf import NodeConfiguration, Routes

# By attribute: what the operator knows it as.
_RESTART = {
    "name": "server name",
    "host": "client host",
    "port": "client port",
    "http_host": "monitoring host",
    "http_port": "monitoring port",
    "store_folder": "data folder",
    "sync_interval_s": "sync interval",
    "max_subscriptions": "max subscriptions",
    "lame_duck_s": "lame duck duration",
}
_DOWN_ONLY = {"max_memory_bytes": "max memory", "max_storage_bytes": "max storage"}
_LIVE = {
    "client_advertise": "client address",
    "pid_file": "pid file",
    "log_file": "log file",
    "jetstream": "JetStream",
    "max_streams": "max streams",
    "max_consumers": "max consumers",
    "max_connections": "max connections",
    "max_payload_bytes": "max payload",
    "write_deadline_s": "write deadline",
    "ping_interval_s": "ping interval",
    "max_pings_out": "max pings out",
    "users": "users",
    "system_hash": "system password",
    "tls": "TLS for clients",
}


class Change(msgspec.Struct, frozen=True):
    """One option that differs; `reloads`: a running server takes it."""

    option: str
    reloads: bool


def changes(before: NodeConfiguration, after: NodeConfiguration) -> list[Change]:
    """Return what differs, in the order of the configuration."""
    return [
        Change(_name(field), field not in _held(before, after))
        for field in _differing(before, after)
    ]


def loadable(running: NodeConfiguration, wanted: NodeConfiguration) -> NodeConfiguration:
    """Return what a server that runs the one can be given of the other without a restart."""
    held = {field: getattr(running, field) for field in _held(running, wanted)}
    return msgspec.structs.replace(wanted, **held)


def _differing(before: NodeConfiguration, after: NodeConfiguration) -> list[str]:
    return [
        field for field in before.__struct_fields__
        if getattr(before, field) != getattr(after, field)
    ]  # fmt: skip


def _held(before: NodeConfiguration, after: NodeConfiguration) -> set[str]:
    return {field for field in _differing(before, after) if _needs_restart(field, before, after)}


def _needs_restart(field: str, before: NodeConfiguration, after: NodeConfiguration) -> bool:
    if field in _DOWN_ONLY:
        return bool(getattr(after, field) < getattr(before, field))
    if field == "routes":
        return _routes_need_restart(before.routes, after.routes)
    if field == "log_file":
        return bool(before.log_file) != bool(after.log_file)
    return field in _RESTART


def _routes_need_restart(before: Routes | None, after: Routes | None) -> bool:
    if before is None or after is None:
        return True
    return (before.host, before.port) != (after.host, after.port)


def _name(field: str) -> str:
    return (_RESTART | _DOWN_ONLY | _LIVE | {"routes": "routes"})[field]

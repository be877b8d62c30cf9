"""The embedded server's configuration, rendered."""

from __future__ import annotations

import json

import msgspec


class ServerConfiguration(msgspec.Struct, frozen=True):
    """
    What one single-node server needs. Ports are on loopback.

    Attributes:
        max_file_bytes, max_memory_bytes: JetStream would otherwise claim 75 % of the disk's free
            space and of the memory.
    """

    name: str
    port: int
    monitor_port: int
    store_folder: str
    pid_file: str
    user: str
    password: str
    max_file_bytes: int = 10 * 1024**3
    max_memory_bytes: int = 1024**3


def render(c: ServerConfiguration) -> str:
    """
    Return the text of a nats-server configuration file.

    There is no cluster block: with JetStream on and no routes the server refuses to start.
    The monitoring port carries no authentication, so it is on loopback only.
    """
    return f"""\
server_name: {quoted(c.name)}
listen: "127.0.0.1:{c.port}"
http: "127.0.0.1:{c.monitor_port}"
pid_file: {quoted(c.pid_file)}
max_payload: 1MB
max_connections: 1000
write_deadline: "2s"
jetstream {{
  store_dir: {quoted(c.store_folder)}
  max_memory_store: {c.max_memory_bytes}
  max_file_store: {c.max_file_bytes}
}}
authorization {{
  user: {quoted(c.user)}
  password: {quoted(c.password)}
}}
"""


def quoted(text: str) -> str:
    """Return the text as a quoted string of nats-server's configuration language."""
    # JSON, but for characters beyond ASCII: it knows no \\u, and reads them as they are.
    return json.dumps(text, ensure_ascii=False)

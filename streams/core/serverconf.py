"""One nats-server's configuration: what it holds, and its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from streams.core.permissions import EVERYTHING, Permissions

# The account of all data, and the one of the servers themselves.
ACCOUNT, SYSTEM_ACCOUNT = "TICKPLANE", "SYS"
ADMIN_USER, SYSTEM_USER, ROUTE_USER = "tickplane", "system", "route"
LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
LAME_DUCK_GRACE_S = 2.0
NANOSECONDS = 1_000_000_000


class Tls(msgspec.Struct, frozen=True):
    """Paths as the server sees them. `verify`: the other side must show a certificate."""

    cert_file: str
    key_file: str
    ca_file: str = ""
    verify: bool = False
    timeout_s: float = 3.0


class User(msgspec.Struct, frozen=True):
    """Somebody who may log in; `password_hash` is bcrypt."""

    name: str
    password_hash: str
    permissions: Permissions

    def __repr__(self) -> str:
        return f"User({self.name!r})"


class Routes(msgspec.Struct, frozen=True):
    """
    How a node meets the others of its cluster.

    Attributes:
        urls: `nats-route://user:password@host:port`, percent-escaped.
        advertise: `host:port` at which the others reach this node.
    """

    cluster: str
    host: str
    port: int
    urls: tuple[str, ...]
    user: str = ROUTE_USER
    password: str = ""
    advertise: str = ""
    tls: Tls | None = None

    def __repr__(self) -> str:
        return f"Routes({self.cluster!r}, {self.host!r}, {self.port!r}, {len(self.urls)} routes)"


class NodeConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one server needs.

    Attributes:
        http_host: The monitoring port knows no authentication.
        client_advertise: `host:port` that clients of a cluster are told.
        max_memory_bytes, max_storage_bytes: JetStream would otherwise claim 75 % of the memory and
            of the disk's free space.
        sync_interval_s: None writes each message through to the disk.
        log_file: Rotated by the server itself; empty means standard error.
        routes: None for a single node: with JetStream and nobody to meet the server refuses to
            start.
    """

    name: str
    host: str = "127.0.0.1"
    port: int = 4222
    http_host: str = "127.0.0.1"
    http_port: int = 8222
    client_advertise: str = ""
    store_folder: str
    pid_file: str = ""
    log_file: str = ""

    jetstream: bool = True
    max_memory_bytes: int = 1024**3
    max_storage_bytes: int = 10 * 1024**3
    max_streams: int = 100
    max_consumers: int = 1000
    sync_interval_s: float | None = 120.0

    max_connections: int = 1000
    max_subscriptions: int = 1000
    max_payload_bytes: int = 1024**2
    write_deadline_s: float = 2.0
    ping_interval_s: float = 120.0
    max_pings_out: int = 2
    lame_duck_s: float = 30.0

    users: tuple[User, ...] = ()
    system_hash: str = ""
    routes: Routes | None = None
    tls: Tls | None = None

    def __repr__(self) -> str:
        return f"NodeConfiguration({self.name!r}, {self.host!r}, {self.port!r})"

    @property
    def monitor_url(self) -> str:
        """Where this machine asks the server about itself."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_host, self.http_host)  # noqa: S104
        return (
            f"http://[{host}]:{self.http_port}"
            if ":" in host
            else f"http://{host}:{self.http_port}"
        )


def render(c: NodeConfiguration) -> str:
    """
    Return the text of a nats-server configuration file; the same text for the same values.

    Every text of an operator stands in quotes, see `quoted`.
    """
    blocks = (_ports(c), _limits(c), _jetstream(c), _routes(c), _tls(c.tls), _accounts(c))
    return "".join(f"{line}\n" for block in blocks for line in block)


def quoted(text: str) -> str:
    r"""
    Return the text as a quoted string of nats-server's configuration language.

    It knows `\"`, `\\` and two hexadecimal digits after `\x`, and reads what is beyond ASCII as
    it stands.
    """
    return '"' + _SPECIAL.sub(_escaped, text) + '"'


_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f]')


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}" if found[0] in '"\\' else f"\\x{ord(found[0]):02x}"


def _ports(c: NodeConfiguration) -> Iterator[str]:
    yield f"server_name: {quoted(c.name)}"
    yield f"listen: {_address(c.host, c.port)}"
    yield f"http: {_address(c.http_host, c.http_port)}"
    if c.client_advertise:
        yield f"client_advertise: {quoted(c.client_advertise)}"
    if c.pid_file:
        yield f"pid_file: {quoted(c.pid_file)}"
    yield "logtime_utc: true"
    if c.log_file:
        yield f"log_file: {quoted(c.log_file)}"
        yield f"logfile_size_limit: {LOG_BYTES}"
        yield f"logfile_max_num: {LOG_FILES}"


def _limits(c: NodeConfiguration) -> Iterator[str]:
    yield f"max_connections: {c.max_connections}"
    yield f"max_subscriptions: {c.max_subscriptions}"
    yield f"max_payload: {c.max_payload_bytes}"
    yield f"write_deadline: {_duration(c.write_deadline_s)}"
    yield f"ping_interval: {_duration(c.ping_interval_s)}"
    yield f"ping_max: {c.max_pings_out}"
    yield f"lame_duck_duration: {_duration(c.lame_duck_s)}"
    yield f"lame_duck_grace_period: {_duration(LAME_DUCK_GRACE_S)}"


def _jetstream(c: NodeConfiguration) -> Iterator[str]:
    if not c.jetstream:
        return
    yield "jetstream {"
    yield f"  store_dir: {quoted(c.store_folder)}"
    yield f"  max_memory_store: {c.max_memory_bytes}"
    yield f"  max_file_store: {c.max_storage_bytes}"
    every = "always" if c.sync_interval_s is None else _duration(c.sync_interval_s)
    yield f"  sync_interval: {every}"
    yield "}"


def _routes(c: NodeConfiguration) -> Iterator[str]:
    if c.routes is None:
        return
    yield "cluster {"
    yield f"  name: {quoted(c.routes.cluster)}"
    yield f"  listen: {_address(c.routes.host, c.routes.port)}"
    if c.routes.advertise:
        yield f"  advertise: {quoted(c.routes.advertise)}"
    if c.routes.password:
        yield "  authorization {"
        yield f"    user: {quoted(c.routes.user)}"
        yield f"    password: {quoted(c.routes.password)}"
        yield "    timeout: 2"
        yield "  }"
    yield f"  routes: {_listed(c.routes.urls)}"
    yield from (f"  {line}" for line in _tls(c.routes.tls))
    yield "}"


def _tls(tls: Tls | None) -> Iterator[str]:
    if tls is None:
        return
    yield "tls {"
    yield f"  cert_file: {quoted(tls.cert_file)}"
    yield f"  key_file: {quoted(tls.key_file)}"
    if tls.ca_file:
        yield f"  ca_file: {quoted(tls.ca_file)}"
    yield f"  verify: {'true' if tls.verify else 'false'}"
    yield f"  timeout: {tls.timeout_s:.3f}"
    yield "}"


def _accounts(c: NodeConfiguration) -> Iterator[str]:
    yield "accounts {"
    yield f"  {ACCOUNT} {{"
    if c.jetstream:
        yield "    jetstream {"
        yield f"      max_memory: {c.max_memory_bytes}"
        yield f"      max_file: {c.max_storage_bytes}"
        yield f"      max_streams: {c.max_streams}"
        yield f"      max_consumers: {c.max_consumers}"
        yield "    }"
    yield "    users: ["
    for user in c.users:
        yield from (f"      {line}" for line in _user(user))
    yield "    ]"
    yield "  }"
    yield f"  {SYSTEM_ACCOUNT} {{"
    yield "    users: ["
    yield f"      {{ user: {quoted(SYSTEM_USER)}, password: {quoted(c.system_hash)} }}"
    yield "    ]"
    yield "  }"
    yield "}"
    yield f"system_account: {SYSTEM_ACCOUNT}"


def _user(user: User) -> Iterator[str]:
    may = user.permissions
    yield "{"
    yield f"  user: {quoted(user.name)}"
    yield f"  password: {quoted(user.password_hash)}"
    yield "  permissions {"
    yield f"    publish {{ {_subjects(may.publish_allow, may.publish_deny)} }}"
    yield f"    subscribe {{ {_subjects(may.subscribe_allow, may.subscribe_deny)} }}"
    yield "  }"
    yield "}"


def _subjects(allow: Sequence[str], deny: Sequence[str]) -> str:
    """Return the inside of one permission. An empty list of allowed subjects allows nothing."""
    # To the server an empty `allow` is none at all, and so everything.
    if not allow:
        return f"deny: {_listed((EVERYTHING,))}"
    if not deny:
        return f"allow: {_listed(allow)}"
    return f"allow: {_listed(allow)}, deny: {_listed(deny)}"


def _listed(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(quoted, texts)) + "]"


def _address(host: str, port: int) -> str:
    return quoted(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _duration(seconds: float) -> str:
    # Whole nanoseconds are what the server counts; a float would come out as 1e-05.
    count = round(seconds * NANOSECONDS)
    whole, rest = divmod(count, NANOSECONDS)
    return f'"{count}ns"' if rest else f'"{whole}s"'

"""What the declared nodes are to run, their users' passwords, and what became of them."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import bcrypt
import msgspec
from django.conf import settings
from django.db.models import F, QuerySet

from streams.core import permissions, subjects
from streams.core.errors import BadDefinition, BadSubject
from streams.core.names import check_name
from streams.core.permissions import Permissions
from streams.core.serverconf import (
    ADMIN_USER,
    ROUTE_USER,
    SYSTEM_USER,
    NodeConfiguration,
    Routes,
    Tls,
    User,
)
from streams.core.sizes import duration_s, size_bytes
from streams.models import BrokerUser, Cluster, Node, Stream, TlsFiles
from streams.services import announcing, audit
from streams.supervise import Standing

# The node that `standalone` runs, and that every installation has.
OWN_NODE = "tickplane"
OWN_NAMES = (ADMIN_USER, SYSTEM_USER, ROUTE_USER)
# A login costs the server 76 ms at 10. The derived passwords are long and random: nothing is won
# there by making each guess slow, and every process of ours would wait for it at every connect.
COST, DERIVED_COST = 10, 4
# bcrypt reads no more.
MOST_PASSWORD_BYTES = 72
LEAST_PASSWORD_BYTES = 8
PASSWORD_BYTES = 24
# nats-server takes no shorter one.
LEAST_LAME_DUCK_S = 30


def node_configuration(*, node: Node, **overrides: Any) -> NodeConfiguration:
    """
    Return what this node is to run, for example with `port=4223` where 4222 is taken.

    Raises:
        BadDefinition: A setting cannot be understood; its field is named.
    """
    cluster, folder = node.cluster, runtime_folder(name=node.name)
    _check_limits(cluster)
    found = NodeConfiguration(
        name=node.name,
        host=cluster.host,
        port=node.nats_port or cluster.nats_port,
        http_port=node.http_port or cluster.http_port,
        store_folder=str(_store_folder(node, folder)),
        pid_file=str(folder / "nats.pid"),
        log_file=str(log_file(name=node.name)),
        jetstream=cluster.jetstream_enabled,
        max_memory_bytes=size_bytes(cluster.jetstream_max_memory, "jetstream_max_memory"),
        max_storage_bytes=size_bytes(cluster.jetstream_max_storage, "jetstream_max_storage"),
        max_streams=cluster.jetstream_max_streams,
        max_consumers=cluster.jetstream_max_consumers,
        sync_interval_s=_sync_interval_s(cluster.sync_interval),
        max_connections=cluster.max_connections,
        max_subscriptions=cluster.max_subscriptions,
        max_payload_bytes=size_bytes(cluster.max_payload, "max_payload"),
        write_deadline_s=duration_s(cluster.write_deadline, "write_deadline"),
        ping_interval_s=duration_s(cluster.ping_interval, "ping_interval"),
        max_pings_out=cluster.max_pings_out,
        lame_duck_s=duration_s(cluster.lame_duck_duration, "lame_duck_duration"),
        users=_users(cluster),
        system_hash=_derived_hash(system_password(), SYSTEM_USER),
        routes=_routes(node),
        tls=_tls(node.client_tls or cluster.client_tls),
    )
    found = msgspec.structs.replace(found, **overrides)
    if found.routes is None or "client_advertise" in overrides:
        return found
    return msgspec.structs.replace(found, client_advertise=_at(node.address, found.port))


def _check_limits(cluster: Cluster) -> None:
    """
    Raises:
        BadDefinition: A limit that nats-server would take for none, and put its own default there;
            or no connections at all, so that nobody could change it back.
    """
    limits = {
        "max_connections": cluster.max_connections,
        "max_payload": size_bytes(cluster.max_payload, "max_payload"),
        "write_deadline": duration_s(cluster.write_deadline, "write_deadline"),
        "ping_interval": duration_s(cluster.ping_interval, "ping_interval"),
        "max_pings_out": cluster.max_pings_out,
    }
    for field, limit in limits.items():
        if limit <= 0:
            raise BadDefinition(field, "must be more than 0")
    if duration_s(cluster.lame_duck_duration, "lame_duck_duration") < LEAST_LAME_DUCK_S:
        raise BadDefinition("lame_duck_duration", f"must be {LEAST_LAME_DUCK_S}s or more")


def runtime_folder(*, name: str) -> Path:
    """Return where the node's configuration and pid file are."""
    own: Path = settings.HOME / "nats"
    return own if name == OWN_NODE else own / name


def log_file(*, name: str) -> Path:
    home: Path = settings.HOME
    return home / "log" / ("nats.log" if name == OWN_NODE else f"nats-{name}.log")


class Orders(msgspec.Struct, frozen=True):
    """
    What the supervisor of a node is to do.

    Attributes:
        configuration: None when the rows make none; `why_not` then says why.
        enabled: Otherwise the server is ended.
        starts: Otherwise somebody else starts the server, and it is only watched.
        restart: The number of the last restart that was asked for, and of the last that was made.
    """

    configuration: NodeConfiguration | None
    why_not: str
    enabled: bool
    starts: bool
    restart: tuple[int, int]


def orders(*, name: str, fixed: Mapping[str, Any]) -> Orders | None:
    """Return what is to be done with a node, or None when it is not declared any more."""
    node = _nodes().filter(name=name).first()
    if node is None:
        return None
    configuration, why_not = None, ""
    try:
        configuration = node_configuration(node=node, **fixed)
    except BadDefinition as e:
        why_not = str(e)
    return Orders(
        configuration=configuration,
        why_not=why_not,
        enabled=node.enabled,
        starts=node.cluster.auto_start_nats,
        restart=(node.restart_wanted, node.restart_done),
    )


class Place(msgspec.Struct, frozen=True):
    """
    Where a node listens.

    Attributes:
        service_port: Of our own HTTP calls.
        url, monitor_url: For servers that somebody else starts; the URL may hold a password, and
            is several with commas between when there are several.
        tls: What clients meet.
    """

    name: str
    host: str
    port: int
    http_port: int
    service_port: int
    starts: bool
    url: str
    monitor_url: str
    tls: Tls | None

    def __repr__(self) -> str:
        return f"Place({self.name!r}, {self.host!r}, {self.port!r})"


def own_place() -> Place:
    """Return the node that `standalone` runs, declared again when it was deleted."""
    if (node := _nodes().filter(name=OWN_NODE).first()) is None:
        cluster, _ = Cluster.objects.get_or_create(name=OWN_NODE)
        node = Node.objects.create(name=OWN_NODE, cluster=cluster)
    cluster = node.cluster
    port, http_port = node.nats_port or cluster.nats_port, node.http_port or cluster.http_port
    tls = _tls(node.client_tls or cluster.client_tls)
    own = own_url(_at(node.address, port), tls)
    return Place(
        name=node.name,
        host=cluster.host,
        port=port,
        http_port=http_port,
        service_port=cluster.service_port,
        starts=cluster.auto_start_nats,
        url=",".join((cluster.nats_url or own, *cluster.client_urls)),
        monitor_url=f"http://{_at(node.address, http_port)}",
        tls=tls,
    )


def own_url(at: str, tls: Tls | None) -> str:
    """Return the URL by which our own processes reach a node at `host:port`; with the password."""
    login = f"{ADMIN_USER}:{quote(admin_password(), safe='')}"
    if tls is None:
        return f"nats://{login}@{at}"
    shown = {"cert": tls.cert_file, "key": tls.key_file} if tls.verify else {}
    files = ({"ca": tls.ca_file} if tls.ca_file else {}) | shown
    return f"tls://{login}@{at}" + (f"?{urlencode(files)}" if files else "")


def node_names() -> list[str]:
    return list(Node.objects.values_list("name", flat=True))


def note_standing(*, name: str, standing: Standing, restart_done: int, now: datetime) -> None:
    """Write down how a node's server is; `since` when its state is another one than before."""
    rows = Node.objects.filter(name=name)
    if rows.exclude(state=standing.state).update(since=now):
        _alert(name, standing)
    rows.update(
        state=standing.state,
        reason=standing.reason,
        pid=standing.pid,
        version=standing.version,
        restarts=standing.restarts,
        restart_done=restart_done,
        digest=standing.digest,
        wanted_digest=standing.wanted_digest,
        awaits_restart=list(standing.awaits_restart),
        certificate_ends_at=_moment(standing.certificate_ends),
        seen_at=now,
    )


# What somebody should look at, and how soon. A failed server hears it once it is back.
_ALERTS = {
    Node.State.REFUSED: "warning",
    Node.State.UNHEALTHY: "critical",
    Node.State.FAILED: "critical",
}


def _alert(name: str, standing: Standing) -> None:
    state = Node.State(standing.state)
    if level := _ALERTS.get(state):
        announcing.alert(
            level=level,
            type=f"node_{state.value}",
            text=f"nats-server {name}: {standing.reason or state.value}",
            name=name,
        )


def _nodes() -> QuerySet[Node]:
    return Node.objects.select_related(
        "client_tls", "route_tls", "cluster__client_tls", "cluster__route_tls"
    ).prefetch_related("cluster__nodes", "cluster__users")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def set_password(*, user: BrokerUser, password: str, actor: str) -> None:
    """
    Keep what nats-server needs to know this password; the password itself is kept nowhere.

    Raises:
        BadDefinition: It is too short, or longer than bcrypt reads.
    """
    user.password_hash = hashed(password)
    user.save(update_fields=["password_hash"])
    audit.note(actor=actor, action="set_password", kind="user", name=_full_name(user))


def new_password(*, user: BrokerUser, actor: str) -> str:
    """Give the user a random password and return it: nobody can show it again."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    set_password(user=user, password=password, actor=actor)
    return password


def request_restart(*, node: Node, actor: str) -> None:
    """Let the node's supervisor restart it, with what waits for a restart."""
    Node.objects.filter(pk=node.pk).update(restart_wanted=F("restart_wanted") + 1)
    audit.note(
        actor=actor,
        action="restart",
        kind="node",
        name=node.name,
        detail=", ".join(node.awaits_restart),
    )


def admin_password() -> str:
    """Return the password of the control plane's own user, who may do everything."""
    given: str = settings.NATS_PASSWORD
    # An environment that brings its own secret key need not bring this one.
    return given or _derived(settings.SECRET_KEY, "administrator of NATS")


def system_password() -> str:
    """Return the password of the system account's user, the same on all nodes of a cluster."""
    return _derived(admin_password(), "system account of NATS")


def route_password() -> str:
    return _derived(admin_password(), "routes of NATS")


def hashed(password: str) -> str:
    """
    Return the password's bcrypt hash, as nats-server reads it.

    Raises:
        BadDefinition: See `set_password`.
    """
    raw = _utf8(password)
    if len(raw) < LEAST_PASSWORD_BYTES:
        raise BadDefinition("password", f"has fewer than {LEAST_PASSWORD_BYTES} bytes")
    if len(raw) > MOST_PASSWORD_BYTES:
        raise BadDefinition("password", f"has more than {MOST_PASSWORD_BYTES} bytes")
    return bcrypt.hashpw(raw, bcrypt.gensalt(COST)).decode()


def _utf8(password: str) -> bytes:
    try:
        raw = password.encode()
    except UnicodeEncodeError as e:
        raise BadDefinition("password", "is no text") from e
    if b"\0" in raw:
        raise BadDefinition("password", "holds a zero byte, at which bcrypt ends")
    return raw


def _derived(key: str, purpose: str) -> str:
    return hmac.digest(key.encode(), purpose.encode(), "sha256").hex()


@cache
def _derived_hash(password: str, user: str) -> str:
    """Return a hash that is the same each time, so that an unchanged node has an unchanged text."""
    seed = hmac.digest(password.encode(), f"salt of {user}".encode(), "sha256")[:16]
    # bcrypt's own alphabet, in the order of the usual one.
    salt = base64.b64encode(seed).translate(_BCRYPT_ALPHABET).rstrip(b"=")
    return bcrypt.hashpw(
        password.encode()[:MOST_PASSWORD_BYTES], b"$2b$%02d$%s" % (DERIVED_COST, salt)
    ).decode()


_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BCRYPT_ALPHABET = bytes.maketrans(_LETTERS + b"0123456789+/", b"./" + _LETTERS + b"0123456789")


def _store_folder(node: Node, folder: Path) -> Path:
    if node.data_dir:
        return Path(node.data_dir)
    if node.cluster.data_dir:
        # Two nodes on one machine must not share one.
        return Path(node.cluster.data_dir) / node.name
    return folder / "jetstream"


def _sync_interval_s(text: str) -> float | None:
    return None if text.strip() == "always" else duration_s(text, "sync_interval")


def _users(cluster: Cluster) -> tuple[User, ...]:
    own = User(ADMIN_USER, _derived_hash(admin_password(), ADMIN_USER), permissions.admin())
    rows = [row for row in cluster.users.all() if row.enabled and row.password_hash]
    if taken := [row.name for row in rows if row.name in OWN_NAMES]:
        raise BadDefinition("users", f"{taken[0]} is the name of a user of Tickplane itself")
    if not rows:
        return (own,)
    streams = _declared()
    return (own, *(User(row.name, row.password_hash, _permissions(row, streams)) for row in rows))


Streams = list[tuple[str, list[str]]]


def _declared() -> Streams:
    # One row that cannot be must not be why no server is configured any more.
    return [(row.name, row.subjects) for row in Stream.objects.all() if _is_name(row.name)]


def _is_name(text: str) -> bool:
    try:
        return bool(check_name(text))
    except BadDefinition:
        return False


def permissions_of(*, user: BrokerUser) -> Permissions:
    """
    Return what the user may do now, with the streams that hold its subjects.

    Raises:
        BadDefinition: One of its subjects is none.
    """
    return _permissions(user, _declared())


def _permissions(user: BrokerUser, streams: Streams) -> Permissions:
    match user.role:
        case BrokerUser.Role.ADMIN:
            return permissions.admin()
        case BrokerUser.Role.PRODUCER:
            return permissions.producer(_patterns(user, "subjects"), user.name)
        case BrokerUser.Role.CONSUMER:
            own = _patterns(user, "subjects")
            chosen = _chosen(user)
            return permissions.consumer(own, chosen or _holding(own, streams), user.name)
        case BrokerUser.Role.CUSTOM:
            return Permissions(
                **{name: _patterns(user, name) for name in Permissions.__struct_fields__}
            )
        case _:
            raise BadDefinition("role", f"user {user.name}: {user.role!r} is none")


def _holding(own: Iterable[str], streams: Streams) -> list[str]:
    """Return the streams that store any of these subjects."""
    wanted = list(own)
    return [
        name
        for name, stored in streams
        if any(subjects.overlap(a, b) for a in wanted for b in stored)
    ]


def _chosen(user: BrokerUser) -> tuple[str, ...]:
    # A wildcard would make more of the API his than the streams that he is given.
    if wrong := [each for each in _texts(user, "streams") if not _is_name(each)]:
        raise BadDefinition("streams", f"user {user.name}: {wrong[0]!r} is no name of a stream")
    return _texts(user, "streams")


def _patterns(user: BrokerUser, field: str) -> tuple[str, ...]:
    try:
        return tuple(subjects.check_pattern(each) for each in _texts(user, field))
    except BadSubject as e:
        raise BadDefinition(field, f"user {user.name}: {e}") from e


def _texts(user: BrokerUser, field: str) -> tuple[str, ...]:
    found = getattr(user, field)
    if not isinstance(found, list):
        raise BadDefinition(field, f"user {user.name}: is a list of texts")
    return tuple(map(str, found))


def _routes(node: Node) -> Routes | None:
    cluster, password = node.cluster, route_password()
    others = [other for other in cluster.nodes.all() if other.enabled and other.pk != node.pk]
    urls = [_at(other.address, other.cluster_port or cluster.cluster_port) for other in others]
    if not isinstance(cluster.cluster_routes, list):
        raise BadDefinition("cluster_routes", "is a list of routes")
    further = [_route(each, password) for each in cluster.cluster_routes]
    if not urls and not further:
        return None
    port = node.cluster_port or cluster.cluster_port
    return Routes(
        cluster=cluster.cluster_name or cluster.name,
        host=cluster.cluster_host,
        port=port,
        urls=(*(f"nats-route://{ROUTE_USER}:{password}@{url}" for url in urls), *further),
        password=password,
        advertise=_at(node.address, port),
        tls=_tls(node.route_tls or cluster.route_tls),
    )


def _route(text: object, password: str) -> str:
    """Return a further route with the password that all nodes of ours ask for."""
    try:
        parts = urlsplit(str(text))
        port = parts.port
    except ValueError as e:
        raise BadDefinition("cluster_routes", "a route has no port that can be used") from e
    if parts.scheme not in ("nats-route", "nats", "tls") or not parts.hostname or not port:
        raise BadDefinition("cluster_routes", 'a route is like "nats-route://node2:6222"')
    user = ROUTE_USER if parts.username is None else quote(parts.username, safe="%")
    own = password if parts.password is None else quote(parts.password, safe="%")
    return f"nats-route://{user}:{own}@{_at(parts.hostname, port)}"


def _tls(files: TlsFiles | None) -> Tls | None:
    if files is None:
        return None
    return Tls(files.cert_file, files.key_file, files.ca_file, files.verify, files.timeout_s)


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _full_name(user: BrokerUser) -> str:
    return f"{user.cluster.name}/{user.name}"

"""
The broker's settings as one YAML file, in the contract's own words.

    message-broker-service:
      port: 8085
      auto_start_nats: true
      auto_create_streams: true
      nats:
        nats_port: 4222
        users: [{user: producer, password: …, permissions: {publish: ["market.>"]}}]
        tls: {cert_file: …, key_file: …, ca_file: …, verify: true}
        streams: {NAME: {subjects: ["custom.>"], max_age: 7200}}

What is not in a file keeps its value. A stream has JetStream's own fields, but that a duration is
in seconds and a size may be written "1GB". Beyond the contract, and only written where they say
something: `host`, `sync_interval`, `lame_duck_duration`, `cluster_tls`, a user's `streams`,
`enabled`, and lists of permissions in the server's form, `publish: {allow: […], deny: […]}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from streams.core import document, permissions, subjects
from streams.core.errors import BadDefinition, BadSubject
from streams.core.fields import STREAM_FIELDS
from streams.core.fields import check as check_fields
from streams.core.permissions import Permissions
from streams.core.serverconf import Tls
from streams.core.sizes import duration_ns, duration_s, size_bytes

JsonObject = dict[str, Any]
Check = Callable[[str, Any], Any]

SERVICE = "message-broker-service"
NANOSECONDS = 1_000_000_000
MOST = 2**31 - 1
_CREDENTIALS = re.compile(r"//.*@")


class FileUser(msgspec.Struct, frozen=True, kw_only=True):
    """
    One user of a file.

    Attributes:
        password: In clear, or a bcrypt hash; empty means that the file has none. Never written.
        role: As `streams.models.BrokerUser.Role` has it; so the lists below.
    """

    name: str
    password: str = ""
    role: str = "custom"
    subjects: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    permissions: Permissions = Permissions()
    enabled: bool = True

    def __repr__(self) -> str:
        return f"FileUser({self.name!r}, {self.role!r})"


class BrokerFile(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a file says.

    Attributes:
        settings: By the column of `streams.models.Cluster`; sizes and durations as written.
        streams: By name, in JetStream's words and units.
    """

    settings: JsonObject = {}
    users: tuple[FileUser, ...] = ()
    tls: Tls | None = None
    route_tls: Tls | None = None
    streams: dict[str, JsonObject] = {}

    def __repr__(self) -> str:
        return f"BrokerFile({len(self.users)} users, {len(self.streams)} streams)"


def read(text: str) -> BrokerFile:
    """
    Return what the file says.

    Raises:
        BadDefinition: It is no such file; `field` is where, for example `nats.users.0.password`.
    """
    whole = _mapping("file", document.loaded(text), {SERVICE})
    service = _mapping(SERVICE, whole.get(SERVICE), {*_SERVICE, "nats"})
    nats = _mapping("nats", service.get("nats") or {}, {*_NATS, *_PARTS})
    settings = {
        column: check(key, service[key])
        for key, (column, check) in _SERVICE.items()
        if key in service
    }
    for key, (column, check) in _NATS.items():
        if key in nats:
            settings[column] = check(f"nats.{key}", nats[key])
    if "cluster_listen" in nats:
        host, port = _listen("nats.cluster_listen", nats["cluster_listen"])
        if settings.get("cluster_port", port) != port:
            raise BadDefinition("nats.cluster_listen", "has another port than nats.cluster_port")
        settings |= {"cluster_host": host, "cluster_port": port}
    return BrokerFile(
        settings=settings,
        users=_users(nats.get("users") or []),
        tls=_tls("nats.tls", nats.get("tls")),
        route_tls=_tls("nats.cluster_tls", nats.get("cluster_tls")),
        streams=_streams(nats.get("streams") or {}),
    )


def written(file: BrokerFile) -> str:
    """Return the file's text, without passwords."""
    nats: JsonObject = {
        key: file.settings[column] for key, (column, _) in _NATS.items() if column in file.settings
    }
    if "cluster_host" in file.settings:
        host, port = file.settings["cluster_host"], file.settings["cluster_port"]
        nats["cluster_listen"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if file.users:
        nats["users"] = [_written_user(user) for user in file.users]
    for key, tls in (("tls", file.tls), ("cluster_tls", file.route_tls)):
        if tls is not None:
            nats[key] = _written_tls(tls)
    if file.streams:
        nats["streams"] = {
            name: _written_stream(config) for name, config in sorted(file.streams.items())
        }
    service = {
        key: file.settings[column] for key, (column, _) in _SERVICE.items()
        if column in file.settings
    }  # fmt: skip
    whole = {SERVICE: {**service, "nats": nats}}
    return document.written(whole)


def columns() -> list[str]:
    """Return the columns of a cluster that a file has."""
    own = [column for column, _ in (*_SERVICE.values(), *_NATS.values())]
    return [*own, "cluster_host"]


def stream_keys() -> set[str]:
    return set(STREAM_FIELDS) - {"name"}


def without_password(url: str) -> str:
    """Return the URL as it may be shown."""
    # By hand: a URL that cannot be parsed holds a password all the same.
    return _CREDENTIALS.sub("//", url)


def _mapping(path: str, value: Any, known: Iterable[str] | None = None) -> JsonObject:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BadDefinition(path, "is a mapping of names to values")
    if known is not None and (unknown := sorted(set(value) - set(known))):
        where = f"{path}." if path not in ("file", SERVICE) else ""
        raise BadDefinition(f"{where}{unknown[0]}", "is not known")
    return value


# Values


def _flag(path: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadDefinition(path, "is true or false")
    return value


def _whole(path: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise BadDefinition(path, f"is a whole number from 0 to {MOST}")
    return value


def _port(path: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65_535:  # noqa: PLR2004
        raise BadDefinition(path, "is a port from 1 to 65535")
    return value


def _text(path: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise BadDefinition(path, "is a text")
    return value


def _size(path: str, value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    size_bytes(_text(path, text), path)
    return str(text)


def _duration(path: str, value: Any) -> str:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    duration_s(_text(path, text), path)
    return str(text)


def _sync(path: str, value: Any) -> str:
    return "always" if value == "always" else _duration(path, value)


def _texts(path: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise BadDefinition(path, "is a list of texts")
    return [_text(f"{path}.{number}", each) for number, each in enumerate(value)]


def _patterns(path: str, value: Any) -> tuple[str, ...]:
    found = _texts(path, value)
    for number, each in enumerate(found):
        try:
            subjects.check_pattern(each)
        except BadSubject as e:
            raise BadDefinition(f"{path}.{number}", str(e)) from e
    return tuple(found)


def _listen(path: str, value: Any) -> tuple[str, int]:
    host, _, port = _text(path, value).rpartition(":")
    if not host or not port.isascii() or not port.isdecimal():
        raise BadDefinition(path, 'is like "0.0.0.0:6222"')
    return host.strip("[]"), _port(path, int(port))


# By the file's key: the column, and what a value must be.
_SERVICE: Mapping[str, tuple[str, Check]] = {
    "port": ("service_port", _port),
    "auto_start_nats": ("auto_start_nats", _flag),
    "auto_create_streams": ("auto_create_streams", _flag),
}
_NATS: Mapping[str, tuple[str, Check]] = {
    key: (key, check)
    for check, keys in (
        (_text, "host nats_url data_dir cluster_name"),
        (_port, "nats_port cluster_port http_port"),
        (_flag, "jetstream_enabled"),
        (_size, "jetstream_max_memory jetstream_max_storage max_payload"),
        (_whole, "jetstream_max_streams jetstream_max_consumers max_connections"),
        (_whole, "max_subscriptions max_pings_out"),
        (_duration, "write_deadline ping_interval lame_duck_duration"),
        (_sync, "sync_interval"),
        (_texts, "client_urls cluster_routes"),
    )
    for key in keys.split()
}
_PARTS = ("cluster_listen", "users", "tls", "cluster_tls", "streams")
# Not the contract's: written only when they differ from what every cluster begins with.
EXTRAS = ("host", "sync_interval", "lame_duck_duration")


# Users


def _users(value: Any) -> tuple[FileUser, ...]:
    if not isinstance(value, list):
        raise BadDefinition("nats.users", "is a list of users")
    found = tuple(_user(f"nats.users.{number}", each) for number, each in enumerate(value))
    names = [user.name for user in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise BadDefinition(f"nats.users.{number}.user", f"{name!r} is there twice")
    return found


def _user(path: str, value: Any) -> FileUser:
    given = _mapping(path, value, {"user", "password", "permissions", "streams", "enabled"})
    name = _text(f"{path}.user", given.get("user"))
    if not name:
        raise BadDefinition(f"{path}.user", "is empty")
    password = given.get("password", "")
    if not isinstance(password, str):
        raise BadDefinition(f"{path}.password", "is a text; put it in quotes")
    common: JsonObject = {
        "name": name,
        "password": password,
        "streams": tuple(_texts(f"{path}.streams", given.get("streams", []))),
        "enabled": _flag(f"{path}.enabled", given.get("enabled", True)),
    }
    if "permissions" not in given:
        return FileUser(role="admin", **common)
    path = f"{path}.permissions"
    may = _mapping(path, given["permissions"], {"publish", "subscribe"})
    lists = {
        key: _patterns(f"{path}.{key}", each) for key, each in may.items() if isinstance(each, list)
    }
    if set(may) == {"publish"} == set(lists):
        return FileUser(role="producer", subjects=lists["publish"], **common)
    if set(may) == {"subscribe"} == set(lists):
        return FileUser(role="consumer", subjects=lists["subscribe"], **common)
    if set(lists) == {"publish", "subscribe"}:
        # Acknowledgements come to the inbox, and a client asks before it publishes.
        both = permissions.producer(lists["publish"])
        into = permissions.unique((*lists["subscribe"], *both.subscribe_allow))
        may_both = Permissions(publish_allow=both.publish_allow, subscribe_allow=into)
        return FileUser(permissions=may_both, **common)
    return FileUser(permissions=_exactly(path, may), **common)


def _exactly(path: str, may: JsonObject) -> Permissions:
    """Return permissions in the server's own form."""
    found: dict[str, tuple[str, ...]] = {}
    for side, value in may.items():
        at = f"{path}.{side}"
        lists = {"allow": value} if isinstance(value, list) else _mapping(at, value, _SIDES)
        for kind, each in lists.items():
            found[f"{side}_{kind}"] = _patterns(f"{at}.{kind}", each)
    return Permissions(**found)


_SIDES = ("allow", "deny")


def _written_user(user: FileUser) -> JsonObject:
    found: JsonObject = {"user": user.name}
    if user.role == "producer":
        found["permissions"] = {"publish": list(user.subjects)}
    elif user.role == "consumer":
        found["permissions"] = {"subscribe": list(user.subjects)}
    elif user.role == "custom":
        found["permissions"] = {
            side: {kind: list(getattr(user.permissions, f"{side}_{kind}")) for kind in _SIDES}
            for side in ("publish", "subscribe")
        }
    if user.streams:
        found["streams"] = list(user.streams)
    if not user.enabled:
        found["enabled"] = False
    return found


# Certificates


def _tls(path: str, value: Any) -> Tls | None:
    if value is None:
        return None
    given = _mapping(path, value, {"cert_file", "key_file", "ca_file", "verify", "timeout"})
    files = {
        key: _text(f"{path}.{key}", given.get(key, ""))
        for key in ("cert_file", "key_file", "ca_file")
    }
    for key in ("cert_file", "key_file"):
        if not files[key]:
            raise BadDefinition(f"{path}.{key}", "is missing")
    verify = _flag(f"{path}.verify", given.get("verify", False))
    timeout_s = duration_s(_duration(f"{path}.timeout", given.get("timeout", 3)), f"{path}.timeout")
    return Tls(verify=verify, timeout_s=timeout_s, **files)


def _written_tls(tls: Tls) -> JsonObject:
    found: JsonObject = {"cert_file": tls.cert_file, "key_file": tls.key_file}
    if tls.ca_file:
        found["ca_file"] = tls.ca_file
    found["verify"] = tls.verify
    if tls.timeout_s != Tls("", "").timeout_s:
        found["timeout"] = tls.timeout_s
    return found


# Streams


def _streams(value: Any) -> dict[str, JsonObject]:
    return {
        name: _stream(f"nats.streams.{name}", name, each)
        for name, each in _mapping("nats.streams", value).items()
    }


def _stream(path: str, name: str, value: Any) -> JsonObject:
    given = _mapping(path, value, stream_keys())
    config = {key: _raw(f"{path}.{key}", key, each) for key, each in given.items()}
    for field, reason in check_fields({**config, "name": name}, STREAM_FIELDS).items():
        raise BadDefinition(f"{path}.{field}", reason)
    return config


def _raw(path: str, key: str, value: Any) -> Any:
    """Return a value in JetStream's unit."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match STREAM_FIELDS[key].kind:
        case "duration" if number or isinstance(value, str):
            return duration_ns(str(value), path)
        case "bytes" if isinstance(value, str):
            return size_bytes(value, path)
    return value


def _written_stream(config: Mapping[str, Any]) -> JsonObject:
    return {
        key: _seconds(value)
        if key in STREAM_FIELDS and STREAM_FIELDS[key].kind == "duration"
        else value
        for key, value in config.items()
    }


def _seconds(nanoseconds: Any) -> Any:
    if not isinstance(nanoseconds, int):
        return nanoseconds
    whole, rest = divmod(nanoseconds, NANOSECONDS)
    # Not as a float: that has too few digits for it, and writes small ones as 1e-05.
    return whole if not rest else f"{whole}s{rest}ns"

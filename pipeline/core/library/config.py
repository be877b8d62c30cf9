"""What a program says of a source, checked field by field as soon as it is said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pipeline.core import checking
from pipeline.core.errors import BadOption
from pipeline.core.spec import SourceSpec
from streams.core.redaction import redacted

LONGEST_ID = 64
LONGEST_WAIT_S = 86_400.0

# The schemes of an endpoint; none where it is host:port.
PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "websocket": ("ws", "wss"),
    "fix": (),
    "tcp": (),
    "udp": (),
    "rest": ("http", "https"),
    "mqtt": (),
    "grpc": (),
}

_SECONDS = ("reconnect_interval", "silence_s", "ping_every_s")
_LISTS = ("types", "symbols", "intervals", "handshake")
_SHOWN = ("buffer_size", "reconnect_interval", "max_reconnect_attempts", "venue")
_PLACE = re.compile(r" - at `\$\.(\w+)([^`]*)`$")
_HOST_PORT = re.compile(r"(?P<host>[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_LARGEST_PORT = 65_535


@dataclass(frozen=True, repr=False)
class DataSourceConfig:
    """
    One source.

    Attributes:
        protocol: A key of `PROTOCOLS`, in small or large letters. Which of them are received,
            `RealTimeDataPipeline` says.
        endpoint: A URL for websocket and rest, `host:port` for all others. It may be empty for a
            venue's own.
        credentials: `{"username": …, "password": …}`, or None.
        buffer_size: Bytes of one read: from 4 KB for a slow source to 32 KB for a fast one.
        reconnect_interval: Seconds; the pauses between attempts grow up to here.
        max_reconnect_attempts: After so many failures in a row the source is degraded, and still
            tried.
        venue: An exchange that is known, such as `binance`: its messages are read. Without one
            they are handed on as they came. types, symbols, intervals, options, rest_endpoint
            are for exchanges.
        silence_s, handshake, ping_text, ping_every_s, backfill, checksums: See
            `pipeline.core.spec.SourceSpec`.

    Raises:
        BadOption: Its `field` is the one that is wrong.
    """

    source_id: str
    protocol: str
    endpoint: str
    credentials: Mapping[str, str] | None = None
    buffer_size: int = 16_384
    reconnect_interval: float = 5.0
    max_reconnect_attempts: int = 10
    _: KW_ONLY
    venue: str = ""
    types: Sequence[str] = ()
    symbols: Sequence[str] = ()
    intervals: Sequence[str] = ("1m",)
    options: Mapping[str, str] | None = None
    rest_endpoint: str = ""
    silence_s: float = 30.0
    handshake: Sequence[Mapping[str, Any]] = ()
    ping_text: str = ""
    ping_every_s: float = 20.0
    backfill: bool = True
    checksums: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.protocol, str):
            object.__setattr__(self, "protocol", self.protocol.lower())
        self.spec()

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in _SHOWN]
        login = "None" if self.credentials is None else "***"
        # A query may hold a key under any name.
        endpoint = redacted(self.endpoint.partition("?")[0])
        return (
            f"DataSourceConfig({self.source_id!r}, {self.protocol!r}, {endpoint!r}, "
            f"credentials={login}, {', '.join(shown)})"
        )

    def spec(self, epoch: int = 0) -> SourceSpec:
        """
        Return the source as the pipeline runs it.

        Raises:
            BadOption: See the class.
        """
        found = _converted(self, epoch)
        _check(found)
        return found


def _converted(config: DataSourceConfig, epoch: int) -> SourceSpec:
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    values["epoch"] = epoch
    values["options"] = values["options"] or {}
    for name in _LISTS:
        if isinstance(values[name], str | bytes) or not isinstance(values[name], Sequence):
            raise BadOption(name, "is no list")
        values[name] = tuple(checking.shaped(name, list(values[name])))
    values["options"] = checking.shaped("options", values["options"])
    try:
        return msgspec.convert(values, SourceSpec)
    except msgspec.ValidationError as e:
        # Its words name what was expected and the place, never what is there.
        place = _PLACE.search(str(e))
        field, inner = (place[1], place[2]) if place else ("source_id", "")
        reason = _PLACE.sub("", str(e)) + (f" at {inner}" if inner else "")
        raise BadOption(field, reason) from None


def _check(spec: SourceSpec) -> None:
    source_id = spec.source_id
    if not 1 <= len(source_id) <= LONGEST_ID or not source_id.isprintable():
        raise BadOption("source_id", f"is no text of 1 to {LONGEST_ID} printable characters")
    if spec.protocol not in PROTOCOLS:
        raise BadOption("protocol", f"is none of {', '.join(PROTOCOLS)}")
    if spec.endpoint or not spec.venue:
        check_endpoint("endpoint", spec.endpoint, PROTOCOLS[spec.protocol])
    if spec.rest_endpoint:
        check_endpoint("rest_endpoint", spec.rest_endpoint, PROTOCOLS["rest"])
    for name in _SECONDS:
        # Put so that it is wrong for what is no number, too.
        if not 0 < getattr(spec, name) <= LONGEST_WAIT_S:
            raise BadOption(name, f"is not above 0 and up to {LONGEST_WAIT_S:g} s")
    if spec.venue:
        for fault in checking.faults(spec):
            raise fault
    else:
        _check_plain(spec)


def _check_plain(spec: SourceSpec) -> None:
    for name in ("types", "symbols", "options", "rest_endpoint"):
        if getattr(spec, name):
            raise BadOption(name, "only a source with a venue has any")


def positive(field: str, value: object) -> int:
    """
    Return the value, a bound.

    Raises:
        BadOption: It is no whole number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadOption(field, "is no whole number above 0")
    return value


def check_endpoint(field: str, endpoint: str, schemes: Sequence[str]) -> None:
    """
    Raises:
        BadOption: No address of the form that these schemes have, or one that carries a login.
    """
    if "@" in endpoint.partition("://")[2].partition("/")[0]:
        raise BadOption(field, "a login does not belong there: give it as credentials")
    form = " or ".join(f"{scheme}://host" for scheme in schemes) or "host:port"
    if not _is_url(endpoint, schemes) if schemes else not _is_host_port(endpoint):
        raise BadOption(field, f"is not of the form {form}")


def _is_url(endpoint: str, schemes: Sequence[str]) -> bool:
    if not endpoint.isprintable() or " " in endpoint or "#" in endpoint:
        return False
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_host_port(endpoint: str) -> bool:
    found = _HOST_PORT.fullmatch(endpoint)
    return found is not None and 1 <= int(found["port"]) <= _LARGEST_PORT

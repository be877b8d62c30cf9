"""
Sources, and where their data go, as one YAML file in the words of the collector's contract.

    data_collection:
      nats_streaming:
        enabled: true
        servers: ["nats://localhost:4222"]
        connection: {name: "data-collector", max_reconnect_attempts: 5, reconnect_time_wait: 2}
        subjects:
          orderbook: "orderbook.{exchange}.{symbol}"
      sources:
        - {name: binance, exchange: binance, types: [trade, orderbook], symbols: [BTCUSDT, ETH*]}

`sources` is ours. A source has the fields of its row, and what a file leaves out is as usual. What
its handshake sends is never written: see `core.handshake`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pipeline.core.spec import HandshakeStep
from streams.core import document
from streams.core.errors import BadDefinition

ROOT = "data_collection"
SERVERS = f"{ROOT}.nats_streaming.servers"
CONNECTION = f"{ROOT}.nats_streaming.connection"
SUBJECTS = f"{ROOT}.nats_streaming.subjects"
SOURCES = f"{ROOT}.sources"
SCHEMES = ("nats", "tls")

_PLACE = re.compile(r"(.*?)(?: - at (?:`key` in )?`\$\.?(.*)`)?", re.DOTALL)
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")


class FileSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One source; the defaults are those of `pipeline.models.DataSource`.

    Attributes:
        name: Empty for the exchange's.
    """

    name: str = ""
    exchange: str
    enabled: bool = True
    protocol: str = "websocket"
    endpoint: str = ""
    rest_endpoint: str = ""
    types: list[str] = []
    symbols: list[str] = []
    intervals: list[str] = msgspec.field(default_factory=lambda: ["1m"])
    options: dict[str, Any] = {}
    silence_s: float = 30.0
    stale_s: dict[str, Any] = {}
    reconnect_interval: float = 5.0
    max_reconnect_attempts: int = 10
    buffer_size: int = 16_384
    linger_ms: int = 0
    link_life_s: float = 0.0
    renew_at: str = ""
    trusted: bool = False
    checksums: bool = True
    backfill: bool = True
    handshake: list[HandshakeStep] = []
    ping_text: str = ""
    ping_every_s: float = 20.0

    def __repr__(self) -> str:
        return f"FileSource({self.name!r})"


COLUMNS = tuple(name for name in FileSource.__struct_fields__ if name not in ("name", "exchange"))


class Connection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None: the file does not say."""

    name: str | None = None
    max_reconnect_attempts: int | None = None
    reconnect_time_wait: float | None = None


class Streaming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    enabled: bool = True
    servers: list[str] = []
    connection: Connection = Connection()
    subjects: dict[str, Any] = {}


class SourceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    nats_streaming: Streaming = Streaming()
    sources: list[FileSource] = []


class _Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    data_collection: SourceFile


def read(text: str) -> SourceFile:
    """
    Return what the file says.

    Raises:
        BadDefinition: It is no such file; `field` is where: data_collection.sources.0.symbols.
    """
    try:
        found = msgspec.convert(document.loaded(text), _Whole).data_collection
    except msgspec.ValidationError as e:
        raise _placed(e) from None
    for number, server in enumerate(found.nats_streaming.servers):
        _check_server(f"{SERVERS}.{number}", server)
    _check_values(SUBJECTS, found.nats_streaming.subjects, str)
    names = [source.name or source.exchange for source in found.sources]
    for number, source in enumerate(found.sources):
        where = f"{SOURCES}.{number}"
        if names[number] in names[:number]:
            raise BadDefinition(f"{where}.name", f"{names[number]} is there twice")
        _check_values(f"{where}.options", source.options, str)
        _check_values(f"{where}.stale_s", source.stale_s, float)
    return found


def written(
    *, servers: list[str], connection: Connection, subjects: dict[str, str],
    sources: list[FileSource],
) -> str:  # fmt: skip
    """Return a file that `read` understands."""
    streaming = {
        "enabled": True,
        "servers": servers,
        "connection": msgspec.to_builtins(connection),
        "subjects": subjects,
    }
    listed = [_unusual(source) for source in sources]
    return document.written({ROOT: {"nats_streaming": streaming, "sources": listed}})


def address(url: str) -> tuple[str, int]:
    """Return host and port of a server; the loopback has many names."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return "127.0.0.1" if host in ("localhost", "::1") else host, parts.port or 4222


def _unusual(source: FileSource) -> dict[str, Any]:
    """Return the fields that say something, in plain values."""
    usual = FileSource(exchange=source.exchange)
    return {
        name: msgspec.to_builtins(getattr(source, name))
        for name in FileSource.__struct_fields__
        if name == "exchange" or getattr(source, name) != getattr(usual, name)
    }


def _check_values(where: str, given: Mapping[str, Any], kind: type) -> None:
    # By hand: of a mapping msgspec does not say which of its keys has the wrong value.
    for name, value in given.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as e:
            raise BadDefinition(f"{where}.{name}", str(e)) from None


def _check_server(where: str, server: str) -> None:
    try:
        usable = urlsplit(server).scheme in SCHEMES and address(server)[0]
    except ValueError:
        usable = ""
    if not usable:
        # Not the text: it may hold a password.
        raise BadDefinition(where, "give a URL of the form nats://host:port")


def _placed(error: msgspec.ValidationError) -> BadDefinition:
    found = _PLACE.fullmatch(str(error))
    reason, place = (found[1], found[2]) if found else (str(error), None)
    return BadDefinition(_INDEX.sub(r".\1", place or "file"), reason)

"""
What a process says of itself on NATS, and where: log records, its life, its health, alerts.

    service.{service}.log.{level}       system.service.{service}.{event}
    system.health.{service}             system.alert.{level}.{type}

Every body is one JSON object. Texts are bounded and hold no secret, and details never replace what
stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from streams.core import subjects
from streams.core.redaction import redacted

Announcement: TypeAlias = tuple[str, bytes]

MESSAGE_CHARACTERS = 8_000
# The first lines say where it began, the last what it was.
TRACEBACK_HEAD, TRACEBACK_TAIL = 3_000, 9_000
NAME_CHARACTERS = 200
# Each may become twelve, and two of them must fit into a subject.
TOKEN_CHARACTERS = 40
DETAIL_BYTES = 32 * 1024


class Sender(msgspec.Struct, frozen=True):
    """Which process of which service speaks."""

    service: str
    host: str
    pid: int


class AnnounceCounters(msgspec.Struct, frozen=True, kw_only=True):
    """
    Attributes:
        stored: Acknowledged by a stream. unstored: No stream takes the subject, or none said so
            in time; plain subscribers have had it. refused: A stream said no.
        dropped: Lost here: NATS was away, or too many came at once.
        waiting: Not yet written, or not yet acknowledged.
    """

    announced: int = 0
    stored: int = 0
    unstored: int = 0
    refused: int = 0
    dropped: int = 0
    waiting: int = 0


def log(  # noqa: PLR0913
    sender: Sender,
    *,
    at: datetime,
    level: str,
    logger: str,
    message: str,
    traceback: str = "",
    details: Mapping[str, Any] | None = None,
) -> Announcement:
    own: dict[str, Any] = {
        "timestamp": stamp(at),
        "level": level,
        "service": sender.service,
        "logger": logger[:NAME_CHARACTERS],
        "message": _safe(message, MESSAGE_CHARACTERS),
        "host": sender.host,
        "pid": sender.pid,
    }
    if traceback:
        own["traceback"] = _safe(traceback, TRACEBACK_HEAD, TRACEBACK_TAIL)
    subject = f"service.{_token(sender.service)}.log.{_token(level.lower())}"
    return subject, _body(own, details)


def event(
    sender: Sender, event: str, *, at: datetime, details: Mapping[str, Any] | None = None
) -> Announcement:
    """Return that something happened in the life of a service: `started`, `stopping`, …"""
    own = {"type": "service", "event": event, **_own(sender, at)}
    subject = f"system.service.{_token(sender.service)}.{_token(event)}"
    return subject, _body(own, details)


def health(  # noqa: PLR0913
    sender: Sender,
    *,
    at: datetime,
    status: str,
    uptime_s: float,
    every_s: float,
    details: Mapping[str, Any] | None = None,
) -> Announcement:
    """
    Return that a process lives.

    Args:
        every_s: When the next one is due; a reader that hears none for longer knows.
    """
    own = {
        "type": "health",
        "status": status,
        **_own(sender, at),
        "uptime_seconds": round(uptime_s),
        "interval_seconds": every_s,
    }
    return f"system.health.{_token(sender.service)}", _body(own, details)


def alert(  # noqa: PLR0913
    sender: Sender,
    *,
    at: datetime,
    level: str,
    type: str,  # noqa: A002 - as the subject names it
    text: str,
    details: Mapping[str, Any] | None = None,
) -> Announcement:
    """Return an alert, under the keys that alerts of accounts have."""
    own = {
        "type": "alert",
        "alert": _safe(text, MESSAGE_CHARACTERS),
        "severity": level,
        "alertType": type,
        **_own(sender, at),
    }
    subject = f"system.alert.{_token(level)}.{_token(type)}"
    return subject, _body(own, details)


def stamp(at: datetime) -> str:
    """Return a UTC time with milliseconds: `2024-01-01T12:00:00.000Z`."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _own(sender: Sender, at: datetime) -> dict[str, Any]:
    return {
        "service": sender.service,
        "timestamp": stamp(at),
        "host": sender.host,
        "pid": sender.pid,
    }


def _body(own: dict[str, Any], details: Mapping[str, Any] | None) -> bytes:
    if not details:
        return _encoded(own)
    more = {key: _shown(value) for key, value in details.items() if key not in own}
    told = _encoded(own | more)
    return told if len(told) <= DETAIL_BYTES else _encoded({**own, "details": "left out: too long"})


def _shown(value: Any) -> Any:
    return _safe(value, MESSAGE_CHARACTERS) if isinstance(value, str) else value


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body, enc_hook=str)
    except UnicodeEncodeError:  # Half of a pair, as file names and broken input have it.
        return msgspec.json.encode({_whole(key): _whole(value) for key, value in body.items()})


def _whole(value: Any) -> Any:
    text = value if isinstance(value, str | int | float) or value is None else str(value)
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text


def _safe(text: str, head: int, tail: int = 0) -> str:
    """
    Return a bounded text without its secrets.

    They are looked for in some more than is kept: not in megabytes, and not in what a cut has made
    unrecognisable.
    """
    return _cut(redacted(_cut(text, 2 * head, 2 * tail)), head, tail)


def _cut(text: str, head: int, tail: int) -> str:
    left_out = len(text) - head - tail
    if left_out <= 0:
        return text
    return f"{text[:head]}\n… {left_out} characters left out …\n{text[-tail:] if tail else ''}"


def _token(text: str) -> str:
    return subjects.escape(text[:TOKEN_CHARACTERS] or "unknown")

"""Publishes one message for somebody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from django.utils.translation import gettext as _

from streams.core import subjects
from streams.core.errors import BadDefinition, BadSubject
from streams.services.linked import link

MSG_ID = "Nats-Msg-Id"
# Of JetStream's own headers those that concern the one message. `Nats-Rollup` would be a purge.
OURS = ("Nats-Msg-Id", "Nats-TTL", "Nats-Expected-")

_NAME = re.compile(r"[!-9;-~]+")
MOST_HEADERS = 32


@dataclass(frozen=True)
class Published:
    """Where a message is. `stream` is empty when it went to subscribers only."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False


def publish(
    *,
    subject: str,
    message: object,
    headers: Mapping[str, str] | None = None,
    msg_id: str = "",
) -> Published:
    """
    Publish a text as it is, or any other JSON value as JSON.

    Args:
        msg_id: The same one again, within the stream's duplicate window, is stored once.

    Raises:
        BadSubject: `subject` is no concrete subject, or one of the server's own.
        BadDefinition: A header cannot be, or is one of JetStream's that changes more than this;
            or the message is no text.
        TooLarge: The message has more bytes than the server takes.
        BrokerError: It was not published, or a stream refused it.
    """
    if subjects.tokens(subject)[0].startswith(("$", "_")):
        raise BadSubject(f"{subject!r} belongs to the server itself")
    told = {**(headers or {}), **({MSG_ID: msg_id} if msg_id else {})}
    _check(told)
    payload = _written(message)
    stored = link().publish_stored(subject, payload, headers=told or None)
    if stored is None:
        return Published()
    return Published(stored["stream"], stored["seq"], bool(stored.get("duplicate")))


def _written(message: object) -> bytes:
    try:
        return message.encode() if isinstance(message, str) else msgspec.json.encode(message)
    except UnicodeEncodeError as e:  # Half of a pair, which JSON can spell.
        raise BadDefinition("message", _("holds what is no character")) from e
    except RecursionError as e:
        raise BadDefinition("message", _("is nested too deeply")) from e


def _check(headers: Mapping[str, str]) -> None:
    if len(headers) > MOST_HEADERS:
        raise BadDefinition("headers", _("at most %d") % MOST_HEADERS)
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise BadDefinition("headers", _("%r is no name of a header") % name)
        if name.lower().startswith("nats-") and not name.startswith(OURS):
            raise BadDefinition("headers", _("%s is JetStream's own") % name)
        if not value.isprintable() or value != value.strip():
            raise BadDefinition("headers", _("%s: one line, without spaces at its ends") % name)

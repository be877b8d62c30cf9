"""Publishes one message for somebody."""

from __future__ import annotations

import msgspec

from streams.core import subjects
from streams.core.errors import BadSubject
from streams.services import audit
from streams.services.linked import link


def publish(*, subject: str, message: object) -> bool:
    """
    Publish a text as it is, or any other JSON value as JSON; return whether a stream stored it.

    Raises:
        BadSubject: `subject` is no concrete subject, or one of the server's own.
        TooLarge: The message has more bytes than the server takes.
        BrokerError: It was not published, or a stream refused it.
    """
    if subjects.tokens(subject)[0].startswith(("$", "_")):
        raise BadSubject(f"{subject!r} belongs to the server itself")
    payload = message.encode() if isinstance(message, str) else msgspec.json.encode(message)
    return link().publish_stored(subject, payload)


def publish_test(*, subject: str, message: object, actor: str) -> bool:
    """
    Publish one message for an operator, and write down that they did. See `publish`.

    The message itself is not written down: it may hold anything.
    """
    stored = publish(subject=subject, message=message)
    detail = "stored" if stored else "no stream stores it"
    audit.note(actor=actor, action="publish", kind="stream", name=subject, detail=detail)
    return stored

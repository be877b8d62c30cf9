"""Publishes one message for somebody."""

from __future__ import annotations

import msgspec

from streams.core import subjects
from streams.core.errors import BadSubject
from streams.services.linked import link


def publish(*, subject: str, message: object) -> None:
    """
    Publish a text as it is, or any other JSON value as JSON.

    Raises:
        BadSubject: `subject` is no concrete subject, or one of the server's own.
        TooLarge: The message has more bytes than the server takes.
        BrokerError: It was not published, or a stream refused it.
    """
    if subjects.tokens(subject)[0].startswith(("$", "_")):
        raise BadSubject(f"{subject!r} belongs to the server itself")
    payload = message.encode() if isinstance(message, str) else msgspec.json.encode(message)
    link().publish_stored(subject, payload)

"""
What can go wrong between a browser and the hub.

* RealtimeError
    * Refused        permanent; a client's command cannot be carried out
    * Undecodable    permanent; a payload has no form that a browser reads
    * Overrun        permanent; a client does not read what it asked for
"""

from __future__ import annotations

from typing import ClassVar


class RealtimeError(Exception):
    """Base class. `permanent` says whether trying again can help."""

    permanent: ClassVar[bool] = True


class Refused(RealtimeError):
    """
    A command that is answered with an error.

    Args:
        code: `bad_topic`, `bad_message`, `forbidden` or `too_many`.
        message: A sentence for the client's developer.
        command_id: What the client called its command, when it could be read.
        topic: The topic that was the reason.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        command_id: int | str | None = None,
        topic: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.command_id = command_id
        self.topic = topic


class Undecodable(RealtimeError):
    """The payload is neither the message that its subject promises nor UTF-8 text."""


class Overrun(RealtimeError):
    """The client reads too slowly, or not at all. The text is the reason it is told."""

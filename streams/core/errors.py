"""
What can go wrong with subjects, streams and the broker.

* StreamsError
    * BadSubject        permanent; a subject or pattern breaks the grammar
    * BadDefinition     permanent; a stream cannot be as declared
    * TooLarge          permanent; more bytes than the server takes
    * Conflict          permanent; it does not go with what is there
    * PlanChanged       permanent; what was planned is no longer what would be done
    * Guarded           permanent; a policy forbids it
    * Unconfirmed       permanent; the name was not typed, or typed wrongly
    * BadBackup         permanent; a file of a backup is missing, damaged or no backup
    * BrokerError       the broker
        * BrokerAway    not reachable now; trying again helps
        * ApiRefused    JetStream answered with an error
        * ConsumerGone  permanent; the consumer, or its stream, is not there (any more)
        * WrongClient   permanent; another distribution has overwritten the NATS client
"""

from __future__ import annotations

from typing import ClassVar


class StreamsError(Exception):
    """Base class. `permanent` says whether trying again can help."""

    permanent: ClassVar[bool] = False


class BadSubject(StreamsError):
    """A subject, token or pattern breaks the grammar."""

    permanent = True


class BadDefinition(StreamsError):
    """A stream cannot be as it is declared."""

    permanent = True

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


class TooLarge(StreamsError):
    """A message has more bytes than the server takes."""

    permanent = True

    def __init__(self, subject: str, size: int, limit: int) -> None:
        super().__init__(f"{subject}: {size} bytes where the server takes {limit}")


class Guarded(StreamsError):
    """The policy of a stream or consumer forbids what was asked."""

    permanent = True


class Unconfirmed(StreamsError):
    """What was typed to confirm a loss is not the name of what would be lost."""

    permanent = True
    field: ClassVar[str] = "typed_name"

    def __init__(self, name: str) -> None:
        super().__init__(f"type {name!r} exactly to confirm")


class BadBackup(StreamsError):
    """The file of a backup is missing, damaged, or no backup."""

    permanent = True


class Conflict(StreamsError):
    """What is asked for does not go with what is there."""

    permanent = True


class PlanChanged(StreamsError):
    """A plan is no longer what would be done: something changed since it was made."""

    permanent = True


class BrokerError(StreamsError):
    """The broker did not do what was asked."""


class BrokerAway(BrokerError):
    """The broker cannot be reached, or did not answer in time."""


class ApiRefused(BrokerError):
    """JetStream answered with an error. `code` is its `err_code`, for example 10059."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code
        self.description = description


class ConsumerGone(BrokerError):
    """A consumer, or its stream, is not there: never made, or deleted meanwhile."""

    permanent = True


class WrongClient(BrokerError):
    """The NATS client was overwritten by another distribution. The text says what to do."""

    permanent = True

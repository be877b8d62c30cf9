"""
Looks at the messages of a stream without touching it.

No consumer is ever made: a work queue keeps its messages, and nobody's position moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Row:
    """
    One stored message.

    Attributes:
        size: Bytes of the payload.
        kind: protobuf, json, text, hex or empty: how `shown` came about.
        shown: For protobuf and json what was decoded, else text; cut when `truncated`.
    """

    seq: int
    subject: str
    at: datetime
    size: int
    headers: dict[str, list[str]]
    kind: str
    shown: Any
    truncated: bool = False


@dataclass(frozen=True)
class Page:
    """
    Some messages of one stream, in the order that was asked for.

    Attributes:
        first_seq: Of the stream as it was then; `last_seq` and `messages` likewise.
        next_seq: Where to go on in the same direction; None when there is nothing beyond.
        complete: False when looking was given up because so much had to be stepped over: fewer
            rows than asked for, and more may come from `next_seq`.
    """

    stream: str
    rows: tuple[Row, ...]
    first_seq: int
    last_seq: int
    messages: int
    next_seq: int | None
    complete: bool = True


def messages(  # noqa: PLR0913  each narrows it in its own way
    *,
    stream: str,
    start_seq: int | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    backwards: bool = False,
) -> Page:
    """
    Return one page of messages. Work per page is bounded.

    Args:
        start_seq: The first one to look at, itself included. Without it and `since`: the oldest,
            or with `backwards` the newest.
        subject: Only these; may hold wildcards.
        since: Forwards: from this time on. Backwards: from the last one before it.

    Raises:
        BadDefinition: `limit`, `start_seq` or both of `start_seq` and `since`; names the field.
        BadSubject: `subject` is no pattern.
        BrokerAway, ApiRefused: See `Link.api`; code 10059 where there is no such stream.
    """
    raise NotImplementedError


def message(*, stream: str, seq: int) -> Row:
    """
    Return one message.

    Raises:
        ApiRefused: Code 10037: there is none of this number, or no longer.
        BrokerAway: See `Link.api`.
    """
    raise NotImplementedError


def latest(*, stream: str, subjects: Sequence[str], limit: int = 50) -> Page:
    """
    Return the last message of each subject that one of the patterns matches, oldest first.

    Raises:
        BadDefinition: The stream allows no direct gets, or too many subjects match.
        BadSubject, BrokerAway, ApiRefused: See `messages`.
    """
    raise NotImplementedError


def subject_counts(*, stream: str, pattern: str = ">", limit: int = 1000) -> list[tuple[str, int]]:
    """
    Return which subjects the stream holds, and how many messages of each; at most `limit`.

    Raises:
        BadSubject, BrokerAway, ApiRefused: See `messages`.
    """
    raise NotImplementedError

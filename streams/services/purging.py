"""
Takes things away for good: messages, consumers, streams.

Each needs the policy "manage" and the typed name; what would lose messages is backed up first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from streams.models import Backup


@dataclass(frozen=True)
class Purged:
    """What is gone. `before` and `after` count messages; `backup` holds what was there."""

    removed: int
    before: int
    after: int
    backup: Backup | None = None


def would_remove(
    *,
    stream: str,
    subject: str | None = None,
    keep: int | None = None,
    up_to_seq: int | None = None,
) -> int:
    """
    Return how many messages such a purge would remove now. Nothing is changed.

    Raises:
        As `purge`, but for `Unconfirmed` and `Guarded`.
    """
    raise NotImplementedError


def purge(  # noqa: PLR0913  each narrows it in its own way
    *,
    stream: str,
    typed_name: str,
    actor: str,
    now: datetime,
    subject: str | None = None,
    keep: int | None = None,
    up_to_seq: int | None = None,
    skip_backup: bool = False,
) -> Purged:
    """
    Remove messages: all, those of a subject, all but the last `keep`, or those up to a sequence.

    Args:
        keep: How many of the newest stay.
        up_to_seq: The last one that goes; not together with `keep`.
        skip_backup: Without one, what goes is gone. An empty stream needs none.

    Raises:
        Unconfirmed: `typed_name` is not the stream's.
        Guarded: The stream is not declared, or its policy is not "manage".
        BadDefinition: `keep` or `up_to_seq`; names the field.
        BadSubject: `subject` is no pattern.
        BadBackup: The backup failed; nothing was removed.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    raise NotImplementedError


def delete_message(  # noqa: PLR0913
    *, stream: str, seq: int, typed_name: str, actor: str, now: datetime, erase: bool = False
) -> None:
    """
    Remove one message; `typed_name` is the stream's.

    Args:
        erase: Overwrite it on the disk too: slower.

    Raises:
        As `purge`; ApiRefused with code 10057 or 10043 where there is none of this number.
    """
    raise NotImplementedError


def delete_consumer(
    *, stream: str, consumer: str, typed_name: str, actor: str, now: datetime
) -> None:
    """
    Delete a consumer in NATS and thus its position; `typed_name` is the consumer's.

    Its row stays, as "missing".

    Raises:
        As `purge`; the consumer's policy counts, and the stream's.
    """
    raise NotImplementedError


def delete_stream(
    *, stream: str, typed_name: str, actor: str, now: datetime, skip_backup: bool = False
) -> Purged:
    """
    Delete a stream in NATS with its messages and consumers. Its row stays, as "missing".

    Raises:
        As `purge`.
    """
    raise NotImplementedError

"""Writes streams to files, with their consumers, and brings them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from streams.models import Backup

# Told bytes so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Restored:
    """What JetStream said of the stream that came back."""

    stream: str
    messages: int
    bytes: int
    consumers: int


def folder() -> Path:
    return Path(settings.HOME) / "backups"


def path(backup: Backup) -> Path:
    """Return where the file of a complete backup is."""
    return folder() / backup.file


def backup(
    *, stream: str, actor: str, reason: str, now: datetime, progress: Progress | None = None
) -> Backup:
    """
    Write a stream and its consumers to a file; return its row, which is "done".

    It may be of any policy: a backup only reads. Memory is bounded, and time is not: only silence
    ends it.

    Raises:
        BadBackup: It failed half-way, or the disk is full; the row says why and no file is left.
        BrokerAway, ApiRefused: NATS cannot be asked, or there is no such stream. No row is left.
    """
    raise NotImplementedError


def verify(*, backup: Backup) -> None:
    """
    Return when the file is what was written.

    Raises:
        BadBackup: It is missing, or another.
    """
    raise NotImplementedError


def restore(  # noqa: PLR0913
    *,
    backup: Backup,
    actor: str,
    now: datetime,
    as_name: str | None = None,
    subjects: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Restored:
    """
    Bring a stream back, under its own name or another.

    Args:
        as_name: Another name. Such a copy takes no new messages but on `subjects` (without them, on
            its own name), and has neither mirror nor sources.

    Raises:
        BadBackup: The file is missing or damaged, or JetStream refused it half-way; whatever of the
            stream was there by then has been deleted.
        BadDefinition: `as_name` is no name; or a stream of this name exists.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    raise NotImplementedError


def remove(*, backup: Backup, actor: str) -> None:
    """Delete a backup: its file and its row."""
    raise NotImplementedError


def prune(*, now: datetime) -> int:
    """
    Delete old backups; return how many.

    Per stream `BACKUPS_KEPT` stay, none older than `BACKUP_RETENTION_DAYS`, but the newest complete
    one stays for ever. What was being written when its process died becomes "failed".
    """
    raise NotImplementedError

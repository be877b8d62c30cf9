"""Writes streams to files, with their consumers, and brings them back."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _
from nats.aio.client import Client

from streams.broker import snapshots
from streams.core import snapshot
from streams.core import subjects as grammar
from streams.core.errors import ApiRefused, BadBackup, BadDefinition, BrokerAway, BrokerError
from streams.core.names import check_name
from streams.models import Backup, Policy, Stream
from streams.services import audit, declaring, guarding
from streams.services.linked import link
from streams.services.live import live_consumers

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

# Told bytes so far.
Progress = Callable[[int], None]

NO_STREAM = 10059
# What must stay free on the disk beside the backup.
SPARE_BYTES = 64 * 1024 * 1024
# Silence ends a backup in seconds: one whose file was not written for so long has no process.
DEAD_AFTER = timedelta(minutes=10)
PART = ".part"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


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
    return folder() / Path(backup.file).name


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
    check_name(stream)
    told = link().api(f"STREAM.INFO.{stream}")
    push = _push_consumers(stream)
    row = Backup.objects.create(stream=stream, at=now, actor=actor[:150], reason=reason[:200])
    row.file = f"{_UNSAFE.sub('_', stream)[:100]}-{now:%Y%m%dT%H%M%SZ}-{row.pk}.tar"
    row.save(update_fields=["file"])
    part = path(row).with_name(row.file + PART)
    try:
        _make_room(told["state"]["bytes"])
        writer = _write(stream, part, push, now, progress)
        row.size, row.sha256 = part.stat().st_size, _digest(part)
        part.rename(path(row))
    except BaseException as e:
        with suppress(OSError):  # Then it is not this that went wrong.
            part.unlink(missing_ok=True)
        _failed(row, str(e) or type(e).__name__)
        if isinstance(e, BrokerError | OSError | BadBackup):
            raise BadBackup(_("no backup of %s: ") % stream + (str(e) or type(e).__name__)) from e
        raise
    assert writer.manifest is not None
    row.messages, row.config = writer.manifest.messages, writer.manifest.config
    row.state = Backup.State.DONE
    row.save(update_fields=["size", "sha256", "messages", "config", "state"])
    audit.note(
        actor=actor, action="backup", kind="stream", name=stream, after=_told(row), detail=reason
    )
    return row


def verify(*, backup: Backup) -> None:
    """
    Return when the file is what was written.

    Raises:
        BadBackup: It is missing, or another.
    """
    if backup.state != Backup.State.DONE:
        raise BadBackup(_("this backup is not complete"))
    try:
        size = path(backup).stat().st_size
        sha256 = _digest(path(backup))
    except OSError as e:
        raise BadBackup(_("the file of the backup cannot be read: ") + str(e.strerror)) from e
    if (size, sha256) != (backup.size, backup.sha256):
        raise BadBackup(_("the file is damaged: its SHA-256 is not the one that was written down"))


def restore(  # noqa: PLR0913
    *,
    backup: Backup,
    actor: str,
    now: datetime,
    as_name: str | None = None,
    subjects: Sequence[str] | None = None,
    replicas: int | None = None,
    progress: Progress | None = None,
) -> Restored:
    """
    Bring a stream back, under its own name or another.

    Args:
        as_name: Another name. Such a copy takes no new messages but on `subjects` (without them, on
            its own name), and has neither mirror nor sources.
        replicas: Another number of copies, for example 1 on a single server.

    Raises:
        BadBackup: The file is missing or damaged, or JetStream refused it half-way; whatever of the
            stream was there by then has been deleted.
        BadDefinition: `as_name` is no name, or is that of a stream; or the copy would deliver.
        Guarded: The stream's policy is "observe".
        BrokerAway, ApiRefused: See `Link.api`. Nothing was done.
    """
    name = check_name(as_name or backup.stream, "as_name")
    patterns = [grammar.check_pattern(subject) for subject in subjects or ()]
    if Stream.objects.filter(name=name, policy=Policy.OBSERVE).exists():
        guarding.stream_for(name, guarding.TO_CHANGE)
    _refuse_existing(name)
    verify(backup=backup)
    with path(backup).open("rb") as file:
        layout = snapshot.read(file.read(snapshot.HEAD), backup.size)
        if name != backup.stream and layout.manifest.push_consumers:
            raise BadDefinition(
                "as_name",
                _("a copy would deliver the messages again: the backup has push consumers, %s")
                % ", ".join(layout.manifest.push_consumers),
            )
        config = snapshot.for_restore(
            layout.manifest.config, name=name, subjects=patterns, replicas=replicas
        )
        info = _bring(config, layout, file, progress)
    restored = Restored(
        name, info["state"]["messages"], info["state"]["bytes"], info["state"]["consumer_count"]
    )
    audit.note(
        actor=actor,
        action="restore",
        kind="stream",
        name=name,
        after={**_told(backup), "messages": restored.messages},
        detail=f"{backup.stream}, {backup.at:%Y-%m-%d %H:%M:%S}",
    )
    try:
        declaring.look_again(stream=name, now=now)
    except BrokerError as e:
        # It is back; `keep_streams` writes it down within a minute.
        logger.warning("stream %s was restored, and could not be looked at: %s", name, e)
    return restored


def remove(*, backup: Backup, actor: str) -> None:
    """
    Delete a backup: its file and its row.

    Raises:
        BadBackup: It is being written.
    """
    if backup.state == Backup.State.RUNNING:
        raise BadBackup(_("this backup is being written"))
    _unlink(backup)
    audit.note(
        actor=actor, action="delete_backup", kind="stream", name=backup.stream, before=_told(backup)
    )
    backup.delete()


def prune(*, now: datetime) -> int:
    """
    Delete old backups; return how many.

    Per stream `BACKUPS_KEPT` stay, none older than `BACKUP_RETENTION_DAYS`, but the newest complete
    one stays for ever. What was being written when its process died becomes "failed".
    """
    for row in Backup.objects.filter(state=Backup.State.RUNNING, at__lt=now - DEAD_AFTER):
        if _written_at(row) < (now - DEAD_AFTER).timestamp():
            _unlink(row)
            _failed(row, _("its process ended half-way"))
    oldest = now - timedelta(days=settings.BACKUP_RETENTION_DAYS)
    deleted = 0
    for stream in Backup.objects.order_by().values_list("stream", flat=True).distinct():
        done = Backup.objects.filter(stream=stream, state=Backup.State.DONE)
        failed = Backup.objects.filter(stream=stream, state=Backup.State.FAILED, at__lt=oldest)
        for number, row in enumerate([*done]):
            if number and (number >= settings.BACKUPS_KEPT or row.at < oldest):
                _unlink(row)
                row.delete()
                deleted += 1
        deleted += failed.delete()[0]
    return deleted


def _push_consumers(stream: str) -> list[str]:
    """Return the names of those that deliver by themselves."""
    return [i["name"] for i in live_consumers(stream) if i["config"].get("deliver_subject")]


class _Writer:
    """Writes the parts of a snapshot into a file as they come. Lives in the link's threads."""

    def __init__(self, file: BinaryIO, push: list[str], at_s: int, progress: Progress) -> None:
        self._file = file
        self._push = push
        self._at_s = at_s
        self._progress = progress
        self.manifest: snapshot.Manifest | None = None
        self.size = 0

    def begin(self, config: JsonObject, state: JsonObject) -> None:
        self.manifest = snapshot.Manifest(config, state, self._push)
        self._file.write(snapshot.opening(self.manifest, 0, self._at_s))

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.size += len(chunk)
        self._progress(self.size)

    def end(self) -> None:
        assert self.manifest is not None
        self._file.write(snapshot.closing(self.size))
        self._file.seek(0)
        self._file.write(snapshot.opening(self.manifest, self.size, self._at_s))
        self._file.flush()
        os.fsync(self._file.fileno())


def _write(
    stream: str, part: Path, push: list[str], now: datetime, progress: Progress | None
) -> _Writer:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    with open(part, "xb", opener=opener) as file:  # Path.open takes no opener.
        writer = _Writer(file, push, int(now.timestamp()), progress or _silent)

        async def take(client: Client) -> None:
            await snapshots.take(client, stream, begin=writer.begin, write=writer.write)

        link().run(take, within_s=None)
        writer.end()
    return writer


def _bring(
    config: JsonObject, layout: snapshot.Layout, file: BinaryIO, progress: Progress | None
) -> JsonObject:
    begun: list[bool] = []
    chunks = _chunks(file, layout, progress or _silent)

    async def bring(client: Client) -> JsonObject:
        return await snapshots.bring(
            client, config, layout.manifest.state, chunks, begun=lambda: begun.append(True)
        )

    try:
        return link().run(bring, within_s=None)
    except (BadBackup, BrokerError, OSError) as e:
        if not begun:
            raise
        left = _take_back(config["name"])
        raise BadBackup(_("%s was not restored: ") % config["name"] + str(e) + left) from e


def _take_back(name: str) -> str:
    """Delete what a restore has left; return what must be said where that fails."""
    try:
        link().api(f"STREAM.DELETE.{name}")
    except ApiRefused as e:
        if e.code == NO_STREAM:
            return ""
        return _("; delete what is there of it: ") + str(e)
    except BrokerAway:
        return _("; NATS is away: when it is back, delete what is there of it")
    return ""


def _chunks(file: BinaryIO, layout: snapshot.Layout, progress: Progress) -> Iterator[bytes]:
    file.seek(layout.offset)
    left = layout.size
    most = min(snapshots.CHUNK, link().max_payload)
    while left and (chunk := file.read(min(most, left))):
        yield chunk
        left -= len(chunk)
        progress(layout.size - left)


def _refuse_existing(name: str) -> None:
    try:
        link().api(f"STREAM.INFO.{name}")
    except ApiRefused as e:
        if e.code != NO_STREAM:
            raise
        return
    raise BadDefinition(
        "as_name", _("there is a stream %s: delete it first, or give another name") % name
    )


def _make_room(size: int) -> None:
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(folder()).free
    if free < size + SPARE_BYTES:
        raise BadBackup(
            _("the disk has %(free)d bytes free; %(needed)d are needed")
            % {"free": free, "needed": size + SPARE_BYTES}
        )


def _failed(row: Backup, reason: str) -> None:
    row.state, row.last_error = Backup.State.FAILED, reason[:200]
    row.save(update_fields=["state", "last_error"])
    logger.warning("backup of stream %s failed: %s", row.stream, reason)


def _written_at(row: Backup) -> float:
    try:
        return path(row).with_name(row.file + PART).stat().st_mtime
    except OSError:
        return 0.0


def _unlink(row: Backup) -> None:
    if row.file:
        for name in (row.file, row.file + PART):
            with suppress(FileNotFoundError):
                path(row).with_name(name).unlink()


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _told(row: Backup) -> JsonObject:
    return {
        "file": row.file, "size": row.size, "messages": row.messages, "sha256": row.sha256,
    }  # fmt: skip


def _silent(_size: int) -> None:
    """Nobody watches."""

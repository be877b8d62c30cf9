"""The files of one server, held by one process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

import msgspec

from streams.core.serverconf import NodeConfiguration, render


class AlreadySupervised(Exception):
    """Another process keeps the server of this folder; one sentence that names the folder."""


class Folder:
    """
    For the configuration, readable by its owner only, and what belongs to it.

    Attributes:
        conf: What the server reads.
        draft: What is tried.
        said: What the server says before its log file is open, and when it panics.

    Raises:
        AlreadySupervised: Another process holds it.
        OSError: It cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.conf = path / "nats.conf"
        self.draft = path / "nats.conf.draft"
        self.said = path / "nats.err"
        # What the server was given last, for the next supervisor.
        self._memory = path / "nats.last.json"
        self._lock = held(path)
        for file in (self.conf, self.draft, self._memory, self.said):
            check_file(file)

    def close(self) -> None:
        """Let another process hold it."""
        self._lock.close()

    def place(self, c: NodeConfiguration, text: str | None = None) -> None:
        """Put this in the place of what the server reads, and remember it."""
        write_private(self.draft, render(c) if text is None else text)
        self.draft.replace(self.conf)
        memory = self._memory.with_suffix(".draft")
        write_private(memory, msgspec.json.encode(c).decode())
        memory.replace(self._memory)

    def text(self) -> str | None:
        """Return what the server reads; None when there is no such file, or no text."""
        try:
            return self.conf.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def kept(self) -> NodeConfiguration | None:
        """Return what was placed last, by us or by an earlier supervisor."""
        try:
            return msgspec.json.decode(self._memory.read_bytes(), type=NodeConfiguration)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def pid(self) -> int | None:
        """Return what the server, or the last one, wrote of itself."""
        try:
            return int((self.path / "nats.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None


def held(folder: Path) -> TextIO:
    """
    Return a lock on the folder that ends with this process, or when it is closed.

    Raises:
        AlreadySupervised: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (folder / "supervisor.lock").open("a", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        lock.close()
        raise AlreadySupervised(f"another process keeps the nats-server of {folder}.") from e
    return lock


def check_file(path: Path) -> None:
    """
    Raises:
        OSError: There is such a path, and it is no file that we may write; it is named.
    """
    if path.exists():
        path.open("ab").close()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)

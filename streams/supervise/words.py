"""What a server says: in its log, and where it has none."""

from __future__ import annotations

import os
import re
from pathlib import Path

from streams.core.serverconf import NodeConfiguration
from streams.supervise.folder import Folder

TAIL_BYTES = 8192
REASON_LENGTH = 400

_LOGGED = re.compile(r"\[(?:ERR|FTL)\] (.*)")
_HASH = re.compile(r"\$2[abxy]\$[^\s\"']+")


class Words:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def length(self, c: NodeConfiguration) -> int:
        """Return how long the log is, in bytes."""
        try:
            return Path(c.log_file).stat().st_size if c.log_file else 0
        except OSError:
            return 0

    def last_error(self, c: NodeConfiguration, offset: int) -> str:
        """Return the last error that the server has logged since its log was so long."""
        said = _tail(self._folder.said, 0)
        logged = _LOGGED.findall(said + _tail(Path(c.log_file), offset) if c.log_file else said)
        if logged:
            return self.told(logged[-1])
        return self.told(said)

    def told(self, text: str) -> str:
        """Return the server's words as one line that shows neither our folder nor a hash."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        line = "; ".join(lines[-3:]).removeprefix("nats-server: ")
        line = line.replace(str(self._folder.draft), "nats.conf")
        line = line.replace(str(self._folder.path), "…")
        return _HASH.sub("…", line)[:REASON_LENGTH]


def _tail(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # Shorter than it was: it has been rotated.
            begin = offset if offset <= size else 0
            file.seek(max(begin, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return ""

"""Celery's file broker, made safe for two processes: a message appears whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path
from time import monotonic
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """
    Writes a message beside its queue and renames it in.

    kombu 5.7 opens the final name first and writes then: a worker that lists the folder in
    between reads an empty file, fails to parse it, and stops.
    """

    # kombu's own two classes disagree about the second argument's name.
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        unique = uuid.uuid4().hex
        draft = folder / f"draft-{unique}"  # No queue's name: `_get` passes it by.
        draft.write_text(dumps(payload), encoding="utf-8")
        draft.rename(folder / f"{round(monotonic() * 1000):015d}_{unique}.{queue}.msg")


class Transport(filesystem.Transport):
    Channel = Channel

"""The worker process as its manager holds it: orders go in, what it says comes out."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

import msgspec

from pipeline.core.spec import SourceSpec
from pipeline.core.status import WorkerSettings, WorkerStatus

logger = logging.getLogger(__name__)

# Beyond its own draining: interpreter start and end.
PATIENCE_S = 3.0

_status = msgspec.json.Decoder(WorkerStatus)


class Ended(msgspec.Struct, frozen=True):
    """The worker is gone. A negative code is the signal that ended it."""

    returncode: int


class Stop(msgspec.Struct, frozen=True):
    """Somebody asked the manager to end."""


Event: TypeAlias = WorkerStatus | Ended | Stop


class WorkerProcess:
    """
    One `python -m pipeline.worker`. Whatever happens to it arrives in `events`.

    Nothing here waits for the worker, not even when it hangs: one thread reads, one writes.
    """

    def __init__(self, settings: WorkerSettings, events: SimpleQueue[Event], folder: Path) -> None:
        """
        Args:
            folder: Where the package `pipeline` is.
        """
        self._drain_s = settings.drain_s
        self._events = events
        self._orders: SimpleQueue[bytes | None] = SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
        )
        self._orders.put(msgspec.json.encode(settings))
        self._threads = [
            threading.Thread(target=work, name=f"worker-{work.__name__}", daemon=True)
            for work in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, specs: list[SourceSpec]) -> None:
        self._orders.put(msgspec.json.encode(specs))

    def stop(self) -> None:
        """Let it store what it took in, then end it."""
        self._orders.put(None)
        try:
            self._process.wait(self._drain_s + PATIENCE_S)
        except subprocess.TimeoutExpired:
            logger.error("the worker did not end in time and was killed")
            self.kill()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                try:
                    self._events.put(_status.decode(line))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    logger.warning("the worker said something that is no status")
        self._orders.put(None)
        self._events.put(Ended(self._process.wait()))

    def _write(self) -> None:
        assert self._process.stdin is not None
        try:
            with self._process.stdin as orders:
                while (line := self._orders.get()) is not None:
                    orders.write(line + b"\n")
                    orders.flush()
        except BrokenPipeError:
            pass  # It is gone; `_read` says so.

"""One child process: started, watched, started again with back-off, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streams.supervise import end_with_parent

logger = logging.getLogger(__name__)

BACKOFF_S = (0.2, 0.5, 1, 2, 5, 10)
STEADY_S = 30.0
STOP_S = 8.0
LOOK_S = 0.1
LOG_BYTES = 10 * 1024 * 1024


@dataclass
class Child:
    """
    A program that must always be running.

    Attributes:
        name: Names its log file, too.
        log_bytes: A log longer than this becomes NAME.log.1, and another one begins.
        restarts: How often it had to be started again.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_folder: Path
    log_bytes: int = LOG_BYTES
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = None
    _stopping: bool = field(default=False, init=False)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self) -> None:
        """
        Raises:
            OSError: The program or its log file cannot be opened.
        """
        self._stopping = False
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command lines
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal reaches the parent alone; it stops the rest in order.
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it takes no lock another thread may hold
            )

    async def keep(self) -> None:
        """Start the program again whenever it ends, until `stop`."""
        failures = 0
        while not self.is_stopping():
            assert self.process is not None
            began = time.monotonic()
            # Looked at, not waited for: a waiting thread per child would use up the loop's pool.
            while (code := self.process.poll()) is None:
                await asyncio.sleep(LOOK_S)
                self._shorten_log()
            if self.is_stopping():
                return
            failures = 0 if time.monotonic() - began > STEADY_S else failures + 1
            delay_s = _delay_s(failures)
            logger.warning("%s ended with %s; starting it again in %s s", self.name, code, delay_s)
            await asyncio.sleep(delay_s)
            while not self.is_stopping() and not self._starts_again():
                failures += 1
                await asyncio.sleep(_delay_s(failures))

    def is_stopping(self) -> bool:
        return self._stopping

    @property
    def _log(self) -> Path:
        return self.log_folder / f"{self.name}.log"

    def _shorten_log(self) -> None:
        """Begin the log anew when it is long. The program keeps its file open, and appends."""
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size <= self.log_bytes:
                return
            try:
                shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
            except OSError as e:
                # Dropped all the same: a full disk needs nothing more than that.
                logger.warning("%s: its log is dropped, not kept: %s", self.name, e)
            os.truncate(self._log, 0)

    def _starts_again(self) -> bool:
        try:
            self.start()
        except OSError as e:
            # A full disk or too many processes: it passes, and nobody else would try again.
            logger.error("%s cannot be started: %s", self.name, e)
            return False
        self.restarts += 1
        return True

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """Ask the program and its own children to end."""
        self._stopping = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sig)

    def kill_group(self) -> None:
        """End whatever of its process group is left."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return

    async def ended(self, within_s: float = STOP_S) -> None:
        """Wait for the end; then make sure of it."""
        if self.process is None:
            return
        try:
            async with asyncio.timeout(within_s):
                while self.process.poll() is None:  # noqa: ASYNC110 - a process has no event
                    await asyncio.sleep(0.02)
            logger.info("%s ended", self.name)
        except TimeoutError:
            logger.warning("%s did not end in %s s; killed", self.name, within_s)
        self.kill_group()
        self.process.wait()

    def last_lines(self, count: int = 5) -> str:
        try:
            text = self._log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-count:])


def _delay_s(failures: int) -> float:
    return BACKOFF_S[min(failures, len(BACKOFF_S) - 1)] if failures > 1 else 0.0

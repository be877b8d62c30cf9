"""One nats-server as a process: started by us, or by an earlier supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

STOP_S = 8.0
LOOK_S = 0.02

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent() -> None:
    """Run in the child: ask the kernel for SIGTERM when the parent dies, in whatever way."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """
    Attributes:
        pid: Of the one that runs, or has ended and is not forgotten yet.
    """

    def __init__(self, program: str, environment: Mapping[str, str], *, ends_with_us: bool) -> None:
        """
        Args:
            ends_with_us: See `Supervisor`.
        """
        self.pid: int | None = None
        self._program = program
        self._environment = environment
        self._ends_with_us = ends_with_us
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, conf: Path, said: Path) -> int:
        """
        Return the number of a new one.

        Args:
            said: What it writes to its output goes there.

        Raises:
            OSError: It cannot be started.
        """
        with said.open("wb") as output:
            self._child = subprocess.Popen(  # noqa: S603  our own program and path
                [self._program, "-c", str(conf)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal reaches us alone; we stop it.
                start_new_session=True,
                preexec_fn=end_with_parent if self._ends_with_us else None,  # noqa: PLW1509  takes no lock
            )
        self.pid = self._child.pid
        return self.pid

    def adopt(self, pid: int) -> None:
        self.pid = pid

    def forget(self) -> None:
        self.pid = self._child = None

    def is_alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self.pid is not None and exists(self.pid)

    def signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self) -> None:
        """End it; return when it has ended."""
        if not self.is_alive():
            return
        self.signal(signal.SIGTERM)
        if not self._ends_within(STOP_S):
            logger.warning("nats-server %s did not end in %g s; killed", self.pid, STOP_S)
            self.signal(signal.SIGKILL)
            self._ends_within(STOP_S)
        self.forget()

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
        return True


def exists(pid: int) -> bool:
    """Return whether there is such a process."""
    # One that we started and another of us adopted is a zombie until somebody asks for its end.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

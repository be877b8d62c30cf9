"""What all servers share: a process that answers before it is used and ends with the tests."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

STOP_S = 10.0
POLL_S = 0.05
LOG_TAIL = 4000

# Below Linux's ephemeral range (32768): a port that a killed server leaves for a moment must not be
# taken by somebody's outgoing connection before the server is back.
PORTS = range(18000, 32000)

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ServerMissing(Exception):
    """This machine has no such server. The text says why, without a closing full stop."""


class ServerFailed(Exception):
    """The server is installed and did not start, or did not stop. Holds the end of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    dice = random.SystemRandom()
    while True:
        port = dice.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As the servers do: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Return whether somebody accepts connections on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def go_on(seconds: float) -> None:
    """Let something go on for a while: for what lasts, never for what is waited for."""
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))


def wait_until(condition: Callable[[], object], within_s: float, what: str) -> None:
    """
    Return as soon as `condition()` is true.

    Raises:
        TimeoutError: It was not within `within_s`; the text is `what`.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(POLL_S)


def spawn(  # noqa: PLR0913
    command: list[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: Path | None = None,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which gets `death_signal` when this one dies."""

    def end_with_parent() -> None:
        # Runs between fork and exec.
        if _libc:
            _libc.prctl(PR_SET_PDEATHSIG, death_signal)

    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            user=user,
            extra_groups=[] if user else None,
            cwd=cwd,
            start_new_session=True,
            # No thread of ours holds a lock that prctl needs.
            preexec_fn=end_with_parent,  # noqa: PLW1509
        )


class Server:
    """
    One server process. `start` after `stop` or `kill` finds the same ports and data again.

    Subclasses say which command, and when the server answers.
    """

    name = "server"
    start_s = 20.0
    stop_s = STOP_S
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: An empty directory for data and log; the caller removes it.
        """
        self.folder = folder
        self.log = folder / "server.log"
        self.cwd = folder
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        """
        Return the command line.

        Raises:
            ServerMissing: It is not installed.
        """
        raise NotImplementedError

    def answers(self) -> bool:
        """Return whether a client can use the server now."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def user(self) -> str | None:
        """Return who runs the server, when it refuses to be run by us."""
        return None

    def start(self) -> None:
        """
        Return when the server answers.

        Raises:
            ServerMissing: It is not installed.
            ServerFailed: It ended, or did not answer in time.
        """
        self.process = spawn(
            self.command(),
            log=self.log,
            env=self.environment(),
            user=self.user(),
            cwd=self.cwd,
            death_signal=self.death_signal,
        )
        atexit.register(self.kill)
        try:
            wait_until(self._ended_or_answers, self.start_s, "an answer")
        except TimeoutError as e:
            self.kill()
            raise self.failed(str(e)) from e
        if not self.running:
            raise self.failed(f"ended with code {self.process.returncode}")

    def _ended_or_answers(self) -> bool:
        return not self.running or self.answers()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process, f"{self.name} was not started"
        return self.process.pid

    def stop(self) -> None:
        """Ask the server to end, and make it end after `stop_s`."""
        if self.process and self.running:
            self.process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.stop_s)
        self.kill()

    def kill(self) -> None:
        """End the server and its children with SIGKILL, as a crash would."""
        atexit.unregister(self.kill)
        if self.process is None:
            return
        # The group outlives its leader: children that it left behind are ours as well.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def failed(self, why: str) -> ServerFailed:
        tail = self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""
        return ServerFailed(f"{self.name}: {why}\n--- end of {self.log} ---\n{tail}")

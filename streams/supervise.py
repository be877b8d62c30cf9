"""
Keeps one nats-server running, as its node wants it.

A configuration is tried by the server itself before it replaces the one that runs. What a running
server can take is loaded into it; what needs a restart waits until somebody asks for one.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import msgspec

from streams.broker import server, system
from streams.core import reloading
from streams.core.errors import ApiRefused, BrokerAway
from streams.core.serverconf import ACCOUNT, SYSTEM_USER, NodeConfiguration, Tls, render

logger = logging.getLogger(__name__)

BACKOFF_S = (0.0, 0.2, 0.5, 1, 2, 5, 10)
STEADY_S = 30.0
# So often in a row it ends soon after its start, and is said to have failed.
FAILED_AFTER = 3
CHECK_S = 10.0
LOADED_S = 3.0
STOP_S = 8.0
LOOK_S = 0.02
# The server closes its clients one after another for as long as it was told, then ends.
LAME_DUCK_EXTRA_S = 10.0
TAIL_BYTES = 8192
REASON_LENGTH = 400

_DIGEST = re.compile(r"is valid \((sha256:[0-9a-f]+)\)")
_LOGGED = re.compile(r"\[(?:ERR|FTL)\] (.*)")
_HASH = re.compile(r"\$2[abxy]\$[^\s\"']+")

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent() -> None:
    """Run in the child: ask the kernel for SIGTERM when the parent dies, in whatever way."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class AlreadySupervised(Exception):
    """Another process keeps the server of this folder; one sentence that names the folder."""


class ConfigurationRefused(Exception):
    """nats-server does not take this configuration; the text is its own reason."""


class Standing(msgspec.Struct, frozen=True):
    """
    How the server is now.

    Attributes:
        state: One of `streams.models.Node.State`.
        digest, wanted_digest: The server's own, of what it runs and of what it should run.
        awaits_restart: The options whose change waits for a restart.
        certificate_ends: As the server writes it, RFC 3339; empty without TLS.
    """

    state: str = "stopped"
    reason: str = ""
    pid: int | None = None
    version: str = ""
    restarts: int = 0
    digest: str = ""
    wanted_digest: str = ""
    awaits_restart: tuple[str, ...] = ()
    certificate_ends: str = ""

    @property
    def serves(self) -> bool:
        """It is ready, if not as it is wanted."""
        return bool(self.pid and self.digest) and self.state in ("running", "refused")


class Supervisor:
    """
    One server and its files. Nothing here awaits; one thread uses it, and no loop runs in that.

    `look` is called again and again, each second or oftener. It starts, loads, restarts and adopts.

    Args:
        folder: For the configuration, readable by its owner only, and the pid file.
        system_password: Of the system account's user, over which a server is told to load.
        environment: Of the server.
        fixed: Attributes that this machine decides, whatever the rows say: ports, for example.
        ends_with_us: The server goes when this process does, however it goes. Otherwise it runs on
            when we are killed, and the next supervisor adopts it. The thread that calls `look`
            must live as long as the process: to the kernel it is the parent.
        clock: Seconds, ever growing.

    Raises:
        AlreadySupervised: Another process holds the folder.
        BrokerAway: There is no nats-server.
        OSError: The folder cannot be made or written.
    """

    def __init__(  # noqa: PLR0913  each is one fact of the machine
        self,
        *,
        folder: Path,
        system_password: str,
        program: str = "",
        environment: Mapping[str, str] | None = None,
        fixed: Mapping[str, Any] | None = None,
        ends_with_us: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._system_password = system_password
        self._program = program or server.binary()
        self._environment = dict(environment or {})
        self._fixed = dict(fixed or {})
        self._ends_with_us = ends_with_us
        self._clock = clock
        self._lock = held(folder)
        for path in (self._conf, self._draft, self._memory, self._said):
            check_file(path)

        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        # What runs or ran last, and what the next start takes.
        self._current: NodeConfiguration | None = None
        self._good: NodeConfiguration | None = None
        # What was tried last, and that again when the server would start with it.
        self._startable: NodeConfiguration | None = None
        self._tried: tuple[NodeConfiguration, Stamp] | None = None
        self._certificates: Stamp = ()

        self._began = self._has_fallen_back = self._was_ready = False
        self._refusal = ""
        self._ended_because = ""
        self._wanted_digest = ""
        self._awaits: tuple[str, ...] = ()
        self._restarts = self._failures = 0
        self._started_s = self._next_start_s = 0.0
        self._leaving: Leaving | None = None
        self._log_offset = 0

    @property
    def pid(self) -> int | None:
        return self._pid if self._is_alive() else None

    @property
    def configuration(self) -> NodeConfiguration | None:
        """What runs, or ran last."""
        return self._current

    def look(
        self, wanted: NodeConfiguration | None, *, why_not: str = "", restart: bool = False
    ) -> Standing:
        """
        Do what is to be done now; return how the server is.

        Args:
            wanted: None when the rows make no configuration; `why_not` then says why.
            restart: Somebody asked for a restart since the last look.
        """
        self.take_over()
        if not self._is_alive():
            # First of all: what is wanted since it ended is what it starts with again.
            self._note_end()
        self._take(wanted, why_not)
        if restart:
            self._leave()
        self._press_on()
        if not self._is_alive():
            self._note_end()
            self._start_when_due()
        return self._standing()

    def watch(self, wanted: NodeConfiguration | None) -> Standing:
        """Return how the server is, and change nothing: somebody else starts it."""
        if self._is_alive() or wanted is None:
            return self._standing()
        try:
            varz = server.monitor(wanted.monitor_url, "/varz")
            health = server.monitor(wanted.monitor_url, "/healthz")
        except BrokerAway:
            return Standing()
        state, reason = self._judged(wanted, varz, health)
        return Standing(state=state, reason=reason[:REASON_LENGTH], **_told_by(varz))

    def close(self) -> None:
        """Let another process keep the server."""
        self._lock.close()

    def take_over(self) -> None:
        """Know a server that an earlier supervisor left running, if there is one."""
        if not self._began:
            self._began = True
            self._adopt()

    def stop(self) -> None:
        """End the server; return when it has ended."""
        if not self._is_alive():
            return
        self._signal(signal.SIGTERM)
        if not self._ends_within(STOP_S):
            logger.warning("nats-server %s did not end in %g s; killed", self._pid, STOP_S)
            self._signal(signal.SIGKILL)
            self._ends_within(STOP_S)
        self._process = self._pid = None

    # What it should run

    def _take(self, wanted: NodeConfiguration | None, why_not: str) -> None:
        if wanted is None:
            self._refusal, self._tried, self._wanted_digest = why_not, None, ""
        else:
            trial = (wanted, stamp(wanted))
            if trial == self._tried:
                return
            self._tried = trial
            try:
                self._consider(*trial)
            except ConfigurationRefused as e:
                logger.warning("nats-server %s: configuration refused: %s", wanted.name, e)
                self._refusal = str(e)
            else:
                self._refusal = ""
        if self._good is None and not self._has_fallen_back:
            self._has_fallen_back = True
            self._fall_back()

    def _consider(self, wanted: NodeConfiguration, certificates: Stamp) -> None:
        """
        Raises:
            ConfigurationRefused: The one that runs has not been touched.
        """
        # What is refused has no digest: nothing may look as if it ran as declared.
        self._startable, self._wanted_digest = None, ""
        self._wanted_digest = self._checked(wanted)
        self._startable = wanted
        running = self._current if self._is_alive() else None
        if running is None:
            self._good, self._awaits = wanted, ()
            return
        changes = reloading.changes(running, wanted)
        self._awaits = tuple(change.option for change in changes if not change.reloads)
        loadable = reloading.loadable(running, wanted)
        if loadable == running and certificates == self._certificates:
            return
        digest = self._checked(loadable) if self._awaits else self._wanted_digest
        try:
            self._load(loadable, digest)
        except ConfigurationRefused:
            # It would start with it, so that all of it waits for a restart.
            self._awaits = tuple(change.option for change in changes)
            raise
        self._certificates = certificates

    def _checked(self, c: NodeConfiguration) -> str:
        """
        Return the digest that the server will have with this configuration.

        Raises:
            ConfigurationRefused: It would not start with it.
        """
        try:
            text = render(c)
            write_private(self._draft, text)
            done = subprocess.run(  # noqa: S603  our own program and path
                [self._program, "-c", str(self._draft), "-t"],
                env=self._environment, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, errors="replace", timeout=CHECK_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired, UnicodeEncodeError) as e:
            raise ConfigurationRefused(f"it cannot be checked: {e}") from e
        told = done.stdout + done.stderr
        found = _DIGEST.search(told)
        if done.returncode or found is None:
            raise ConfigurationRefused(self._told(told))
        return found[1]

    def _load(self, c: NodeConfiguration, digest: str) -> None:
        """
        Let the running server load this.

        Raises:
            ConfigurationRefused: It runs on as it was, and its file is as it was.
        """
        before = self._text()
        self._place(c)
        try:
            self._reload(c, digest)
        except ConfigurationRefused:
            if before is not None and self._current is not None:
                self._place(self._current, before)
            raise
        self._current = c
        logger.info("nats-server %s: configuration loaded", c.name)

    def _reload(self, c: NodeConfiguration, digest: str) -> None:
        running = self._current or c
        offset = self._size_of_log(c)
        # The digest alone does not tell: a certificate that was replaced does not change it.
        _, loaded_at = self._loaded(running)
        if not self._is_asked_to_load(running, c):
            self._signal(signal.SIGHUP)
        deadline = time.monotonic() + LOADED_S
        while (now := self._loaded(running))[0] != digest or now[1] == loaded_at:
            if time.monotonic() > deadline:
                why = self._last_error(c, offset) or "the server did not load it"
                raise ConfigurationRefused(why)
            time.sleep(LOOK_S)

    def _is_asked_to_load(self, running: NodeConfiguration, c: NodeConfiguration) -> bool:
        """
        Return whether the server could be asked, so that it says itself why it refuses.

        Raises:
            ConfigurationRefused: It does.
        """
        # We have no certificate to show, and know today's password only.
        if running.tls is not None or running.system_hash != c.system_hash:
            return False
        try:
            varz = server.monitor(running.monitor_url, "/varz")
            url = _client_url(running, self._system_password)
            system.called(url, lambda client: system.reload(client, varz["server_id"]))
        except ApiRefused as e:
            raise ConfigurationRefused(self._told(e.description)) from e
        except BrokerAway:
            return False
        return True

    def _fall_back(self) -> None:
        """Nothing can be run of what is wanted: take what ran last, on this machine's ports."""
        kept = self._kept()
        if kept is None:
            return
        kept = msgspec.structs.replace(kept, **self._fixed)
        with contextlib.suppress(ConfigurationRefused):
            self._checked(kept)
            self._good = kept

    # The process

    def _adopt(self) -> None:
        kept, pid = self._kept(), self._pid_on_file()
        if kept is None or pid is None or not _exists(pid):
            return
        try:
            varz = server.monitor(kept.monitor_url, "/varz")
        except BrokerAway:
            return
        if varz.get("server_name") != kept.name:
            return
        self._pid, self._current, self._good = pid, kept, kept
        self._certificates = stamp(kept)
        self._started_s = self._clock()
        logger.info("nats-server %s: adopted process %d", kept.name, pid)

    def _start_when_due(self) -> None:
        c = self._good
        if c is None or self._clock() < self._next_start_s:
            return
        try:
            self._start(c)
        except OSError as e:
            self._ended_because = f"it cannot be started: {e.strerror or e}"
            self._note_failure()

    def _start(self, c: NodeConfiguration) -> None:
        self._place(c)
        if c.jetstream and c.routes is None:
            carry_over(Path(c.store_folder))
        if c.log_file:
            Path(c.log_file).parent.mkdir(parents=True, exist_ok=True)
        self._log_offset = self._size_of_log(c)
        with self._said.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own program and path
                [self._program, "-c", str(self._conf)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal reaches us alone; we stop it.
                start_new_session=True,
                preexec_fn=end_with_parent if self._ends_with_us else None,  # noqa: PLW1509  takes no lock
            )
        self._pid, self._current = self._process.pid, c
        self._certificates, self._was_ready = stamp(c), False
        if c == self._startable:
            self._awaits = ()
        self._started_s = self._clock()
        logger.info("nats-server %s: started as process %d", c.name, self._pid)

    def _note_end(self) -> None:
        """Count the end of a server, once."""
        if self._pid is None:
            return
        self._pid = self._process = None
        if self._leaving is not None:
            self._leaving = None
            self._restarts += 1
            self._next_start_s, self._failures = self._clock(), 0
            self._ended_because = ""
            return
        assert self._current is not None
        self._ended_because = self._last_error(self._current, self._log_offset) or "it ended"
        logger.warning("nats-server %s ended: %s", self._current.name, self._ended_because)
        self._restarts += 1
        if self._clock() - self._started_s > STEADY_S:
            self._failures = 0
        # Not what waits for a restart: nobody asked for one.
        self._good = self._current
        self._note_failure()

    def _note_failure(self) -> None:
        delay_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        self._next_start_s = self._clock() + delay_s

    def _leave(self) -> None:
        """Begin a restart that an operator asked for."""
        if self._startable is not None:
            # Even what a reload refused.
            self._good, self._refusal = self._startable, ""
        if not self._is_alive() or self._current is None:
            self._next_start_s, self._failures = self._clock(), 0
            return
        now = self._clock()
        if self._current.routes is None:
            self._leaving = Leaving(now, now + STOP_S)
            self._signal(signal.SIGTERM)
        else:
            # Leaders step down and clients are sent to the other nodes before it ends.
            lame_s = self._current.lame_duck_s + LAME_DUCK_EXTRA_S
            self._leaving = Leaving(now + lame_s, now + lame_s + STOP_S)
            self._signal(signal.SIGUSR2)

    def _press_on(self) -> None:
        """End a server that takes too long to leave."""
        if self._leaving is None or not self._is_alive():
            return
        now = self._clock()
        if now > self._leaving.kill_s:
            self._signal(signal.SIGKILL)
        elif now > self._leaving.end_s:
            self._signal(signal.SIGTERM)

    def _is_alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._pid is not None and _exists(self._pid)

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    # How it is

    def _standing(self) -> Standing:
        if not self._is_alive() or self._current is None:
            return self._absent()
        common: dict[str, Any] = {
            "pid": self._pid,
            "restarts": self._restarts,
            "wanted_digest": self._wanted_digest,
            "awaits_restart": self._awaits,
        }
        try:
            varz = server.monitor(self._current.monitor_url, "/varz")
            health = server.monitor(self._current.monitor_url, "/healthz")
        except BrokerAway as e:
            young = self._clock() - self._started_s < STEADY_S
            state = "starting" if young else "unhealthy"
            return Standing(
                state=state, reason=self._refusal or ("" if young else str(e)), **common
            )
        state, reason = self._judged(self._current, varz, health)
        return Standing(state=state, reason=reason[:REASON_LENGTH], **common, **_told_by(varz))

    def _judged(
        self, current: NodeConfiguration, varz: Mapping[str, Any], health: Mapping[str, Any]
    ) -> tuple[str, str]:
        if varz.get("server_name") != current.name:
            return "unhealthy", f"another server answers on port {current.http_port}"
        if self._leaving is not None:
            return "starting", "it is being restarted"
        if health.get("status") != "ok":
            state = "unhealthy" if self._was_ready else "starting"
            return state, self._refusal or str(health.get("error", "not ready"))
        self._was_ready = True
        if self._clock() - self._started_s > STEADY_S:
            self._failures = 0
        if self._refusal:
            return "refused", self._refusal
        return "running", ""

    def _absent(self) -> Standing:
        reason = self._refusal or self._ended_because
        if self._good is None:
            state = "refused" if reason else "stopped"
        else:
            state = "failed" if self._failures >= FAILED_AFTER else "starting"
        return Standing(
            state=state,
            reason=reason[:REASON_LENGTH],
            restarts=self._restarts,
            wanted_digest=self._wanted_digest,
            awaits_restart=self._awaits,
        )

    def _loaded(self, running: NodeConfiguration) -> tuple[str, str]:
        """Return the digest of what the server has loaded, and when it did."""
        try:
            varz = server.monitor(running.monitor_url, "/varz")
        except BrokerAway:
            return "", ""
        return str(varz.get("config_digest", "")), str(varz.get("config_load_time", ""))

    # The files

    @property
    def _conf(self) -> Path:
        return self._folder / "nats.conf"

    @property
    def _draft(self) -> Path:
        return self._folder / "nats.conf.draft"

    @property
    def _memory(self) -> Path:
        """What the server was given last, for the next supervisor."""
        return self._folder / "nats.last.json"

    @property
    def _said(self) -> Path:
        """What the server says before its log file is open, and when it panics."""
        return self._folder / "nats.err"

    def _place(self, c: NodeConfiguration, text: str | None = None) -> None:
        write_private(self._draft, render(c) if text is None else text)
        self._draft.replace(self._conf)
        memory = self._memory.with_suffix(".draft")
        write_private(memory, msgspec.json.encode(c).decode())
        memory.replace(self._memory)

    def _text(self) -> str | None:
        try:
            return self._conf.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _kept(self) -> NodeConfiguration | None:
        try:
            return msgspec.json.decode(self._memory.read_bytes(), type=NodeConfiguration)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _pid_on_file(self) -> int | None:
        try:
            return int((self._folder / "nats.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def _size_of_log(self, c: NodeConfiguration) -> int:
        try:
            return Path(c.log_file).stat().st_size if c.log_file else 0
        except OSError:
            return 0

    def _last_error(self, c: NodeConfiguration, offset: int) -> str:
        """Return the last error that the server has logged since its log was so long."""
        said = _tail(self._said, 0)
        logged = _LOGGED.findall(said + _tail(Path(c.log_file), offset) if c.log_file else said)
        if logged:
            return self._told(logged[-1])
        return self._told(said)

    def _told(self, text: str) -> str:
        """Return the server's words as one line that shows neither our folder nor a hash."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        line = "; ".join(lines[-3:]).removeprefix("nats-server: ")
        line = line.replace(str(self._draft), "nats.conf").replace(str(self._folder), "…")
        return _HASH.sub("…", line)[:REASON_LENGTH]


class Leaving(msgspec.Struct, frozen=True):
    """A server that was told to end: when it is told again, and when it is killed."""

    end_s: float
    kill_s: float


# Of each certificate file: its path, change time and size.
Stamp = tuple[tuple[str, int, int], ...]


def stamp(c: NodeConfiguration) -> Stamp:
    """Return what tells that a certificate was replaced by one of the same name."""
    paths = [path for tls in (c.tls, c.routes and c.routes.tls) if tls for path in _files(tls)]
    found = []
    for path in paths:
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            continue  # The server's own check says so better.
        found.append((path, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _files(tls: Tls) -> list[str]:
    return [path for path in (tls.cert_file, tls.key_file, tls.ca_file) if path]


def carry_over(store_folder: Path) -> None:
    """
    Move the streams of a store that knew no accounts into ours; the server must be down.

    Raises:
        OSError: They could not be moved. Each stream is in the one place or the other.
    """
    root = store_folder / "jetstream"
    old, new = root / "$G" / "streams", root / ACCOUNT / "streams"
    if not old.is_dir():
        return
    new.mkdir(parents=True, exist_ok=True, mode=0o750)
    for stream in sorted(old.iterdir()):
        target = new / stream.name
        if target.exists():
            logger.warning("stream %s is in two accounts; the older one is left", stream.name)
            continue
        stream.rename(target)
        logger.info("stream %s moved into account %s", stream.name, ACCOUNT)
    if not any(old.iterdir()):
        shutil.rmtree(root / "$G", ignore_errors=True)


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


def _told_by(varz: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": str(varz.get("version", "")),
        "digest": str(varz.get("config_digest", "")),
        "certificate_ends": str(varz.get("tls_cert_not_after", "")),
    }


def _client_url(c: NodeConfiguration, password: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(c.host, c.host)  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    return f"nats://{SYSTEM_USER}:{quote(password, safe='')}@{host}:{c.port}"


def _exists(pid: int) -> bool:
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

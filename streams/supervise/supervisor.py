"""What is to be done for one server now: start it, load into it, restart it, or leave it alone."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from streams.broker import server
from streams.core import reloading
from streams.core.errors import BrokerAway
from streams.core.serverconf import NodeConfiguration
from streams.supervise import leaving
from streams.supervise.attempts import Attempts
from streams.supervise.certificates import Stamp, stamp
from streams.supervise.checking import Checker, ConfigurationRefused
from streams.supervise.folder import Folder
from streams.supervise.leaving import Leaving
from streams.supervise.loading import Loader
from streams.supervise.process import Process, exists
from streams.supervise.standing import Monitored, Standing, monitored
from streams.supervise.store import carry_over
from streams.supervise.words import REASON_LENGTH, Words

logger = logging.getLogger(__name__)


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
        program, environment = program or server.binary(), dict(environment or {})
        self._fixed = dict(fixed or {})
        self._clock = clock
        self._folder = Folder(folder)
        self._words = Words(self._folder)
        self._process = Process(program, environment, ends_with_us=ends_with_us)
        self._checker = Checker(program, environment, self._folder, self._words)
        self._loader = Loader(
            self._folder, self._words, self._process, system_password=system_password
        )
        self._attempts = Attempts(clock)

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
        self._restarts = 0
        self._leaving: Leaving | None = None
        self._log_offset = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process.is_alive() else None

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
        if not self._process.is_alive():
            # First of all: what is wanted since it ended is what it starts with again.
            self._note_end()
        self._take(wanted, why_not)
        if restart:
            self._leave()
        self._press_on()
        if not self._process.is_alive():
            self._note_end()
            self._start_when_due()
        return self._standing()

    def watch(self, wanted: NodeConfiguration | None) -> Standing:
        """Return how the server is, and change nothing: somebody else starts it."""
        if self._process.is_alive() or wanted is None:
            return self._standing()
        try:
            found = monitored(wanted)
        except BrokerAway:
            return Standing()
        return self._judged(wanted, found)

    def close(self) -> None:
        """Let another process keep the server."""
        self._folder.close()

    def take_over(self) -> None:
        """Know a server that an earlier supervisor left running, if there is one."""
        if not self._began:
            self._began = True
            self._adopt()

    def stop(self) -> None:
        """End the server; return when it has ended."""
        self._process.stop()

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
        self._wanted_digest = self._checker.digest(wanted)
        self._startable = wanted
        running = self._current if self._process.is_alive() else None
        if running is None:
            self._good, self._awaits = wanted, ()
            return
        changes = reloading.changes(running, wanted)
        self._awaits = tuple(change.option for change in changes if not change.reloads)
        loadable = reloading.loadable(running, wanted)
        if loadable == running and certificates == self._certificates:
            return
        digest = self._checker.digest(loadable) if self._awaits else self._wanted_digest
        try:
            self._loader.load(loadable, digest, running=running)
        except ConfigurationRefused:
            # It would start with it, so that all of it waits for a restart.
            self._awaits = tuple(change.option for change in changes)
            raise
        self._current, self._certificates = loadable, certificates

    def _fall_back(self) -> None:
        """Nothing can be run of what is wanted: take what ran last, on this machine's ports."""
        kept = self._folder.kept()
        if kept is None:
            return
        kept = msgspec.structs.replace(kept, **self._fixed)
        with contextlib.suppress(ConfigurationRefused):
            self._checker.digest(kept)
            self._good = kept

    # Its beginning and its end

    def _adopt(self) -> None:
        kept, pid = self._folder.kept(), self._folder.pid()
        if kept is None or pid is None or not exists(pid):
            return
        try:
            varz = server.monitor(kept.monitor_url, "/varz")
        except BrokerAway:
            return
        if varz.get("server_name") != kept.name:
            return
        self._process.adopt(pid)
        self._current, self._good = kept, kept
        self._certificates = stamp(kept)
        self._attempts.note_start()
        logger.info("nats-server %s: adopted process %d", kept.name, pid)

    def _start_when_due(self) -> None:
        c = self._good
        if c is None or not self._attempts.is_due():
            return
        try:
            self._start(c)
        except OSError as e:
            self._ended_because = f"it cannot be started: {e.strerror or e}"
            self._attempts.note_failure()

    def _start(self, c: NodeConfiguration) -> None:
        self._folder.place(c)
        if c.jetstream and c.routes is None:
            carry_over(Path(c.store_folder))
        if c.log_file:
            Path(c.log_file).parent.mkdir(parents=True, exist_ok=True)
        self._log_offset = self._words.length(c)
        pid = self._process.start(self._folder.conf, self._folder.said)
        self._current = c
        self._certificates, self._was_ready = stamp(c), False
        if c == self._startable:
            self._awaits = ()
        self._attempts.note_start()
        logger.info("nats-server %s: started as process %d", c.name, pid)

    def _note_end(self) -> None:
        """Count the end of a server, once."""
        if self._process.pid is None:
            return
        self._process.forget()
        self._restarts += 1
        if self._leaving is not None:
            self._leaving = None
            self._ended_because = ""
            self._attempts.begin_anew()
            return
        assert self._current is not None
        self._ended_because = self._words.last_error(self._current, self._log_offset) or "it ended"
        logger.warning("nats-server %s ended: %s", self._current.name, self._ended_because)
        self._attempts.note_running()
        # Not what waits for a restart: nobody asked for one.
        self._good = self._current
        self._attempts.note_failure()

    def _leave(self) -> None:
        """Begin a restart that an operator asked for."""
        if self._startable is not None:
            # Even what a reload refused.
            self._good, self._refusal = self._startable, ""
        if not self._process.is_alive() or self._current is None:
            self._attempts.begin_anew()
        else:
            self._leaving = leaving.begin(self._process, self._current, self._clock())

    def _press_on(self) -> None:
        if self._leaving is not None and self._process.is_alive():
            leaving.press_on(self._process, self._leaving, self._clock())

    # How it is

    def _standing(self) -> Standing:
        if not self._process.is_alive() or self._current is None:
            return self._absent()
        common: dict[str, Any] = {
            "pid": self._process.pid,
            "restarts": self._restarts,
            "wanted_digest": self._wanted_digest,
            "awaits_restart": self._awaits,
        }
        try:
            found = monitored(self._current)
        except BrokerAway as e:
            young = self._attempts.is_young()
            state = "starting" if young else "unhealthy"
            return Standing(
                state=state, reason=self._refusal or ("" if young else str(e)), **common
            )
        return self._judged(self._current, found, **common)

    def _judged(self, c: NodeConfiguration, found: Monitored, **known: Any) -> Standing:
        state, reason = found.judged(
            c,
            refusal=self._refusal,
            is_leaving=self._leaving is not None,
            was_ready=self._was_ready,
        )
        if state in ("running", "refused"):
            self._was_ready = True
            self._attempts.note_running()
        return Standing(state=state, reason=reason[:REASON_LENGTH], **known, **found.told())

    def _absent(self) -> Standing:
        reason = self._refusal or self._ended_because
        if self._good is None:
            state = "refused" if reason else "stopped"
        else:
            state = "failed" if self._attempts.have_failed() else "starting"
        return Standing(
            state=state,
            reason=reason[:REASON_LENGTH],
            restarts=self._restarts,
            wanted_digest=self._wanted_digest,
            awaits_restart=self._awaits,
        )

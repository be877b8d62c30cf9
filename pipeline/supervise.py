"""Keep every source running: one task each, restarted alone, for ever."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from ssl import SSLContext

from pipeline import receive
from pipeline.core import backoff
from pipeline.core.errors import LinkLost, ReceiveError
from pipeline.core.spec import SourceSpec
from pipeline.core.status import SourceStatus, State
from pipeline.flow import Publisher, Stages

logger = logging.getLogger(__name__)

# Only a link that held for so long ends the growth of the pauses: a source that accepts us, says
# one word and hangs up is not healthy.
HEALTHY_S = 60.0

MAX_ERROR = 200


class Source:
    """One source: its link, its counters, and where it stands."""

    def __init__(  # noqa: PLR0913
        self,
        spec: SourceSpec,
        publisher: Publisher,
        hold: receive.Hold,
        ssl: SSLContext | None,
        *,
        clock_ns: Callable[[], int],
        dice: Callable[[], float],
        before: Source | None = None,
    ) -> None:
        """
        Args:
            before: The same source with other settings, which has ended.
        """
        self.spec = spec
        self.stages = Stages(spec, publisher, clock_ns)
        if before is not None:
            self.stages.count_on_from(before.stages)
        self._hold = hold
        self._ssl = ssl
        self._clock_ns = clock_ns
        self._dice = dice
        self._state = State.CONNECTING
        self._since_ns = clock_ns()
        self.began_ns: int = before.began_ns if before is not None else self._since_ns
        self._last_error = ""
        self._received_before = self.stages.received

    async def run(self) -> None:
        """Hold the link, again and again. Returns only when the source refuses us."""
        failures = 0
        while True:
            # A full publisher would only make the new link wait: wait first.
            await self.stages.room()
            self._received_before = self.stages.received
            began_s = time.monotonic()
            try:
                await self._hold(self.spec, self.stages, self._ssl)
            except ReceiveError as e:
                error = e
            else:
                error = LinkLost("the link ended")
            if (task := asyncio.current_task()) and task.cancelling():
                # Told to stop while the peer was closing: Python 3.11's `wait_for`, which libraries
                # close their links with, forgets the cancellation, and we would connect again.
                raise asyncio.CancelledError
            self._last_error = str(error)[:MAX_ERROR]
            if error.permanent:
                self._received_before = self.stages.received
                self._enter(State.REFUSED)
                logger.error(
                    "%s: %s; not tried again until its settings change",
                    self.spec.source_id,
                    error,
                )
                return
            healthy = self._flows() and time.monotonic() - began_s >= HEALTHY_S
            failures = 1 if healthy else failures + 1
            await self._wait(failures, error)

    def end(self) -> None:
        """Say so; its task has ended."""
        self._received_before = self.stages.received
        self._enter(State.STOPPED)

    def status(self) -> SourceStatus:
        if self._flows():
            self._enter(State.RUNNING)
        stages = self.stages
        return SourceStatus(
            source_id=self.spec.source_id,
            began_ns=self.began_ns,
            state=self._state,
            since_ns=self._since_ns,
            last_error=self._last_error,
            received=stages.received,
            published=stages.published,
            ignored=stages.ignored.total(),
            undecodable=stages.undecodable.total(),
            last_message_ns=stages.last_message_ns,
        )

    async def _wait(self, failures: int, error: ReceiveError) -> None:
        degraded = failures > self.spec.max_reconnect_attempts
        self._received_before = self.stages.received
        self._enter(State.DEGRADED if degraded else State.RECONNECTING)
        cap_s = backoff.CAP_S if degraded else min(self.spec.reconnect_interval, backoff.CAP_S)
        delay_s = backoff.delay_s(failures, self._dice(), cap_s)
        logger.warning(
            "%s: %s; attempt %d in %.1f s", self.spec.source_id, error, failures, delay_s
        )
        await asyncio.sleep(delay_s)

    def _flows(self) -> bool:
        """Return whether this link has brought a message."""
        return self.stages.received > self._received_before

    def _enter(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self._since_ns = self._clock_ns()


class Supervisor:
    """The sources of one worker. `reconcile` makes them what they should be."""

    def __init__(  # noqa: PLR0913
        self,
        tasks: asyncio.TaskGroup,
        publisher: Publisher,
        *,
        clock_ns: Callable[[], int],
        dice: Callable[[], float],
        ssl: SSLContext | None = None,
        kinds: Mapping[str, receive.Hold] = receive.KINDS,
    ) -> None:
        """
        Args:
            tasks: A bug in one source ends this group, and so the worker.
            ssl: One for all: a context per source costs a megabyte each.
        """
        self._tasks = tasks
        self._publisher = publisher
        self._clock_ns = clock_ns
        self._dice = dice
        self._ssl = ssl
        self._kinds = kinds
        self._running: dict[str, tuple[Source, asyncio.Task[None]]] = {}
        self._ended: dict[str, Source] = {}

    async def reconcile(self, specs: Iterable[SourceSpec]) -> None:
        """Start, stop or restart the sources whose spec changed; leave the others alone."""
        wanted = {spec.source_id: spec for spec in specs}
        await self._stop(
            [
                source_id
                for source_id, (source, _) in self._running.items()
                if wanted.get(source_id) != source.spec
            ]
        )
        for source_id, spec in wanted.items():
            if source_id not in self._running:
                self._start(spec)

    async def stop(self) -> None:
        """End every link. What the sources did can still be asked for."""
        await self._stop(list(self._running))

    def statuses(self) -> tuple[SourceStatus, ...]:
        running = (source for source, _ in self._running.values())
        return tuple(source.status() for source in chain(running, self._ended.values()))

    def _start(self, spec: SourceSpec) -> None:
        logger.info("%s: starting", spec.source_id)
        source = Source(
            spec,
            self._publisher,
            self._kinds[spec.protocol],
            self._ssl,
            clock_ns=self._clock_ns,
            dice=self._dice,
            before=self._ended.pop(spec.source_id, None),
        )
        task = self._tasks.create_task(source.run(), name=spec.source_id)
        self._running[spec.source_id] = source, task

    async def _stop(self, source_ids: Iterable[str]) -> None:
        stopping = {source_id: self._running.pop(source_id) for source_id in source_ids}
        for source_id, (_, task) in stopping.items():
            logger.info("%s: stopping", source_id)
            task.cancel()
        if stopping:
            # Before anything starts again: a source is never held twice.
            await asyncio.wait([task for _, task in stopping.values()])
        for source_id, (source, _) in stopping.items():
            source.end()
            self._ended[source_id] = source

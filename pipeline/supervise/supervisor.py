"""The sources of one worker. Needs neither Django nor a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from ssl import SSLContext

from pipeline import receive
from pipeline.core.difference import begins_anew
from pipeline.core.errors import BadOption
from pipeline.core.spec import SourceSpec
from pipeline.core.status import SourceStatus, State
from pipeline.flow import Publisher, Stages
from pipeline.receive.rest import Rest
from pipeline.supervise.desk import Get
from pipeline.supervise.gather import RESTS_S, Gather
from pipeline.supervise.means import Lingering, Means, Open, Voice
from pipeline.supervise.slot import Patience
from pipeline.supervise.source import MAX_ERROR, Source
from streams.broker import voice

logger = logging.getLogger(__name__)

PATIENCE = Patience()


class Supervisor:
    """
    Runs sources until they are no longer wanted. `reconcile` makes them what they should be:

        async with asyncio.TaskGroup() as tasks:
            supervisor = Supervisor(tasks, publisher, clock_ns=time.time_ns, dice=random.random)
            await supervisor.reconcile([SourceSpec(...)])
            ...
            await supervisor.stop()
    """

    def __init__(  # noqa: PLR0913
        self,
        tasks: asyncio.TaskGroup,
        publisher: Publisher,
        *,
        clock_ns: Callable[[], int],
        dice: Callable[[], float],
        ssl: SSLContext | None = None,
        kinds: Mapping[str, receive.Hold] = receive.KINDS,
        get: Get | None = None,
        voice: Voice = voice,
        patience: Patience = PATIENCE,
        stages: Open = Stages,
        lingering: Lingering | None = None,
        gather: Gather | None = None,
    ) -> None:
        """
        Args:
            tasks: A bug in one source ends this group, and so the worker.
            ssl: One for all: a context per source costs a megabyte each.
            get: Who makes REST calls; by default `receive.rest.Rest`.
            voice: Who is told when a source fails again and again, and when it is well again.
            healthy_s, stages, lingering: See `Means`.
            gather: Lets frames gather while every source is patient. Not in a loop that others
                share: it rests as a whole.
        """
        self._tasks = tasks
        self._rest = Rest(ssl)
        self._means = Means(
            publisher,
            tasks=tasks,
            get=get or self._rest.get,
            voice=voice,
            clock_ns=clock_ns,
            dice=dice,
            ssl=ssl,
            kinds=kinds,
            patience=patience,
            stages=stages,
            lingering=lingering,
            gather=gather,
        )
        self._gather = gather
        self._running: dict[str, tuple[Source, asyncio.Task[None]]] = {}
        self._ended: dict[str, Source] = {}
        self._impossible: dict[str, tuple[SourceSpec, SourceStatus]] = {}

    async def reconcile(self, specs: Iterable[SourceSpec]) -> None:
        """
        Start, stop or restart the sources whose spec changed; leave the others alone.

        Where only what to subscribe to is another one, the links stay.
        """
        wanted = {spec.source_id: spec for spec in specs}
        await self._stop(
            [
                source_id
                for source_id, (source, task) in self._running.items()
                if source_id not in wanted or _must_go(source, task, wanted[source_id])
            ]
        )
        for source_id in list(self._impossible):
            if wanted.get(source_id) != self._impossible[source_id][0]:
                del self._impossible[source_id]
        for source_id, spec in wanted.items():
            if source_id not in self._running:
                self._start(spec)
            elif self._running[source_id][0].spec != spec:
                self._running[source_id][0].change(spec)
        if self._gather is not None:
            least_ms = min([spec.linger_ms for spec in wanted.values()], default=0)
            self._gather.rest_s = RESTS_S[least_ms]

    async def stop(self) -> None:
        """End every link. What the sources did can still be asked for."""
        await self._stop(list(self._running))
        self._means.close()
        await self._rest.close()

    def statuses(self) -> tuple[SourceStatus, ...]:
        running = (source for source, _ in self._running.values())
        found = (source.status() for source in chain(running, self._ended.values()))
        return (*found, *(status for _, status in self._impossible.values()))

    def status(self, source_id: str) -> SourceStatus | None:
        """Return how one source stands; None where it was never wanted."""
        if source_id in self._running:
            return self._running[source_id][0].status()
        if source_id in self._ended:
            return self._ended[source_id].status()
        return self._impossible[source_id][1] if source_id in self._impossible else None

    def _start(self, spec: SourceSpec) -> None:
        if spec.source_id in self._impossible:
            return
        logger.info("%s: starting", spec.source_id)
        before = self._ended.get(spec.source_id)
        try:
            source = Source(spec, self._means, before)
        except BadOption as e:
            self._refuse(spec, e)
            return
        self._ended.pop(spec.source_id, None)
        task = self._tasks.create_task(source.run(), name=spec.source_id)
        self._running[spec.source_id] = source, task

    def _refuse(self, spec: SourceSpec, error: BadOption) -> None:
        logger.error("%s: cannot be as it is declared: %s", spec.source_id, error)
        now_ns = self._means.clock_ns()
        before = self._ended.pop(spec.source_id, None)
        status = SourceStatus(
            source_id=spec.source_id,
            began_ns=before.began_ns if before is not None else now_ns,
            state=State.REFUSED,
            since_ns=now_ns,
            last_error=str(error)[:MAX_ERROR],
        )
        self._impossible[spec.source_id] = spec, status

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


def _must_go(source: Source, task: asyncio.Task[None], spec: SourceSpec) -> bool:
    if task.done():
        return source.spec != spec  # It was refused; other settings are another try.
    return begins_anew(source.spec, spec)

"""The pipeline as a program holds it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pipeline import receive
from pipeline.core.errors import BadOption, NotRunning
from pipeline.core.library.config import DataSourceConfig, positive
from pipeline.core.library.item import Item
from pipeline.core.library.meter import Meter, performance
from pipeline.core.spec import SourceSpec
from pipeline.core.status import SourceStatus
from pipeline.flow import Publisher, Stages
from pipeline.library.aggregate import Aggregate, Outlet
from pipeline.library.receiver import Receiver
from pipeline.library.stages import EnvelopeStages, MarketStages
from pipeline.library.voice import LogVoice
from pipeline.supervise import Supervisor

logger = logging.getLogger(__name__)

MAX_ITEMS = 10_000
MAX_BYTES = 64 * 1024 * 1024
START_S = 5.0
_LOOK_S = 0.01
_NS_PER_S = 1_000_000_000


class RealTimeDataPipeline:
    """
    Sources in, protobuf out, in one event loop:

        async with RealTimeDataPipeline() as pipeline:      # or start_all_receivers() … stop
            pipeline.add_websocket_source(DataSourceConfig("feed", "websocket", "wss://…"))
            async for item in pipeline:                     # or get_aggregated_data()
                item.source_id, item.protobuf_data

    A source that fails is tried again, alone and for ever. Not for use by several threads.

    Attributes:
        receivers: How each source stands, by its id.
    """

    def __init__(
        self,
        *,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            max_items, max_bytes: What waits to be taken; beyond that sources are not read.
            ssl_context: For all links; by default one that trusts the system's authorities.

        Raises:
            BadOption: A bound that is no positive whole number.
        """
        self.receivers: dict[str, Receiver] = {}
        self._aggregate = Aggregate(
            positive("max_items", max_items), positive("max_bytes", max_bytes)
        )
        self._meters: dict[str, Meter] = {}
        self._ssl = ssl_context
        self._supervisor: Supervisor | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._epoch = 0

    # Sources

    def add_source(self, config: DataSourceConfig) -> None:
        """
        Add a source by its protocol; while the pipeline runs, it is started at once.

        Raises:
            BadOption: This version does not receive its protocol, or there is such a source.
        """
        if config.protocol not in receive.KINDS:
            received = ", ".join(receive.KINDS)
            raise BadOption(
                "protocol",
                f"{config.protocol} is not received by this version; it receives {received}",
            )
        if config.source_id in self.receivers:
            raise BadOption("source_id", "is that of a source which is there already")
        self._meters[config.source_id] = Meter()
        self.receivers[config.source_id] = Receiver(config, self._status)
        self._changed.set()

    def add_websocket_source(self, config: DataSourceConfig) -> None:
        """See `add_source`, as for the protocols below."""
        self._add("websocket", config)

    def add_fix_source(self, config: DataSourceConfig) -> None:
        self._add("fix", config)

    def add_tcp_source(self, config: DataSourceConfig) -> None:
        self._add("tcp", config)

    def add_udp_source(self, config: DataSourceConfig) -> None:
        self._add("udp", config)

    def add_rest_source(self, config: DataSourceConfig) -> None:
        self._add("rest", config)

    def add_mqtt_source(self, config: DataSourceConfig) -> None:
        self._add("mqtt", config)

    def add_grpc_source(self, config: DataSourceConfig) -> None:
        self._add("grpc", config)

    # Running

    async def start_all_receivers(self, *, within_s: float = START_S) -> None:
        """
        Start the sources; return once each is connected or has failed for the first time.

        Args:
            within_s: Wait no longer for that; the sources go on trying.

        Raises:
            ExceptionGroup: A bug.
        """
        if self._task is None:
            if not self.receivers:
                logger.warning("the pipeline starts without any source")
            self._epoch = max(self._epoch + 1, time.time_ns() // _NS_PER_S)
            self._stopping = False
            self._changed.set()
            self._aggregate.open()
            self._task = asyncio.create_task(self._run(), name="pipeline")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                # A link that opens tells nobody.
                while not self._task.done() and not self._settled():  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S)
        if self._task.done():
            self._task.result()

    async def stop_all_receivers(self) -> None:
        """
        Close all links. What was received can still be taken.

        Raises:
            ExceptionGroup: A bug that had ended the pipeline.
        """
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._changed.set()
        await asyncio.wait([task])
        task.result()

    async def get_aggregated_data(self) -> Item:
        """
        Return what came in next, of whichever source; waits for it.

        Raises:
            NotRunning: The pipeline was not started; or it was stopped, and all is taken.
            ExceptionGroup: A bug that has ended the pipeline.
        """
        return await self._aggregate.take()

    def get_performance_metrics(self) -> dict[str, Any]:
        """
        Return `total_processed`, `avg_processing_time_ms`, `active_sources` and
        `sources_performance`: of each source its `avg_time`, in milliseconds too.

        A message is processed from where the link hands it over until its protobuf can be taken.
        """
        active = sum(receiver.is_running for receiver in self.receivers.values())
        return performance(self._meters, active)

    async def __aenter__(self) -> Self:
        await self.start_all_receivers()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_all_receivers()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        try:
            return await self.get_aggregated_data()
        except NotRunning:
            if not self._epoch:
                raise  # Never started: silence would hide that.
            raise StopAsyncIteration from None

    def _add(self, protocol: str, config: DataSourceConfig) -> None:
        if config.protocol != protocol:
            raise BadOption("protocol", f"is {config.protocol}; this adds a source of {protocol}")
        self.add_source(config)

    def _settled(self) -> bool:
        return all(receiver.is_settled for receiver in self.receivers.values())

    def _status(self, source_id: str) -> SourceStatus | None:
        return self._supervisor.status(source_id) if self._supervisor is not None else None

    async def _run(self) -> None:
        why: BaseException = NotRunning("the pipeline was stopped, and everything is taken")
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._keep(tasks)
        except Exception as e:
            why = e
            raise
        finally:
            self._aggregate.close(why)

    async def _keep(self, tasks: asyncio.TaskGroup) -> None:
        self._supervisor = supervisor = Supervisor(
            tasks,
            Outlet("", self._aggregate),  # Each source gets one of its own.
            clock_ns=time.time_ns,
            dice=random.random,
            ssl=self._ssl or ssl.create_default_context(),
            voice=LogVoice(),
            stages=self._stages,
        )
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if self._stopping:
                    return
                wanted = [r.config.spec(self._epoch) for r in self.receivers.values()]
                await supervisor.reconcile(wanted)
        finally:
            await supervisor.stop()

    def _stages(
        self, spec: SourceSpec, publisher: Publisher, clock_ns: Callable[[], int]
    ) -> Stages:
        way = MarketStages if spec.venue else EnvelopeStages
        outlet = Outlet(spec.source_id, self._aggregate)
        return way(spec, outlet, clock_ns, self._meters[spec.source_id])

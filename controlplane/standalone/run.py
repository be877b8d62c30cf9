"""Start everything, wait until it flows, watch it, stop it in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.utils import timezone

from controlplane.standalone import processes
from controlplane.standalone.child import Child
from controlplane.standalone.plan import Plan, children
from controlplane.standalone.probe import Probe
from streams.broker import server
from streams.core.errors import BrokerAway
from streams.services.supervising import NodeKeeper
from streams.services.templates import active_or_standard
from streams.supervise import Standing

logger = logging.getLogger(__name__)

READY_S = 60.0
LOOK_S = 0.05
MEMORY_LOOK_S = 1.0
BROKER_LOOK_S = 0.5
# States of a server that waiting does not help.
HOPELESS = ("failed", "refused")


class NotReady(Exception):
    """A part did not come up in time; the text names it and its log."""


@dataclass(frozen=True)
class Report:
    """What subscribers received after the system was ready."""

    ready_s: float
    market_messages: int
    account_messages: int
    websocket_frames: int
    rss_mb: float


class System:
    """
    The running whole.

    Args:
        began_at: Unix time at which the operator's command began, set-up included.
        demo: Whether the simulated exchange runs.
        keeper: Keeps the embedded NATS server; None when an outside one is used.
        stopped: Set when the operator wants it to end.
    """

    def __init__(  # noqa: PLR0913  each is one part of the whole
        self,
        plan: Plan,
        environment: Mapping[str, str],
        *,
        began_at: float,
        demo: bool,
        keeper: NodeKeeper | None,
        stopped: asyncio.Event,
    ) -> None:
        self._plan = plan
        self._began_at = began_at
        self._probe = Probe()
        self._keeper = keeper
        self._others = children(plan, environment, demo=demo)
        self._keeping: list[asyncio.Task[None]] = []
        self._peak_mb = 0.0
        self.stopped = stopped
        self.ready_s = 0.0

    async def start_broker(self) -> None:
        """
        Start the embedded server, or ask for the outside one, until JetStream is ready.

        Raises:
            NotReady: It did not come up.
        """
        self._probe.roots = (await sync_to_async(active_or_standard)()).roots
        if self._keeper is None:
            what = "NATS's monitoring port (NATS_MONITOR_URL)"
            await self._until(what, None, self._outside_broker_is_ready)
            return
        deadline = time.monotonic() + READY_S
        while not (standing := await self._look_after_broker(self._keeper)).serves:
            if self.stopped.is_set():
                raise NotReady("stopped before it was ready.")
            if standing.state in HOPELESS or time.monotonic() > deadline:
                raise NotReady(f"nats-server does not start: {standing.reason or 'no answer'}")
            await asyncio.sleep(LOOK_S)
        self._keeping.append(asyncio.create_task(self._keep_broker(self._keeper), name="nats"))

    def start_others(self, origin_cookie: str) -> None:
        for child in self._others:
            self._start(child)
        if origin_cookie:
            url = self._plan.web_url
            self._probe.watch_browser_socket(f"ws{url[4:]}/ws/", url, origin_cookie)

    async def until_ready(self, expected: Collection[str]) -> None:
        """
        Wait until the page answers and data has been received from every side that has any.

        Args:
            expected: Those sides, of `market` and `account`.

        Raises:
            NotReady: Names the part that is missing.
        """
        await self._probe.watch_broker(self._plan.nats_url)
        by_name = {child.name: child for child in self._others}
        counts = self._probe.counts
        await self._until("the web server", by_name["web"], self._web_answers)
        if "market" in expected:
            await self._until("market data", by_name["pipeline"], lambda: counts["market"] > 0)
        if "account" in expected:
            await self._until("account data", by_name["worker"], lambda: counts["account"] > 0)
        if expected and self._probe.watches_a_browser_socket:
            await self._until("the WebSocket", by_name["web"], lambda: counts["frames"] > 0)
        self.ready_s = time.time() - self._began_at
        processes.give_back()

    async def watch(self, for_s: float | None) -> None:
        """Run for so many seconds, or until told to stop."""
        # What nobody is told need not be received: a busy exchange would cost a core for it.
        await self._probe.close()
        await self._stopped_or_over(for_s)

    async def measure(self, for_s: float | None) -> Report:
        """Run like `watch`; return what was received meanwhile."""
        before = Counter(self._probe.counts)
        measuring = asyncio.create_task(self._measure())
        await self._stopped_or_over(for_s)
        measuring.cancel()
        seen = self._probe.counts - before
        return Report(
            ready_s=round(self.ready_s, 2),
            market_messages=seen["market"],
            account_messages=seen["account"],
            websocket_frames=seen["frames"],
            rss_mb=round(self._peak_mb, 1),
        )

    async def stop(self) -> None:
        """Stop what feeds the broker before the broker; leave nothing behind."""
        await self._probe.close()
        await end_all(self._others)
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        if self._keeper is not None:
            await sync_to_async(self._keeper.stop)(now=timezone.now())

    def _start(self, child: Child) -> None:
        child.start()
        self._keeping.append(asyncio.create_task(child.keep(), name=child.name))

    async def _until(
        self, what: str, child: Child | None, is_so: Callable[[], bool | None]
    ) -> None:
        deadline = time.monotonic() + READY_S
        while not await asyncio.to_thread(is_so):
            if self.stopped.is_set():
                raise NotReady("stopped before it was ready.")
            if time.monotonic() > deadline:
                tail = f" Its log ends with:\n{child.last_lines()}" if child else ""
                raise NotReady(f"{what} did not come up in {READY_S:.0f} s.{tail}")
            await asyncio.sleep(LOOK_S)

    async def _stopped_or_over(self, for_s: float | None) -> None:
        try:
            async with asyncio.timeout(for_s):
                await self.stopped.wait()
        except TimeoutError:
            return

    async def _keep_broker(self, keeper: NodeKeeper) -> None:
        while True:
            await asyncio.sleep(BROKER_LOOK_S)
            await self._look_after_broker(keeper)

    async def _look_after_broker(self, keeper: NodeKeeper) -> Standing:
        # Always the same thread, which lives as long as this process: it holds the connection to
        # the database, and to the kernel it is the server's parent.
        return await sync_to_async(keeper.look)(now=timezone.now())

    def _outside_broker_is_ready(self) -> bool:
        try:
            answer = server.monitor(self._plan.monitor_url, "/healthz")
        except BrokerAway:
            return False
        return answer.get("status") == "ok"

    def _web_answers(self) -> bool:
        try:
            answer = server.monitor(self._plan.web_url, "/health")
        except BrokerAway:
            return False
        return answer.get("status") == "healthy"

    async def _measure(self) -> None:
        while True:
            pids = await asyncio.to_thread(processes.family, os.getpid())
            self._peak_mb = max(self._peak_mb, processes.resident_mb(pids))
            await asyncio.sleep(MEMORY_LOOK_S)


async def end_all(some: Sequence[Child]) -> None:
    for child in some:
        child.stop()
    await asyncio.gather(*(child.ended() for child in some))


def listen_to_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sig, stopped.set)

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
from pathlib import Path

from controlplane.standalone import processes
from controlplane.standalone.child import Child
from controlplane.standalone.plan import Plan, children, nats_child
from controlplane.standalone.probe import Probe
from streams.broker import server
from streams.core.errors import BrokerAway

logger = logging.getLogger(__name__)

READY_S = 60.0
LOOK_S = 0.05
MEMORY_LOOK_S = 1.0


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
    """

    def __init__(
        self, plan: Plan, environment: Mapping[str, str], *, began_at: float, demo: bool
    ) -> None:
        self._plan = plan
        self._began_at = began_at
        self._probe = Probe()
        self._nats = nats_child(plan, environment) if plan.nats_configuration else None
        self._others = children(plan, environment, demo=demo)
        self._keeping: list[asyncio.Task[None]] = []
        self._peak_mb = 0.0
        self.stopped = asyncio.Event()
        self.ready_s = 0.0

    async def start_broker(self) -> None:
        """
        Start the embedded server and wait until JetStream is ready.

        Raises:
            NotReady: It did not come up.
        """
        if self._nats is not None:
            folder = self._plan.nats_folder
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(folder / "nats.conf", self._plan.nats_configuration)
            self._start(self._nats)
            what = "nats-server"
        else:
            what = "NATS's monitoring port (NATS_MONITOR_URL)"
        await self._until(what, self._nats, self._broker_is_ready)

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
        # Beat after the worker: an idle worker looks at its orders every two seconds only, but
        # at once after a tick.
        beat = [child for child in self._others if child.name == "beat"]
        await end_all([child for child in self._others if child not in beat])
        await end_all(beat)
        await end_all([self._nats] if self._nats else [])
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)

    def listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(sig, self.stopped.set)

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

    def _broker_is_ready(self) -> bool:
        monitor_url = self._plan.monitor_url
        try:
            if server.monitor(monitor_url, "/healthz").get("status") != "ok":
                return False
            name = server.monitor(monitor_url, "/varz").get("server_name")
        except BrokerAway:
            return False
        if self._nats is not None and name != self._plan.nats_name:
            # Its ports were free when they were chosen.
            raise NotReady("another server took NATS's ports in the same moment; start again.")
        return True

    def _web_answers(self) -> bool:
        try:
            server.monitor(self._plan.web_url, "/health")
        except BrokerAway:
            return False
        return True

    async def _measure(self) -> None:
        while True:
            pids = await asyncio.to_thread(processes.family, os.getpid())
            self._peak_mb = max(self._peak_mb, processes.resident_mb(pids))
            await asyncio.sleep(MEMORY_LOOK_S)


async def end_all(some: Sequence[Child]) -> None:
    for child in some:
        child.stop()
    await asyncio.gather(*(child.ended() for child in some))


def write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")

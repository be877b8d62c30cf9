"""
A worker process: sources in, JetStream out. It never imports Django.

stdin: one line of WorkerSettings, then complete lists of SourceSpec, one line each, all JSON; its
end is the order to stop. stdout: a WorkerStatus per second. A worker whose manager died reads the
end of stdin and goes too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import ssl
import sys
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import uvloop

from pipeline.core.spec import SourceSpec
from pipeline.core.status import PublisherStatus, WorkerSettings, WorkerStatus
from pipeline.supervise import Supervisor
from pipeline.supervise.gather import Gather
from streams.broker import voice
from streams.broker.connect import connect
from streams.broker.installation import refuse_intruder
from streams.broker.publisher import Publisher
from streams.core.errors import WrongClient

if TYPE_CHECKING:
    # Loaded here, before `streams.broker`, it would bring aiohttp along.
    from nats.aio.client import Client

logger = logging.getLogger(__name__)

MAX_LINE = 64 * 1024 * 1024
# No record takes less: so the buffer's bytes are what counts.
SMALLEST = 128

BAD_INPUT = 2
INCOMPLETE = 3

T = TypeVar("T")

_settings = msgspec.json.Decoder(WorkerSettings)
_specs = msgspec.json.Decoder(list[SourceSpec])


class Stopped(Exception):
    """The order to stop came while something else was awaited."""


class Worker:
    def __init__(self, settings: WorkerSettings, inbox: asyncio.StreamReader) -> None:
        self._settings = settings
        self._inbox = inbox
        self._stop = asyncio.Event()
        self._done = asyncio.Event()
        self._wanted: list[SourceSpec] = []
        self._news = asyncio.Event()
        self._client: Client | None = None
        self._publisher: Publisher | None = None
        self._supervisor: Supervisor | None = None

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> bool:
        """
        Work until stopped; return whether everything taken in was stored.

        Raises:
            ExceptionGroup: A bug, or a connection to NATS that was closed for good.
        """
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen())
            tasks.create_task(self._say())
            try:
                self._client = await self._unless_stopped(
                    connect(self._settings.nats_url, name="pipeline-worker", patience_s=None)
                )
                stored = await self._work(self._client)
            except Stopped:
                stored = True  # Nothing was taken in yet.
            finally:
                if self._client is not None:
                    await self._client.close()
            listening.cancel()
            self._done.set()
        return stored

    async def _work(self, client: Client) -> bool:
        most = self._settings.buffer_bytes
        self._publisher = publisher = Publisher(
            client, max_bytes=most, max_waiting=most // SMALLEST
        )
        async with asyncio.TaskGroup() as publishing:
            writing = publishing.create_task(publisher.run(), name="publisher")
            try:
                await self._keep_sources(publisher)
            finally:
                # What the sources handed over is still to be stored, also when one had a bug.
                stored = await publisher.drain(self._settings.drain_s)
            writing.cancel()
        if not stored:
            left = publisher.counters()
            logger.error("stopped with %d records not stored", left.in_flight + left.waiting)
        return stored

    async def _keep_sources(self, publisher: Publisher) -> None:
        async with asyncio.TaskGroup() as sources:
            self._supervisor = Supervisor(
                sources,
                publisher,
                clock_ns=time.time_ns,
                dice=random.random,
                ssl=ssl.create_default_context(),
                lingering=publisher.lingering,
                gather=Gather(),
            )
            try:
                while True:
                    await self._unless_stopped(self._news.wait())
                    self._news.clear()
                    await self._supervisor.reconcile(self._wanted)
            except Stopped:
                await self._supervisor.stop()

    async def _listen(self) -> None:
        """Take orders. Also while NATS is away: the end of stdin must never be missed."""
        # A manager that dies while it writes leaves half a line: that is no order, but the end.
        while (line := await self._inbox.readline()).endswith(b"\n"):
            self._wanted = _specs.decode(line)
            self._news.set()
        self._stop.set()

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not self._stop.is_set():
                return task.result()
            raise Stopped
        finally:
            stop.cancel()
            task.cancel()

    async def _say(self) -> None:
        loop = asyncio.get_running_loop()
        out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout)
        ending = False
        while not ending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.status_every_s):
                    await self._done.wait()
            ending = self._done.is_set()
            if out.is_closing():
                return  # The manager is gone; the end of stdin says so, too.
            # Nobody reads: say nothing rather than hold up the data.
            if not out.get_write_buffer_size():
                out.write(msgspec.json.encode(self._status()) + b"\n")
        out.close()

    def health(self) -> dict[str, object]:
        """Return what others on NATS shall know. Called in another thread."""
        counters = self._status().publisher
        return {
            "sources": len(self._wanted),
            "acknowledged": counters.acknowledged,
            "waiting": counters.waiting + counters.in_flight,
        }

    def _status(self) -> WorkerStatus:
        publisher = PublisherStatus()
        if self._client is not None and self._publisher is not None:
            publisher = PublisherStatus(
                connected=self._client.is_connected,
                **msgspec.structs.asdict(self._publisher.counters()),
            )
        return WorkerStatus(
            sources=self._supervisor.statuses() if self._supervisor else (),
            publisher=publisher,
        )


async def main() -> int:
    loop = asyncio.get_running_loop()
    inbox = asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(inbox), sys.stdin)
    try:
        settings = _settings.decode(await inbox.readline())
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        logger.error("the first line on stdin is not WorkerSettings: %s", e)
        return BAD_INPUT
    logging.getLogger().setLevel(settings.log_level)
    try:
        refuse_intruder()
    except WrongClient as e:
        logger.error("%s", e)
        return BAD_INPUT
    worker = Worker(settings, inbox)
    voice.begin(
        url=settings.nats_url,
        service="pipeline-worker",
        log_level=settings.nats_log_level,
        events=settings.nats_events,
        details=worker.health,
    )
    voice.started()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        return 0 if await worker.run() else INCOMPLETE
    finally:
        await asyncio.to_thread(voice.end)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    sys.exit(uvloop.run(main()))

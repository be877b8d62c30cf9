"""
A real worker process and the exchange it listens to, held from the measurement.

`python -m tests.bench.pipeline_worker FILE` is the worker with one thing more: at its end it writes
to FILE when how many records had been acknowledged. Only latencies are taken from such a worker.
"""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from streams.broker.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 120.0


class Held:
    """A process that takes lines of JSON and says some."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        self.said: dict[str, Any] = {}
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            async with self._news:
                self.said |= json.loads(line)
                self._news.notify_all()
        async with self._news:
            self.said["ended"] = True
            self._news.notify_all()

    def tell(self, order: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def until(self, condition: Callable[[dict[str, Any]], object]) -> None:
        try:
            async with asyncio.timeout(WITHIN_S), self._news:
                await self._news.wait_for(lambda: self.said.get("ended") or condition(self.said))
        except TimeoutError:
            raise AssertionError(f"not within {WITHIN_S} s: {str(self.said)[:2000]}") from None
        assert condition(self.said), f"it ended: {str(self.said)[:2000]}"

    async def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        async with asyncio.timeout(WITHIN_S):
            await self._process.wait()
            await self._reading


@asynccontextmanager
async def held(*arguments: str, cores: set[int]) -> AsyncIterator[Held]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        limit=64 * 1024 * 1024,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    try:
        yield Held(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def worker(nats_url: str, cores: set[int], *, acks: Path | None, status_every_s: float) -> Any:
    """Return the context of a worker; with `acks`, of one that notes them there."""
    program = ["pipeline.worker"] if acks is None else [__spec__.name, str(acks)]
    return _told(
        held("-m", *program, cores=cores),
        {
            "nats_url": nats_url,
            "status_every_s": status_every_s,
            "drain_s": WITHIN_S,
            "log_level": "WARNING",
        },
    )


@asynccontextmanager
async def _told(context: Any, order: object) -> AsyncIterator[Held]:
    async with context as process:
        process.tell(order)
        yield process


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, all its threads, to the nanosecond."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += int((task / "schedstat").read_text().split()[0])
    return found / 1e9


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def peak_rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    acks: list[tuple[int, int]] = []
    stored = Ledger.stored

    def noted(ledger: Ledger, count: int, size: int) -> None:
        stored(ledger, count, size)
        acks.append((time.time_ns(), ledger.acknowledged))

    Ledger.stored = noted  # type: ignore[assignment, method-assign]
    into = Path(sys.argv[1])
    try:
        runpy.run_module("pipeline.worker", run_name="__main__", alter_sys=True)
    finally:
        into.write_text(json.dumps(acks))


if __name__ == "__main__":
    main()

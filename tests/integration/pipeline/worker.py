"""A real worker process, held from a test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
STREAM = "MARKET_DATA"


class Worker:
    def __init__(self, process):
        self.process = process
        self.latest: dict[str, Any] = {"sources": [], "publisher": {}}
        self._said = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for line in self.process.stdout:
            async with self._said:
                self.latest = json.loads(line)
                self._said.notify_all()

    def order(self, *specs):
        self.process.stdin.write(json.dumps(specs).encode() + b"\n")

    def source(self, source_id="test"):
        found = [source for source in self.latest["sources"] if source["source_id"] == source_id]
        return found[0] if found else {"state": "", "received": 0}

    async def until(self, condition, within_s=20):
        try:
            async with asyncio.timeout(within_s), self._said:
                await self._said.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"not within {within_s} s; said last: {self.latest}") from None

    async def ended(self, within_s=15):
        async with asyncio.timeout(within_s):
            code = await self.process.wait()
            await self._reading
        return code

    async def stop(self):
        self.process.stdin.close()
        return await self.ended()


@asynccontextmanager
async def worker(nats_url, **settings):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pipeline.worker",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin
    line = json.dumps({"nats_url": nats_url, "status_every_s": 0.1} | settings)
    process.stdin.write(line.encode() + b"\n")
    try:
        yield Worker(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def spec(endpoint, source_id="test", **more):
    return {
        "source_id": source_id,
        "protocol": "websocket",
        "endpoint": endpoint,
        "venue": "binance",
    } | more


async def api(client, verb, body=None):
    answer = await client.request(f"$JS.API.{verb}", json.dumps(body or {}).encode(), timeout=5)
    found = json.loads(answer.data)
    assert "error" not in found, found
    return found


async def make_stream(client):
    body = {"name": STREAM, "subjects": ["market.>"], "storage": "file"}
    return await api(client, f"STREAM.CREATE.{STREAM}", body)


async def stored(client):
    """Return (subject, payload) of everything in the stream, in its order."""
    count = (await api(client, f"STREAM.INFO.{STREAM}"))["state"]["messages"]
    sub = await client.jetstream().subscribe("market.>", stream=STREAM, ordered_consumer=True)
    found = []
    for _ in range(count):
        message = await sub.next_msg(timeout=10)
        found.append((message.subject, message.data))
    await sub.unsubscribe()
    return found

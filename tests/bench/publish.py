"""
How fast one process has records stored by JetStream, beside nats-py's own ways and the limit.

Prints one JSON line. Every way publishes records of 200 bytes to one subject of a new stream on
file storage, in turn, round after round, and waits until all are acknowledged:

* await_each: nats-py's `js.publish`, one after the other.
* publish_async: nats-py's own pipeline, 1,000 outstanding.
* ours: through `Publisher.submit`, 500 records in a turn of the loop.
* socket_limit: the same messages made beforehand and written to a bare socket.

All of these carry a Nats-Msg-Id of their own in every message, so that the server does the same
work for each: to keep ids costs it nearly as much again as to store. The same without ids is under
`without_ids_per_s`. All run on uvloop.

`core_publish_lost` is the share of records that a publisher loses which does not wait for
acknowledgements: nats-py's `publish` into the stream, as fast as it goes.

Then 100,000 records a second through ours: `p50_ms` and `p99_ms` from the time that a record was
due to its acknowledgement. CPU is user and system time of one record, of this process and of the
server. `foreign_cpu` is the share of the machine that others took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.client import Client

from streams.broker.connect import connect
from streams.broker.publisher import WINDOW, Publisher
from streams.broker.server import monitor
from tests.bench.accounts import cpu_of, cpu_of_all
from tests.bench.streams_raw import RawPublisher, encoded
from tests.servers.nats import NatsServer

ROUNDS = 7
BYTES = 200
PAYLOAD = b"x" * BYTES
SUBJECT = "bench.binance.BTCUSDT.trade"
WITHIN_S = 60.0
OUTSTANDING = 1_000
PER_TURN = 500
# About a second of each.
COUNTS = {
    "await_each": 5_000,
    "publish_async": 50_000,
    "ours": 200_000,
    "socket_limit": 200_000,
    "await_each_without_ids": 5_000,
    "publish_async_without_ids": 50_000,
    "ours_without_ids": 200_000,
    "socket_limit_without_ids": 200_000,
}
CORE_COUNT = 500_000
PACED_PER_S = 100_000
PACED_S = 3.0
BARS = {
    f"ours_at_least_{factor:g}_x_{other}{ids}": (f"ours{ids}", f"{other}{ids}", factor)
    for other, factor in (("publish_async", 4.0), ("socket_limit", 0.7))
    for ids in ("", "_without_ids")
}
P99_MS = 10.0


@dataclass(frozen=True)
class Turn:
    """One way in one round. CPU is in microseconds of one record."""

    per_s: float
    client_us: float
    server_us: float
    foreign: float
    lost: int


@dataclass(frozen=True)
class Paced:
    """Acknowledgements at a steady rate, from the time that a record was due."""

    p50_ms: float
    p99_ms: float
    client_cores: float
    server_cores: float
    lost: int


def ids(count: int) -> list[str]:
    """Return what a collector of market data would take."""
    return [f"binance:BTCUSDT:trade:{number}" for number in range(count)]


class Ways:
    """Every way to publish, connected. Each is called with how many records it is to send."""

    def __init__(self, url: str, client: Client) -> None:
        self.client = client
        self.stream = client.jetstream(publish_async_max_pending=OUTSTANDING)
        self.raw = RawPublisher(url)
        self.publisher = Publisher(client)
        self.running = asyncio.create_task(self.publisher.run())
        self.ids = ids(max(COUNTS.values()))
        self.blobs = {
            "socket_limit": self._blobs(self.ids),
            "socket_limit_without_ids": self._blobs([None] * len(self.ids)),
        }
        self.by_name: dict[str, Callable[[int], Awaitable[None]]] = {
            "await_each": lambda count: self.await_each(count, with_ids=True),
            "publish_async": lambda count: self.publish_async(count, with_ids=True),
            "ours": lambda count: self.ours(count, with_ids=True),
            "socket_limit": lambda count: self.limit("socket_limit", count),
            "await_each_without_ids": lambda count: self.await_each(count, with_ids=False),
            "publish_async_without_ids": lambda count: self.publish_async(count, with_ids=False),
            "ours_without_ids": lambda count: self.ours(count, with_ids=False),
            "socket_limit_without_ids": lambda c: self.limit("socket_limit_without_ids", c),
        }

    @staticmethod
    def _blobs(msg_ids: list[str] | list[None]) -> list[bytes]:
        return [
            b"".join([encoded(SUBJECT, PAYLOAD, msg_id) for msg_id in msg_ids[i : i + 100]])
            for i in range(0, len(msg_ids), 100)
        ]

    async def await_each(self, count: int, *, with_ids: bool) -> None:
        for msg_id in self.ids[:count]:
            headers = {"Nats-Msg-Id": msg_id} if with_ids else None
            await self.stream.publish(SUBJECT, PAYLOAD, headers=headers)

    async def publish_async(self, count: int, *, with_ids: bool) -> None:
        for msg_id in self.ids[:count]:
            headers: dict[str, Any] | None = {"Nats-Msg-Id": msg_id} if with_ids else None
            await self.stream.publish_async(SUBJECT, PAYLOAD, headers=headers)
        await asyncio.wait_for(self.stream.publish_async_completed(), WITHIN_S)

    async def ours(self, count: int, *, with_ids: bool) -> None:
        submit = self.publisher.submit
        msg_ids = self.ids[:count] if with_ids else [""] * count
        for first in range(0, count, PER_TURN):
            room = True
            for msg_id in msg_ids[first : first + PER_TURN]:
                room = submit(SUBJECT, PAYLOAD, msg_id)
            # What reads from sockets gives others their turn, too.
            await (asyncio.sleep(0) if room else self.publisher.room())
        assert await self.publisher.drain(WITHIN_S)

    async def limit(self, name: str, count: int) -> None:
        blobs = self.blobs[name][: count // 100]
        await asyncio.to_thread(self.raw.publish, blobs, 100, WINDOW)

    async def new_stream(self) -> None:
        body = {"name": "BENCH", "subjects": ["bench.>"], "storage": "file", "allow_batched": True}
        await self.client.request("$JS.API.STREAM.DELETE.BENCH", timeout=WITHIN_S)
        await self.call("STREAM.CREATE.BENCH", body)

    async def stored(self) -> int:
        return int((await self.call("STREAM.INFO.BENCH", {}))["state"]["messages"])

    async def stored_at_last(self) -> int:
        """Return how many are stored when no more are being stored."""
        seen, found = -1, await self.stored()
        while found != seen:
            await asyncio.sleep(0.5)
            seen, found = found, await self.stored()
        return found

    async def call(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        asked = await self.client.request(
            f"$JS.API.{verb}", json.dumps(body).encode(), timeout=WITHIN_S
        )
        answer: dict[str, Any] = json.loads(asked.data)
        assert "error" not in answer, answer
        return answer

    async def close(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running
        self.raw.close()


async def turn(ways: Ways, name: str, server: int) -> Turn:
    count = COUNTS[name]
    await ways.new_stream()
    began, client, of_server, machine = (
        time.perf_counter(), time.process_time(), cpu_of(server), cpu_of_all(),
    )  # fmt: skip
    await ways.by_name[name](count)
    took = time.perf_counter() - began
    client, of_server = time.process_time() - client, cpu_of(server) - of_server
    foreign = max(0.0, cpu_of_all() - machine - client - of_server)
    return Turn(
        per_s=count / took,
        client_us=client / count * 1e6,
        server_us=of_server / count * 1e6,
        foreign=foreign / took / (os.cpu_count() or 1),
        lost=count - await ways.stored(),
    )


async def core_lost(ways: Ways) -> float:
    """Return which share of the records is lost when nobody waits for acknowledgements."""
    await ways.new_stream()
    for _ in range(CORE_COUNT):
        await ways.client.publish(SUBJECT, PAYLOAD)
    await ways.client.flush(timeout=int(WITHIN_S))
    return 1 - await ways.stored_at_last() / CORE_COUNT


async def paced(ways: Ways, server: int) -> Paced:
    """Publish at a steady rate through ours."""
    await ways.new_stream()
    count = int(PACED_PER_S * PACED_S)
    msg_ids = ids(count)
    client, of_server = time.process_time(), cpu_of(server)
    began, acks = await sent_steadily(ways.publisher, msg_ids)
    took = time.perf_counter() - began
    client, of_server = time.process_time() - client, cpu_of(server) - of_server
    waits, first = [], 0
    for at, upto in acks:
        waits += [(at - began - number / PACED_PER_S) * 1_000 for number in range(first, upto)]
        first = upto
    waits.sort()
    return Paced(
        p50_ms=waits[count // 2],
        p99_ms=waits[count * 99 // 100],
        client_cores=client / took,
        server_cores=of_server / took,
        lost=count - await ways.stored(),
    )


async def sent_steadily(
    publisher: Publisher, msg_ids: list[str]
) -> tuple[float, list[tuple[float, int]]]:
    """Return when it began, and at which times how many were acknowledged."""
    ledger = publisher._ledger
    before, stored = ledger.acknowledged, ledger.stored
    acks: list[tuple[float, int]] = []

    def noted(count: int, size: int) -> None:
        stored(count, size)
        acks.append((time.perf_counter(), ledger.acknowledged - before))

    ledger.stored = noted  # type: ignore[method-assign]
    try:
        began, sent = time.perf_counter(), 0
        while sent < len(msg_ids):
            due = int((time.perf_counter() - began) * PACED_PER_S)
            for msg_id in msg_ids[sent:due]:
                publisher.submit(SUBJECT, PAYLOAD, msg_id)
            sent = due
            await asyncio.sleep(0.001)
        assert await publisher.drain(WITHIN_S)
    finally:
        ledger.stored = stored  # type: ignore[method-assign]
    return began, acks


async def measured(server: NatsServer, rounds: int) -> dict[str, Any]:
    client = await connect(server.url, name="bench", patience_s=10)
    ways = Ways(server.url, client)
    turns: dict[str, list[Turn]] = {name: [] for name in COUNTS}
    names = list(COUNTS)
    core: list[float] = []
    latency: list[Paced] = []
    try:
        for name in names:
            await turn(ways, name, server.pid)  # Warm.
        for number in range(rounds):
            # Nobody always follows the same neighbour.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                turns[name].append(await turn(ways, name, server.pid))
            latency.append(await paced(ways, server.pid))
            core.append(await core_lost(ways))
        counters = ways.publisher.counters()
    finally:
        await ways.close()
        await client.close()
    return report(turns, latency, core) | {"resent": counters.resent, "refused": counters.refused}


def report(turns: dict[str, list[Turn]], latency: list[Paced], core: list[float]) -> dict[str, Any]:
    rate = {name: statistics.median(t.per_s for t in found) for name, found in turns.items()}
    at_pace = {
        name: statistics.median(getattr(run, name) for run in latency)
        for name in ("p50_ms", "p99_ms", "client_cores", "server_cores")
    }
    ours = turns["ours"] + turns["ours_without_ids"]
    lost = sum(t.lost for t in ours) + sum(run.lost for run in latency)
    with_ids = [name for name in COUNTS if not name.endswith("_without_ids")]
    return {
        **{f"{name}_per_s": round(rate[name]) for name in with_ids},
        "without_ids_per_s": {
            name.removesuffix("_without_ids"): round(rate[name])
            for name in COUNTS if name not in with_ids
        },
        "range_per_s": {
            name: [round(min(t.per_s for t in found)), round(max(t.per_s for t in found))]
            for name, found in turns.items()
        },
        **{
            f"{who}_cpu_us": {
                name: round(statistics.median(getattr(t, f"{who}_us") for t in found), 2)
                for name, found in turns.items()
            }
            for who in ("client", "server")
        },
        **ratios(rate),
        "paced_per_s": PACED_PER_S,
        "p50_ms": round(at_pace["p50_ms"], 2),
        "p99_ms": round(at_pace["p99_ms"], 2),
        "p99_ms_range": [round(f(run.p99_ms for run in latency), 2) for f in (min, max)],
        "paced_cores": {who: round(at_pace[f"{who}_cores"], 2) for who in ("client", "server")},
        "lost": lost,
        "core_publish_lost": round(statistics.median(core), 3),
        "bars": {
            **{bar: rate[one] >= least * rate[other] for bar, (one, other, least) in BARS.items()},
            "p99_at_most_10_ms": at_pace["p99_ms"] <= P99_MS,
            "nothing_lost": lost == 0,
        },
        "foreign_cpu": round(
            statistics.median(t.foreign for found in turns.values() for t in found), 3
        ),
    }  # fmt: skip


def ratios(rate: dict[str, float]) -> dict[str, float]:
    """Return how ours fares, like with like."""
    return {
        f"ours_x_{other}{ids}": round(rate[f"ours{ids}"] / rate[f"{other}{ids}"], 2)
        for ids in ("", "_without_ids")
        for other in ("await_each", "publish_async", "socket_limit")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure publishing into JetStream.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        server.start()
        try:
            found = {
                "bench": "publish",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "python": platform.python_version(),
                "nats_py": version("nats-py"),
                "nats_server": monitor(server.monitor_url, "/varz")["version"],
                "bytes": BYTES,
                "window": WINDOW,
                "rounds": rounds,
                "load_before": round(load, 2),
            } | uvloop.run(measured(server, rounds))
        finally:
            server.stop()
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

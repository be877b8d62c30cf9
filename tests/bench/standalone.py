"""
How soon the whole product is ready, how much memory it holds, how soon it flows again.

Prints one JSON line. Each round starts it on the same data directory (the first on an empty one),
lets it run, kills its nats-server with SIGKILL and waits until market data, account data and
WebSocket frames have each arrived again at a subscriber from outside.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import statistics
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path

from controlplane.standalone import processes
from controlplane.standalone.probe import Probe
from tests.servers.standalone import Tickplane

ROUNDS = 5
SETTLE_S = 5.0
# Shorter than a client's first attempt to come back.
ON_ITS_WAY_S = 0.2
GIVE_UP_S = 60.0
KINDS = ("market", "account", "frames")


def session_cookie(sign_in_url: str) -> str:
    """Return the cookie that the sign-in link of a running system gives."""
    jar = CookieJar()
    urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(sign_in_url).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


async def all_arrive(probe: Probe, ignore_s: float = 0.0) -> float:
    """
    Return the seconds until each kind has arrived once more.

    Args:
        ignore_s: What arrives at first was on its way already.
    """
    began = time.monotonic()
    await asyncio.sleep(ignore_s)
    before = dict(probe.counts)
    async with asyncio.timeout(GIVE_UP_S):
        while not all(probe.counts[kind] > before.get(kind, 0) for kind in KINDS):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def one_round(system: Tickplane) -> tuple[float, float]:
    """Return the resident megabytes of the running system, and its seconds of recovery."""
    probe = Probe()
    url = system.url
    cookie = await asyncio.to_thread(session_cookie, system.sign_in_url())
    try:
        await probe.watch_broker(system.nats_url)
        probe.watch_browser_socket(f"ws{url[4:]}/ws/", url, cookie)
        await all_arrive(probe)
        await asyncio.sleep(SETTLE_S)
        assert system.pid is not None
        resident_mb = processes.resident_mb(processes.family(system.pid))
        os.kill(int((system.home / "nats" / "nats.pid").read_text()), signal.SIGKILL)
        return resident_mb, await all_arrive(probe, ON_ITS_WAY_S)
    finally:
        await probe.close()


def main() -> None:
    starts: list[float] = []
    memory: list[float] = []
    recoveries: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        system = Tickplane(Path(folder))
        for _ in range(ROUNDS + 1):
            began = time.monotonic()
            system.start()
            starts.append(time.monotonic() - began)
            try:
                resident_mb, recovery_s = asyncio.run(one_round(system))
            finally:
                system.stop()
            memory.append(resident_mb)
            recoveries.append(recovery_s)
    print(  # noqa: T201 - the result
        json.dumps(
            {
                "bench": "standalone",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "first_ready_s": round(starts[0], 2),
                "next_ready_s": round(statistics.median(starts[1:]), 2),
                "rss_mb": round(statistics.median(memory), 1),
                "nats_killed_flows_again_s": round(statistics.median(recoveries), 2),
                "nats_killed_flows_again_worst_s": round(max(recoveries), 2),
                "rounds": ROUNDS,
            }
        )
    )


if __name__ == "__main__":
    main()

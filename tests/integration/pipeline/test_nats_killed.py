"""
NATS is gone for ten seconds, without a word, while 10,000 messages a second come in.

The venue waits for nobody. So whatever is to survive must fit into the worker, and must be stored
afterwards once, in its order.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from streams.broker.connect import connect
from streams.core.market import decoded
from streams.core.templates import STANDARD
from tests.integration.pipeline.worker import ROOT, STREAM, api, make_stream, spec, worker

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

PER_S = 10_000
LINKS = 10
AWAY_S = 10
FRAMES = 18 * PER_S
# The worker as it runs before, 64 MB of buffer and what that costs to keep.
MOST_RSS_MB = 150


class Pouring:
    """See `tests.integration.pipeline.pouring`."""

    def __init__(self, process):
        self._process = process
        self.said = {}
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for line in self._process.stdout:
            async with self._news:
                self.said |= json.loads(line)
                self._news.notify_all()

    async def until(self, condition, within_s=60):
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: condition(self.said))

    async def end(self):
        self._process.stdin.close()
        async with asyncio.timeout(10):
            assert await self._process.wait() == 0
            await self._reading


@asynccontextmanager
async def pouring(**order):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.pipeline.pouring",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(json.dumps(order).encode() + b"\n")
    try:
        yield Pouring(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def rss_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {name: text for name, _, text in (line.partition(":") for line in lines)}
    return int(found["VmRSS"].split()[0]) / 1024, int(found["VmHWM"].split()[0]) / 1024


async def read_all(client, count):
    """Return the messages of each subject, in their order, and how many there are."""
    found = defaultdict(list)
    kinds: dict[str, str] = {}
    complete = asyncio.Event()
    so_far = 0

    async def take(message):
        nonlocal so_far
        subject = message.subject
        if subject not in kinds:
            place = STANDARD.parse(subject)
            assert place is not None, subject
            kinds[subject] = place.data_type
        found[subject].append(decoded(kinds[subject], message.data))
        so_far += 1
        if so_far == count:
            complete.set()

    sub = await client.jetstream().subscribe(
        "market.>", stream=STREAM, ordered_consumer=True, cb=take
    )
    async with asyncio.timeout(60):
        await complete.wait()
    await sub.unsubscribe()
    return found


def all_in_order(found, frames):
    """Assert that each subject holds its numbers from 1 on, in order; return how many in all."""
    each = frames // LINKS // 2
    for subject, messages in found.items():
        numbers = [int(m.trade_id) if subject.endswith(".trade") else m.last_seq for m in messages]
        assert numbers == list(range(1, each + 1)), subject
        assert [m.local_seq for m in messages] == numbers, subject
        assert len({m.epoch for m in messages}) == 1, subject
    assert len(found) == 2 * LINKS
    return each * len(found)


def links_of(feed):
    return [
        spec(f"{feed.said['url']}/ws/s{n}usdt@trade/s{n}usdt@bookTicker", f"link-{n}")
        for n in range(LINKS)
    ]


def received(running):
    return sum(source["received"] for source in running.latest["sources"])


async def all_stored(running, frames):
    await running.until(
        lambda: (
            received(running) == frames and running.latest["publisher"]["acknowledged"] == frames
        )
    )


async def test_ten_seconds_without_nats_lose_nothing_and_repeat_nothing(own_nats, capsys):
    async with (
        pouring(links=LINKS, per_s=PER_S, frames=FRAMES) as feed,
        worker(own_nats.url) as running,
    ):
        client = await connect(own_nats.url, name="test", patience_s=10)
        await make_stream(client)
        await feed.until(lambda said: "url" in said)
        running.order(*links_of(feed))
        await feed.until(lambda said: said.get("sent", 0) > 3 * PER_S)
        before_mb, _ = rss_mb(running.process.pid)

        await asyncio.to_thread(own_nats.kill)
        began_s = time.monotonic()
        sent = feed.said["sent"]
        await feed.until(lambda said: said["sent"] >= sent + AWAY_S * PER_S)
        kept = running.latest["publisher"]
        away_mb, _ = rss_mb(running.process.pid)
        await asyncio.to_thread(own_nats.start)
        away_s = time.monotonic() - began_s
        began_s = time.monotonic()
        await running.until(
            lambda: (
                running.latest["publisher"]["connected"]
                and running.latest["publisher"]["waiting"] < PER_S
            )
        )
        caught_up_s = time.monotonic() - began_s

        await feed.until(lambda said: "done" in said)
        await all_stored(running, FRAMES)
        said, (_, peak_mb) = running.latest, rss_mb(running.process.pid)
        info = (await api(client, f"STREAM.INFO.{STREAM}"))["state"]
        found = await read_all(client, info["messages"])
        await client.close()
        await feed.end()
        assert await running.stop() == 0

    different = all_in_order(found, FRAMES)
    assert (different, info["messages"]) == (FRAMES, FRAMES)
    assert away_s >= AWAY_S
    assert all(s["disconnects"] == s["gaps"] == s["repeated"] == 0 for s in said["sources"])
    # The venue would not have noticed: it was listened to all the time.
    assert kept["waiting"] + kept["in_flight"] > 0.8 * AWAY_S * PER_S
    assert peak_mb < MOST_RSS_MB
    with capsys.disabled():
        print(  # noqa: T201 - the figures are asked for
            json.dumps(
                {
                    "nats_killed_s": round(away_s, 1),
                    "per_s": PER_S,
                    "sent": FRAMES,
                    "stored": info["messages"],
                    "lost": FRAMES - different,
                    "repeated": info["messages"] - different,
                    "kept_while_away": kept["waiting"] + kept["in_flight"],
                    "resent": said["publisher"]["resent"],
                    "dropped_by_jetstream_as_repeats": said["publisher"]["duplicates"],
                    "caught_up_s": round(caught_up_s, 1),
                    "feeder_waited_for_kb": round(feed.said["most_unsent_kb"], 1),
                    "rss_mb": [round(x) for x in (before_mb, away_mb, peak_mb)],
                    "cores": os.cpu_count(),
                }
            )
        )


async def test_a_full_buffer_makes_the_venue_wait_and_whoever_waits_loses_nothing(own_nats):
    frames, most = 5 * PER_S, 1024 * 1024
    async with (
        pouring(links=LINKS, per_s=PER_S, frames=frames) as feed,
        worker(own_nats.url, buffer_bytes=most) as running,
    ):
        client = await connect(own_nats.url, name="test", patience_s=10)
        await make_stream(client)
        await feed.until(lambda said: "url" in said)
        running.order(*links_of(feed))
        await feed.until(lambda said: said.get("sent", 0) > PER_S)

        await asyncio.to_thread(own_nats.kill)
        await running.until(lambda: feed.said["sent"] - received(running) > 2 * PER_S)
        kept = running.latest["publisher"]
        await asyncio.to_thread(own_nats.start)
        await all_stored(running, frames)
        info = (await api(client, f"STREAM.INFO.{STREAM}"))["state"]
        found = await read_all(client, info["messages"])
        await client.close()
        await feed.end()
        assert await running.stop() == 0

    assert info["messages"] == frames == all_in_order(found, frames)
    assert kept["waiting"] + kept["in_flight"] < 2 * PER_S

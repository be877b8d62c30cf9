"""Numbered records that go out all the time, and how long nothing was acknowledged."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import nats.errors

from streams.broker import system
from streams.broker.connect import connect
from streams.broker.publisher import Publisher

SUBJECT = "load.test"
STREAM = "LOAD"
BATCH, EVERY_S = 20, 0.01
# Elections take about five seconds, and the machine may be busy.
PATIENCE_S = 60.0
WATCH_S = 0.001


class Load:
    """
    A publisher under steady load, and a connection beside it that asks.

    `gap_s` is the longest time without an acknowledgement since `begin_gap`.
    """

    def __init__(self, url: str, **options) -> None:
        self._url = url
        self._options = options
        self.submitted = 0
        self.gap_s = 0.0

    async def __aenter__(self):
        self.client = await connect(self._url, name="load", patience_s=30, **self._options)
        self.asking = await connect(self._url, name="asking", patience_s=30, **self._options)
        await self.until(self._make_stream)
        self.publisher = Publisher(self.client)
        self._is_feeding = True
        self._publishing = asyncio.create_task(self.publisher.run())
        self._feeding = asyncio.create_task(self._feed())
        self._watching = asyncio.create_task(self._watch())
        await self.more(100)
        return self

    async def __aexit__(self, *_):
        self._is_feeding = False
        for task in (self._publishing, self._feeding, self._watching):
            task.cancel()
        await asyncio.gather(
            self._publishing, self._feeding, self._watching, return_exceptions=True
        )
        await self.client.close()
        await self.asking.close()

    async def _make_stream(self):
        found = await call(
            self.asking, f"STREAM.CREATE.{STREAM}",
            {
                "name": STREAM, "subjects": [SUBJECT], "num_replicas": 3, "allow_batched": True,
                "duplicate_window": 120_000_000_000,
            },
        )  # fmt: skip
        return "config" in found

    async def _feed(self):
        while self._is_feeding:
            for _ in range(BATCH):
                number = self.submitted
                self.submitted += 1
                if not self.publisher.submit(SUBJECT, b"%d" % number, f"id-{number}"):
                    await self.publisher.room()
            await asyncio.sleep(EVERY_S)

    async def _watch(self):
        loop = asyncio.get_running_loop()
        seen, self._since_s = -1, loop.time()
        while True:
            acknowledged, now_s = self.publisher.counters().acknowledged, loop.time()
            self.gap_s = max(self.gap_s, now_s - self._since_s)
            if acknowledged != seen:
                seen, self._since_s = acknowledged, now_s
            await asyncio.sleep(WATCH_S)

    def begin_gap(self):
        self._since_s, self.gap_s = asyncio.get_running_loop().time(), 0.0

    async def more(self, count):
        """Return when so many further records are acknowledged."""
        goal = self.publisher.counters().acknowledged + count
        await self.until(lambda: self.publisher.counters().acknowledged >= goal)

    async def until(self, condition, within_s=PATIENCE_S):
        async with asyncio.timeout(within_s):
            while True:
                if self._failed():
                    self._publishing.result()
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.02)

    def _failed(self):
        task = getattr(self, "_publishing", None)
        return task is not None and task.done()

    async def leader(self):
        """Return the name of the stream's leader once there is one."""

        async def asked():
            info = await call(self.asking, f"STREAM.INFO.{STREAM}")
            return info.get("cluster", {}).get("leader")

        return await self.until(asked)

    async def whole(self, cluster):
        """Return when every node takes part, and every copy holds everything."""
        client = await connect(cluster.system_url, name="system", patience_s=30, **self._options)
        try:
            await self.until(lambda: all(node.ready for node in cluster.nodes))

            async def nothing_behind():
                return not await system.replicas_behind(client)

            await self.until(nothing_behind)
        finally:
            await client.close()

    async def finish(self):
        """Stop feeding; return how many were submitted once all are acknowledged."""
        self._is_feeding = False
        await self._feeding
        assert await self.publisher.drain(PATIENCE_S)
        return self.submitted

    async def stored(self):
        """Return how often the stream holds each number, in the order of the first of each."""
        counts: Counter[int] = Counter()
        complete = asyncio.Event()

        async def take(msg):
            counts[int(msg.data)] += 1
            if msg.metadata.num_pending == 0:
                complete.set()

        async def subscribed():
            try:
                return await self.asking.jetstream().subscribe(
                    SUBJECT, stream=STREAM, ordered_consumer=True, cb=take
                )
            except (TimeoutError, nats.errors.Error):
                return None  # The cluster is choosing a leader.

        sub = await self.until(subscribed)
        async with asyncio.timeout(PATIENCE_S):
            await complete.wait()
        await sub.unsubscribe()
        info = await call(self.asking, f"STREAM.INFO.{STREAM}", within_s=10)
        assert info["state"]["messages"] == counts.total()
        return counts


async def call(client, verb, body=None, within_s=1.0):
    """Return JetStream's answer, an error too; empty when there is none."""
    try:
        reply = await client.request(
            f"$JS.API.{verb}", msgspec.json.encode(body or {}), timeout=within_s
        )
    except Exception:  # noqa: BLE001  no leader, no link, no answer: all of it passes
        return {}
    return msgspec.json.decode(reply.data)


def assert_each_once(counts, submitted):
    """Nothing that was acknowledged is lost, nothing is there twice, the order is kept."""
    assert {number for number in range(submitted) if not counts[number]} == set()
    assert [number for number, times in counts.items() if times > 1] == []
    assert list(counts) == list(range(submitted))

"""What the tests of the consumer share: a stream of numbers, and a consumer that runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from streams.broker import jetstream
from streams.broker.connect import connect
from streams.broker.consumer import Consumer

SECOND = 1_000_000_000


class Numbers:
    """A stream of its own, whose messages are 0, 1, 2, …"""

    def __init__(self, client, name):
        self.client, self.name = client, name
        self.subject = f"{name.lower()}.number"
        self.count = 0

    async def make(self, **more):
        config = {"name": self.name, "subjects": [f"{self.name.lower()}.>"], "storage": "file"}
        await self.call(f"STREAM.CREATE.{self.name}", config | more)

    async def add(self, count):
        for number in range(self.count, self.count + count):
            await self.client.publish(self.subject, b"%d" % number)
        self.count += count
        await self.client.flush()

        async def has_all():
            state = (await self.call(f"STREAM.INFO.{self.name}"))["state"]
            return state["last_seq"] >= self.count

        await until(has_all)

    async def consumer(self, name, **config):
        config = {"durable_name": name, "ack_policy": "explicit", "max_ack_pending": 5_000} | config
        body = {"stream_name": self.name, "config": config}
        await self.call(f"CONSUMER.CREATE.{self.name}.{name}", body)

    async def info(self, name):
        return await self.call(f"CONSUMER.INFO.{self.name}.{name}")

    async def is_done(self, name):
        """Return whether every message is acknowledged."""
        return (await self.info(name))["ack_floor"]["stream_seq"] == self.count

    async def call(self, verb, body: Any = None):
        return await jetstream.call(self.client, verb, body)


class Sink:
    """A handler that keeps the numbers it is given."""

    def __init__(self):
        self.numbers: list[int] = []

    def take(self, delivery):
        self.numbers.append(int(delivery.data))

    async def take_all(self, batch):
        self.numbers += [int(delivery.data) for delivery in batch]


async def until(condition, within_s=15.0):
    """Wait until a condition, plain or awaited, holds."""
    async with asyncio.timeout(within_s):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def numbers(server, name, **more):
    client = await connect(server.url, name="test", patience_s=10)
    try:
        stream = Numbers(client, name)
        await stream.make(**more)
        yield stream
        await stream.call(f"STREAM.DELETE.{name}")
    finally:
        await client.close()


@asynccontextmanager
async def running(url, stream, **options):
    """A consumer on a connection of its own; what its `run` raises is raised here."""
    client = await connect(url, name="consumer", patience_s=10)
    try:
        consumer = Consumer(client, stream=stream.name, **options)
        task = asyncio.create_task(consumer.run())
        try:
            yield consumer
            if not task.done():
                async with asyncio.timeout(15):
                    await consumer.stop()
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])
    finally:
        await client.close()

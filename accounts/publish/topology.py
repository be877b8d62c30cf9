"""
Exchanges, queues and bindings: what must exist on RabbitMQ, how it is made and how it is watched.

Everything is published to one topic exchange, so that others may bind queues of their own. What is
asked of the broker is written as an errand: a generator that yields one request at a time and is
sent the broker's refusal, or None. Whoever runs it knows channels; the errand knows the topology.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct, field
from pika.channel import Channel

# What consumers declare, to the letter.
STATE_ARGUMENTS: Mapping[str, Any] = {"x-message-ttl": 60_000, "x-max-length": 10_000}
STATE_PREFIX = "state."
EVENT_PREFIX = "event."

MOST_EVENTS = 1_000_000
DELIVERIES = 20
# RabbitMQ 4 drops a message of a quorum queue after twenty deliveries unless told otherwise, and a
# dead letter has no place left to go.
DEAD_DELIVERIES = 1_000_000

NOT_FOUND = 404
PRECONDITION_FAILED = 406


class Topology(Struct, frozen=True):
    """Names and limits. Tests have their own; the product has one."""

    exchange: str = "mt5.accounts"
    state_queue: str = "socket_data"
    state_arguments: Mapping[str, Any] = field(default_factory=lambda: STATE_ARGUMENTS)
    event_queue: str = "account_events"
    most_events: int = MOST_EVENTS

    @property
    def dead(self) -> str:
        """The name of the exchange and of the queue of what consumers refused for good."""
        return f"{self.event_queue}.dead"

    @property
    def event_arguments(self) -> Mapping[str, Any]:
        return {
            "x-queue-type": "quorum",
            "x-max-length": self.most_events,
            # A full queue refuses; dropping the oldest would lose what was confirmed.
            "x-overflow": "reject-publish",
            "x-delivery-limit": DELIVERIES,
            "x-dead-letter-exchange": self.dead,
            "x-dead-letter-strategy": "at-least-once",
        }

    @property
    def dead_arguments(self) -> Mapping[str, Any]:
        return {"x-queue-type": "quorum", "x-delivery-limit": DEAD_DELIVERIES}

    def state(self) -> Part:
        name = self.state_queue
        return Part(
            queue=name,
            prefix=STATE_PREFIX,
            requests=(
                (f"the exchange {self.exchange}", _exchange(self.exchange, "topic")),
                (f"the queue {name}", _queue(name, self.state_arguments)),
            ),
            binding=_binding(name, self.exchange, STATE_PREFIX + "#"),
        )

    def events(self) -> Part:
        name, dead = self.event_queue, self.dead
        return Part(
            queue=name,
            prefix=EVENT_PREFIX,
            requests=(
                (f"the exchange {self.exchange}", _exchange(self.exchange, "topic")),
                # First where dead letters go: the queue keeps them until it exists.
                (f"the exchange {dead}", _exchange(dead, "fanout")),
                (f"the queue {dead}", _queue(dead, self.dead_arguments)),
                (f"the binding of {dead}", _binding(dead, dead, "")),
                (f"the queue {name}", _queue(name, self.event_arguments)),
            ),
            binding=_binding(name, self.exchange, EVENT_PREFIX + "#"),
        )


class Part(Struct, frozen=True):
    """One queue that is published to, with all that it needs; `requests` make it, in order."""

    queue: str
    prefix: str
    requests: tuple[tuple[str, Request], ...]
    binding: Request


class Refused(Struct, frozen=True):
    """The broker closed the channel over a request."""

    code: int
    text: str


class Found(Struct, frozen=True):
    """
    What a look at the topology told.

    `warning` is for a person, and "" when all is well; None: nothing was compared. `lost`: the
    queue was gone.
    """

    warning: str | None = None
    lost: bool = False


Done: TypeAlias = Callable[[Any], object]
Request: TypeAlias = Callable[[Channel, Done], object]
Errand: TypeAlias = Generator[Request, "Refused | None", Found]


def state_key(shard: int) -> str:
    return f"{STATE_PREFIX}{shard}"


def event_key(kind: str, shard: int) -> str:
    return f"{EVENT_PREFIX}{kind}.{shard}"


def declared(part: Part) -> Errand:
    """
    Make what is missing. A queue that exists with other arguments is used as it is, and told.

    Nothing here ends the link: where no queue takes a message, its return says so.
    """
    warnings: list[str] = []
    for what, request in (*part.requests, (f"the binding of {part.queue}", part.binding)):
        if refused := (yield request):
            warnings.append(_told(what, refused))
    return Found("; ".join(warnings))


def watched(part: Part, *, again: bool) -> Errand:
    """
    See whether the queue is still there and make what is gone.

    A return does not tell of a deleted queue while somebody else's takes the same messages.

    Args:
        again: Declare everything in any case: what differed may have been mended.
    """
    refused = yield _passive(part.queue)
    lost = refused is not None and refused.code == NOT_FOUND
    # AMQP cannot ask for a binding, but making it once more costs nothing.
    if again or lost or (yield part.binding):
        found = yield from declared(part)
        return Found(found.warning, lost)
    return Found()


def _exchange(name: str, kind: str) -> Request:
    return lambda channel, done: channel.exchange_declare(name, kind, durable=True, callback=done)


def _queue(name: str, arguments: Mapping[str, Any]) -> Request:
    return lambda channel, done: channel.queue_declare(
        name, durable=True, arguments=dict(arguments), callback=done
    )


def _passive(name: str) -> Request:
    return lambda channel, done: channel.queue_declare(name, passive=True, callback=done)


def _binding(queue: str, exchange: str, key: str) -> Request:
    return lambda channel, done: channel.queue_bind(queue, exchange, key, callback=done)


def _told(what: str, refused: Refused) -> str:
    if refused.code == PRECONDITION_FAILED:
        return f"{what} exists with other arguments: {refused.text}"
    return f"{what} cannot be made: {refused.text}"

"""Sources as a worker holds them, without a worker: a supervisor and what it published."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from contextlib import asynccontextmanager

from pipeline.core.spec import SourceSpec
from pipeline.supervise import Supervisor
from streams.core.market import decoded
from streams.core.proto.market_pb2 import FLAG_CONTROL, Control
from streams.core.templates import STANDARD
from tests.unit.pipeline.fakes import FakePublisher


class Herald:
    """Keeps what others would be told."""

    def __init__(self):
        self.said: list[tuple[str, str]] = []

    def alert(self, level, type, text, **details):  # noqa: A002
        self.said.append(("alert", type))

    def event(self, name, **details):
        self.said.append(("event", name))


def place_of(subject):
    place = STANDARD.parse(subject)
    assert place is not None, subject
    return place


class House:
    def __init__(self, supervisor, publisher, herald):
        self.supervisor = supervisor
        self.publisher = publisher
        self.herald = herald

    async def run(self, *specs):
        await self.supervisor.reconcile(specs)

    def status(self, source_id="a"):
        (found,) = [s for s in self.supervisor.statuses() if s.source_id == source_id]
        return found

    def messages(self):
        """Return what was published, in its order, by subject."""
        found = defaultdict(list)
        for subject, payload, _ in self.publisher.submitted:
            found[subject].append(decoded(place_of(subject).data_type, payload))
        return found

    def controls(self):
        """Return (symbol, data type, kind) of each control message, in their order."""
        found = []
        for subject, payload, _ in self.publisher.submitted:
            place = place_of(subject)
            message = decoded(place.data_type, payload)
            if message.flags & FLAG_CONTROL:
                kind = Control.Kind.Name(message.control.kind).removeprefix("KIND_")
                found.append((place.symbol, place.data_type, kind))
        return found

    def count(self, data_type="trade", symbol=None):
        places = [place_of(subject) for subject, _, _ in self.publisher.submitted]
        return sum(p.data_type == data_type and symbol in (None, p.symbol) for p in places)

    async def until(self, condition, within_s=15):
        try:
            async with asyncio.timeout(within_s):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{self.supervisor.statuses()} {self.controls()}") from None


@asynccontextmanager
async def house(*, clock_ns=time.time_ns, **more):
    publisher, herald = FakePublisher(), Herald()
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(
            tasks,
            publisher,
            clock_ns=clock_ns,
            dice=random.Random(1).random,  # noqa: S311
            voice=herald,
            **more,
        )
        try:
            yield House(supervisor, publisher, herald)
        finally:
            await supervisor.stop()


def spec(exchange, *symbols, types=("trade", "orderbook"), **more):
    return SourceSpec(
        **{
            "source_id": "a",
            "protocol": "websocket",
            "venue": exchange.venue,
            "endpoint": exchange.endpoint,
            "rest_endpoint": exchange.rest_endpoint,
            "types": types,
            "symbols": symbols,
            "reconnect_interval": 0.1,
            "linger_ms": 0,
        }
        | more
    )

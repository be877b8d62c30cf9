"""Somebody who reads what is published of a recording, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from pipeline.flow import Stages
from streams.core.market import KINDS
from streams.core.proto.market_pb2 import FLAG_SNAPSHOT, Control
from tests.unit.pipeline.fakes import FakePublisher


def received(path):
    """Return (received_ns, frame) of each frame that one of cryptofeed's recordings holds."""
    lines = [line.split(b": ", 1) for line in path.read_bytes().splitlines() if line[:1].isdigit()]
    return [(int(Decimal(at.decode()) * 10**9), frame) for at, frame in lines]


class Consumer:
    """
    What they know, of one source.

    Attributes:
        messages: All data, by (type, symbol).
        sides: Each book as its messages make it.
        controls: (symbol, kind) of each control message; `control` is the last one.
        ids: How often each `Nats-Msg-Id` came.
    """

    def __init__(self, spec):
        self.publisher = FakePublisher()
        self.stages = Stages(spec, self.publisher, lambda: 1)
        self.sides = {}
        self.messages = defaultdict(list)
        self.controls = []
        self.control: Any = None
        self.ids: Counter[str] = Counter()

    def hear(self, received_ns, frame):
        self.stages.accept(frame, received_ns)
        for message in self.read():
            assert message.received_ns == received_ns

    def read(self):
        """Return what was published meanwhile."""
        found = [self._take(*told) for told in self.publisher.submitted]
        self.publisher.submitted.clear()
        return found

    def numbers(self, token):
        return Counter(
            {s: len(found) for (kind, s), found in self.messages.items() if kind == token}
        )

    def but(self, symbol):
        """Return what is published of all but this symbol's book."""
        return {
            key: [message.SerializeToString() for message in found]
            for key, found in self.messages.items()
            if key != ("orderbook", symbol)
        }

    def _take(self, subject, payload, msg_id):
        token = subject.split(".")[3]
        message: Any = KINDS[token]()
        message.ParseFromString(payload)
        assert message.venue == self.stages.venue.name
        self.ids[msg_id] += 1
        if message.HasField("control"):
            self.controls.append((message.symbol, Control.Kind.Name(message.control.kind)))
            self.control = message.control
        else:
            self.messages[token, message.symbol].append(message)
            if token == "orderbook":
                self._apply(message)
        return message

    def _apply(self, message):
        if message.flags & FLAG_SNAPSHOT:
            self.sides[message.symbol] = {"bids": {}, "asks": {}}
        sides = self.sides[message.symbol]
        for side, prices, quantities in (
            (sides["bids"], message.bid_prices, message.bid_quantities),
            (sides["asks"], message.ask_prices, message.ask_quantities),
        ):
            for price, quantity in zip(prices, quantities, strict=True):
                at = Decimal(price).scaleb(message.price_exponent)
                if quantity:
                    side[at] = Decimal(quantity).scaleb(message.quantity_exponent)
                else:
                    side.pop(at, None)

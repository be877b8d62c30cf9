"""Messages in our hands, and where their stream would go on without us."""

from __future__ import annotations

from streams.broker.deliveries import Delivery


class Held:
    """
    What was handed over, or waits to be, and is not settled.

    Attributes:
        deliveries: Those, the earliest to come first.
        size: Their bytes.
        remembers: Whether the consumer may have to be made again. Only then these two are kept:
        last_seq: The last of the stream that came.
        owed: What was given back and has not come again.
    """

    def __init__(self, *, remembers: bool) -> None:
        self.deliveries: dict[Delivery, None] = {}
        self.size = 0
        self.remembers = remembers
        self.last_seq = 0
        self.owed: set[int] = set()

    def hold(self, delivery: Delivery) -> None:
        self.deliveries[delivery] = None
        self.size += len(delivery.data)

    def clear(self) -> None:
        self.deliveries.clear()
        self.size = 0

    def next_seq(self) -> int:
        """Return the first of the stream that is not done."""
        held = (delivery.stream_seq for delivery in self.deliveries)
        return min((*held, *self.owed), default=self.last_seq + 1)

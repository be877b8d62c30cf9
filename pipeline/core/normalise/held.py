"""
Records that wait: updates for their book's snapshot, trades for those missed before them.

Who holds is bounded twice: by its own number of records, and by a weight that all subjects of a
source share, so that a venue that never answers cannot fill the memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from pipeline.core.messages import OrderBook, Trade

MAX_HELD = 1_000
# About 100 bytes each: 40 MB for a source.
MAX_WEIGHT = 400_000

R = TypeVar("R", OrderBook, Trade)


class Room:
    """What may still be held by all subjects of one source together, by weight."""

    __slots__ = ("free",)

    def __init__(self, free: int = MAX_WEIGHT) -> None:
        self.free = free


def weight(record: OrderBook | Trade) -> int:
    """Return about how many hundreds of bytes a record takes."""
    if isinstance(record, Trade):
        return 5
    return 5 + len(record.bid_prices) + len(record.ask_prices)


class Held(Generic[R]):
    """Records and when they were received, oldest first."""

    __slots__ = ("_records", "_room", "_weight")

    def __init__(self, room: Room) -> None:
        self._records: deque[tuple[R, int]] = deque()
        self._room = room
        self._weight = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[tuple[R, int]]:
        return iter(self._records)

    @property
    def first(self) -> R:
        return self._records[0][0]

    @property
    def last(self) -> R:
        return self._records[-1][0]

    def add(self, record: R, received_ns: int) -> bool:
        """Hold one more; return False, and hold it not, where there is no room."""
        more = weight(record)
        if len(self._records) >= MAX_HELD or more > self._room.free:
            return False
        self._records.append((record, received_ns))
        self._weight += more
        self._room.free -= more
        return True

    def drop(self) -> None:
        """Forget the oldest."""
        record, _ = self._records.popleft()
        self._weight -= weight(record)
        self._room.free += weight(record)

    def release(self) -> deque[tuple[R, int]]:
        """Return them all and hold nothing."""
        records, self._records = self._records, deque()
        self._room.free += self._weight
        self._weight = 0
        return records

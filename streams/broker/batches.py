"""What is in flight of a fast batch."""

from __future__ import annotations

from collections import deque

from streams.broker import wire
from streams.broker.records import Record, Way


class Flush:
    """Records that were written at once. `last` is the sequence of the last, `size` their bytes."""

    __slots__ = ("last", "size", "tails", "ways")

    def __init__(self, ways: list[Way], tails: list[bytes], size: int) -> None:
        self.ways = ways
        self.tails = tails
        self.size = size
        self.last = 0

    def cut(self, count: int) -> int:
        """Forget the first few; return their bytes."""
        size = sum(map(len, self.tails[:count]))
        del self.ways[:count], self.tails[:count]
        self.size -= size
        return size


class Batch:
    """
    Attributes:
        flushes: What is not acknowledged.
        probing: Its first record tries whether the stream takes batches at all.
        closing: Something went wrong; its end is asked for, and awaited, to learn how much is
            stored. told: It was asked for.
        way: Where its last record went.
        heard_s: When it last moved.
    """

    __slots__ = (
        "acked", "closing", "committed", "flushes", "heard_s", "in_flight_bytes", "key", "pinged",
        "prefix", "probing", "sent", "told", "way",
    )  # fmt: skip

    def __init__(self, key: str, prefix: bytes, *, probing: bool) -> None:
        self.key = key
        self.prefix = prefix
        self.sent = self.acked = 0
        self.flushes: deque[Flush] = deque()
        self.in_flight_bytes = 0
        self.probing = probing
        self.committed = self.closing = self.told = self.pinged = False
        self.heard_s = 0.0
        self.way: Way | None = None

    def wrote(self, flush: Flush, now_s: float) -> int:
        """Note records that are written now; return the sequence of the first."""
        if self.sent == self.acked:
            self.heard_s = now_s
        first = self.sent + 1
        self.sent += len(flush.tails)
        flush.last = self.sent
        self.flushes.append(flush)
        self.in_flight_bytes += flush.size
        self.way = flush.ways[-1]
        return first

    def about(self, sequence: int, operation: int) -> bytes:
        assert self.way is not None, "a batch begins with a record"
        return wire.about(self.way, self.prefix, sequence, operation)

    def release(self, upto: int) -> tuple[int, int]:
        """Forget the records up to a sequence; return how many, and how many bytes."""
        count, size = 0, 0
        while self.flushes and self.flushes[0].last <= upto:
            flush = self.flushes.popleft()
            count, size = count + len(flush.tails), size + flush.size
        if self.flushes and upto > self.acked + count:
            cut = upto - self.acked - count
            count, size = count + cut, size + self.flushes[0].cut(cut)
        self.acked += count
        self.in_flight_bytes -= size
        return count, size

    def left(self) -> list[Record]:
        return [
            record for flush in self.flushes for record in zip(flush.ways, flush.tails, strict=True)
        ]

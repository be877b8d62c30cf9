"""
Data of which only the latest counts: tickers, candles, funding, an index.

Whatever is not newer than what was published is dropped: it would take consumers back in time. It
comes when two links of a source overlap. Dropped here, it gets no number; dropped later, by
JetStream, it would look like a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pipeline.core.messages import Funding, Kline, Ticker, VolatilityIndex
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.stream import Shared, Stream
from pipeline.core.topic import Topic

Timed: TypeAlias = Ticker | Kline | Funding | VolatilityIndex

# No link is behind another one by so much: then the venue's clock, or its numbers, began anew.
ANEW_NS = 60_000_000_000
# Of two messages the one sent so much later is the later one, whatever their numbers say.
LATER_NS = 5_000_000_000
# Messages of one instant, or of a candle without a time: what they say tells them apart.
MAX_TOLD = 64


class Latest(Stream):
    """A stream whose records are told apart by their time, and by their digest."""

    __slots__ = ("_event_ns", "_last", "_told")

    def __init__(self, topic: Topic, shared: Shared) -> None:
        super().__init__(topic, shared)
        self._event_ns = -1
        self._last: Timed | None = None
        # The last ones of which the time did not suffice.
        self._told: dict[tuple[int, int, int], None] = {}

    def take(self, record: Timed, received_ns: int) -> Sequence[Outgoing]:
        self.heard_ns = received_ns
        event_ns = record.event_ns
        if event_ns <= self._event_ns and self._repeats(record):
            self.shared.counts.repeated += 1
            return ()
        self._event_ns = event_ns
        self._last = record
        return (Outgoing(self.topic, record, received_ns),)

    def _repeats(self, record: Timed) -> bool:
        last = self._last
        assert last is not None
        if 0 < record.event_ns < last.event_ns:
            return record.event_ns >= last.event_ns - ANEW_NS
        if not (record.event_ns or isinstance(record, Kline)):
            # Without a time only the one before is known for a repeat: a price may come back.
            return _said(record) == _said(last)
        told = self._told
        told[_said(last)] = None
        if (said := _said(record)) in told:
            return True
        told[said] = None
        while len(told) > MAX_TOLD:
            del told[next(iter(told))]
        return False


class Tickers(Latest):
    """A stream of tickers; where the venue numbers them, the number tells."""

    __slots__ = ("_last_seq", "_took_ns")

    def __init__(self, topic: Topic, shared: Shared) -> None:
        super().__init__(topic, shared)
        self._last_seq = 0
        self._took_ns = 0

    def take(self, record: Timed, received_ns: int) -> Sequence[Outgoing]:
        assert isinstance(record, Ticker)
        seq = record.last_seq
        if not seq:
            return super().take(record, received_ns)
        self.heard_ns = received_ns
        if seq <= self._last_seq and not self._anew(record, received_ns):
            self.shared.counts.repeated += 1
            return ()
        self._took_ns = received_ns
        self._last_seq = seq
        self._event_ns = record.event_ns
        self._last = record
        return (Outgoing(self.topic, record, received_ns),)

    def _anew(self, record: Ticker, received_ns: int) -> bool:
        """Return whether the venue began to number anew: else nothing would ever come again."""
        if record.last_seq == self._last_seq:
            return False
        if record.event_ns:
            return record.event_ns > self._event_ns + LATER_NS
        # Spot of Binance says no time. Nothing newer for so long, and these go on coming.
        return received_ns > self._took_ns + ANEW_NS


def _said(record: Timed) -> tuple[int, int, int]:
    """Return what `encode` tells it by. A candle without a time has at least its beginning."""
    return record.event_ns, record.open_ns if isinstance(record, Kline) else 0, record.digest

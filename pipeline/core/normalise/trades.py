"""
The trades of one symbol, each once, in their order.

Where the venue counts them one by one, a number tells a repeat and a loss. Elsewhere the ids of the
last trades are remembered, and after an interruption of the link we ask what was missed.

A consumer wants trades in their order. So, while missed ones are asked for, live ones are held
back, for a time and up to a number; then they go out, and an answer that comes later still is
published late. What was asked for bears the flag BACKFILL.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from pipeline.core.messages import ControlKind, Flag, Trade
from pipeline.core.normalise.held import Held
from pipeline.core.normalise.missed import missed
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.stream import REFUSED, Shared, Stream
from pipeline.core.normalise.wants import BackfillTrades
from pipeline.core.topic import Topic

HOLD_NS = 10_000_000_000
# Of one loss; an answer holds up to 1,000 trades or so. One that brings nothing new, because it was
# under way already or the venue is behind, counts for several.
MAX_PAGES = 20
FRUITLESS = 7
# What is remembered where only ids tell: as much as two links of a source overlap.
MAX_IDS = 512
# A trade so much later, with a number so much older: the venue counts anew.
LATER_NS = 1_000_000_000


class _Step(enum.Enum):
    NEXT = 0
    REPEAT = 1
    GAP = 2
    ANEW = 3  # the venue began to count again
    UNSURE = 4  # the link had been away, and nothing tells whether something was missed


class Trades(Stream):
    """The trades of a symbol; their venue may count them or not."""

    __slots__ = (
        "_after", "_before", "_disturbed_ns", "_held", "_ids", "_last", "_next", "_older_ids",
        "_pages", "_until_ns",
    )  # fmt: skip

    def __init__(self, topic: Topic, shared: Shared) -> None:
        super().__init__(topic, shared)
        # The last one that was published in its order, and the number after it.
        self._last: Trade | None = None
        self._next = 0
        # The last ones, where only ids tell, and those before them.
        self._ids: set[str] = set()
        self._older_ids: set[str] = set()
        self._disturbed_ns = 0
        # What is asked for lies after one trade and before another; answers we still take.
        self._after: Trade | None = None
        self._before: Trade | None = None
        self._pages = 0
        # Until when later ones are held back for it; 0: they are not.
        self._until_ns = 0
        self._held: Held[Trade] = Held(shared.room)

    def take(self, trade: Trade, received_ns: int) -> Sequence[Outgoing]:
        seq = trade.seq
        if seq and (trade.first_seq or seq) == self._next and not self._until_ns:
            self.heard_ns = received_ns
            self._next = seq + 1
            self._last = trade
            return (Outgoing(self.topic, trade, received_ns),)
        if not (seq or self._until_ns or self._disturbed_ns or self._knows(trade.trade_id)):
            self.heard_ns = received_ns
            self._last = trade
            self._remember(trade.trade_id)
            return (Outgoing(self.topic, trade, received_ns),)
        said = self._take(trade, received_ns)
        self.heard_ns = received_ns
        return said

    def answered(self, trades: Iterable[Trade], received_ns: int) -> Sequence[Outgoing]:
        """Take the answer to `BackfillTrades`."""
        if not self._pages:
            return ()  # To a question of before.
        assert self._after is not None
        assert self._before is not None
        page = list(trades)
        found, reached = missed(page, self._after, self._before)
        said = [
            self._publish(trade, received_ns, Flag.BACKFILL, late=not self._until_ns)
            for trade in found
            if not self._knows(trade.trade_id)
        ]
        self.shared.counts.backfilled += len(said)
        self._pages -= 1 if found else FRUITLESS
        if found:
            self._after = found[-1]
        if reached or not page or self._pages <= 0:
            self._pages = 0
            said += self._release()
        else:
            self.shared.ask(BackfillTrades(self.topic.symbol, self._after))
        return said

    def failed(self, now_ns: int) -> Sequence[Outgoing]:
        """Let those go that were held, as nothing else will come."""
        self._pages = 0
        return self._release()

    def disconnected(self, reason: str, now_ns: int) -> Sequence[Outgoing]:
        self._disturbed_ns = now_ns
        return super().disconnected(reason, now_ns)

    def refused(self, record: Trade, now_ns: int) -> Sequence[Outgoing]:
        first, last = record.first_seq or record.seq, record.seq
        return (self.control(ControlKind.GAP, REFUSED, now_ns, first, last),)

    def look(self, now_ns: int) -> Sequence[Outgoing]:
        return self._release() if now_ns >= self._until_ns else ()

    def set_back(self, now_ns: int) -> None:
        super().set_back(now_ns)
        self._disturbed_ns = min(self._disturbed_ns, now_ns)
        self._until_ns = min(self._until_ns, now_ns + HOLD_NS)

    def let_go(self) -> Sequence[Outgoing]:
        said: list[Outgoing] = []
        # Among those held there may be another gap, behind which the rest is held again.
        while self._until_ns:
            self._pages = 0
            said += self._release()
        self._pages = 0
        return said

    def end(self) -> None:
        super().end()
        self._held.release()

    def _take(self, trade: Trade, received_ns: int) -> Sequence[Outgoing]:
        if self._until_ns:
            return self._hold(trade, received_ns)
        step = self._step(trade, received_ns)
        if step is _Step.NEXT:
            return (self._publish(trade, received_ns),)
        if step is _Step.REPEAT:
            self.shared.counts.repeated += 1
            return ()
        said: list[Outgoing] = []
        if step is _Step.ANEW:
            reason = "the venue's numbers began anew"
            said.append(self.control(ControlKind.GAP, reason, received_ns))
        else:
            if step is _Step.GAP:
                said.append(self._gap(trade, received_ns))
            self._disturbed_ns = 0
            if self._ask(trade, received_ns):
                return said
        said.append(self._publish(trade, received_ns))
        return said

    def _gap(self, trade: Trade, received_ns: int) -> Outgoing:
        last_missing = (trade.first_seq or trade.seq) - 1
        return self.control(
            ControlKind.GAP, "trades are missing", received_ns, self._next, last_missing
        )

    def _step(self, trade: Trade, received_ns: int) -> _Step:
        last = self._last
        if not trade.seq:
            if self._knows(trade.trade_id):
                return _Step.REPEAT
            disturbed = 0 < self._disturbed_ns < received_ns
            return _Step.UNSURE if disturbed and last is not None else _Step.NEXT
        if last is None or not self._next:
            return _Step.NEXT
        if trade.seq < self._next:
            return _Step.ANEW if trade.trade_ns > last.trade_ns + LATER_NS else _Step.REPEAT
        return _Step.GAP if (trade.first_seq or trade.seq) > self._next else _Step.NEXT

    def _publish(
        self, trade: Trade, received_ns: int, flags: int = 0, *, late: bool = False
    ) -> Outgoing:
        if not trade.seq:
            self._remember(trade.trade_id)
        if not late:
            self._last = trade
            self._next = trade.seq + 1 if trade.seq else 0
        return Outgoing(self.topic, trade, received_ns, flags)

    def _knows(self, trade_id: str) -> bool:
        return trade_id in self._ids or trade_id in self._older_ids

    def _remember(self, trade_id: str) -> None:
        self._ids.add(trade_id)
        if len(self._ids) > MAX_IDS:
            self._older_ids, self._ids = self._ids, set()

    def _ask(self, trade: Trade, received_ns: int) -> bool:
        """Ask for what lies before this trade and hold it; return whether that can be done."""
        shared, last = self.shared, self._last
        if not (
            shared.can_call and shared.backfill and last and self._held.add(trade, received_ns)
        ):
            return False
        self._after, self._before, self._pages = last, trade, MAX_PAGES
        self._until_ns = received_ns + HOLD_NS
        shared.waiting[self] = None
        shared.ask(BackfillTrades(self.topic.symbol, last))
        return True

    def _hold(self, trade: Trade, received_ns: int) -> Sequence[Outgoing]:
        if 0 < trade.seq <= self._held.last.seq:
            self.shared.counts.repeated += 1
            return ()
        if self._held.add(trade, received_ns):
            return ()
        return [*self._release(), *self._take(trade, received_ns)]

    def _release(self) -> Sequence[Outgoing]:
        """Let those go that were held; what is missing before them has been told."""
        self.shared.waiting.pop(self, None)
        if not self._until_ns:
            return ()
        self._until_ns = 0
        said: list[Outgoing] = []
        if self._before is not None and self._before.seq:
            self._next = self._before.first_seq or self._before.seq
        for trade, received_ns in self._held.release():
            said += self._take(trade, received_ns)
        return said

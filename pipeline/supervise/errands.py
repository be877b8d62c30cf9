"""What the state of a source needs from outside, done when it may be."""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Sequence
from functools import partial

from pipeline.core import backoff
from pipeline.core.errors import DecodeError
from pipeline.core.normalise import BackfillTrades, FetchSnapshot, Resubscribe
from pipeline.core.spec import SourceSpec
from pipeline.core.venues.venue import Channel
from pipeline.flow import Stages
from pipeline.supervise.desk import Desk, Order
from pipeline.supervise.means import Means
from pipeline.supervise.slot import Slot

logger = logging.getLogger(__name__)

# A book that begins anew without end does it this seldom.
CAP_S = 60.0
# The longest answers there are, 5,000 levels a side or 1,000 trades, have some 400 kB. Taken apart
# they are thirty times as large, so there is a bound far below what a list of symbols may have.
MAX_BODY = 2 * 1024 * 1024
# Missed trades are of use only soon; after so many calls in vain there are none to be had.
BACKFILL_TRIES = 5


class Errands:
    """
    Takes the wants of one source's normaliser and brings back the answers.

    Attributes:
        trouble: What the last call failed for, until one succeeds.
    """

    def __init__(self, spec: SourceSpec, stages: Stages, means: Means) -> None:
        self.trouble = ""
        self._id = spec.source_id
        self._stages = stages
        self._means = means
        self._desk: Desk | None = None
        if spec.rest_endpoint:
            self._desk = means.desk(spec.rest_endpoint, stages.venue.limits)
        self._later: list[tuple[float, int, Resubscribe]] = []
        self._count = 0

    def run(self, now_s: float, slots: Sequence[Slot]) -> float:
        """Do what is wanted; return when to come again at the latest."""
        wants = self._stages.wants
        while wants:
            match wants.popleft():
                case FetchSnapshot() as want:
                    self._fetch(want)
                case BackfillTrades() as want:
                    self._ask_trades(want)
                case Resubscribe() as want:
                    self._put_off(want, now_s)
        while self._later and self._later[0][0] <= now_s:
            _resubscribe(heapq.heappop(self._later)[2], slots)
        return self._later[0][0] if self._later else math.inf

    def forget(self) -> None:
        self.trouble = ""
        self._later.clear()
        if self._desk is not None:
            self._desk.forget(self._id)

    def _fetch(self, want: FetchSnapshot) -> None:
        call = self._stages.venue.snapshot_call(want.symbol)
        if call is None or self._desk is None:
            logger.error("%s: nobody gives a snapshot of %s", self._id, want.symbol)
            return
        take = partial(self._take_snapshot, want.symbol)
        key = self._id, "snapshot", want.symbol
        fail = partial(self._fail, f"the book of {want.symbol}")
        self._desk.order(Order(key, call, take, fail, attempt=want.attempt, max_bytes=MAX_BODY))

    def _take_snapshot(self, symbol: str, body: bytes) -> None:
        stages, now_ns = self._stages, self._means.clock_ns()
        try:
            snapshot = stages.venue.snapshot(symbol, body)
        except DecodeError as e:
            stages.drop(e, now_ns)
            raise
        self.trouble = ""
        stages.tell(stages.normaliser.snapshot(symbol, snapshot, now_ns), now_ns)

    def _ask_trades(self, want: BackfillTrades) -> None:
        call = self._stages.venue.trades_call(want.symbol, want.after)
        if call is None or self._desk is None:
            self._give_up(want)
            return
        self._desk.order(
            Order(
                (self._id, "trades", want.symbol),
                call,
                partial(self._take_trades, want.symbol),
                partial(self._fail, f"missed trades of {want.symbol}"),
                max_bytes=MAX_BODY,
                tries=BACKFILL_TRIES,
                give_up=partial(self._give_up, want),
            )
        )

    def _take_trades(self, symbol: str, body: bytes) -> None:
        try:
            trades = self._stages.venue.trades(symbol, body)
        except DecodeError as e:
            self._stages.drop(e, self._means.clock_ns())
            raise
        self.trouble = ""
        stages, now_ns = self._stages, self._means.clock_ns()
        stages.tell(stages.normaliser.backfilled(symbol, trades, now_ns), now_ns)

    def _fail(self, what: str, reason: str) -> None:
        self.trouble = f"{what}: {reason}"

    def _give_up(self, want: BackfillTrades) -> None:
        stages, now_ns = self._stages, self._means.clock_ns()
        stages.tell(stages.normaliser.failed(want, now_ns), now_ns)

    def _put_off(self, want: Resubscribe, now_s: float) -> None:
        delay_s = 0.0
        if want.attempt > 1:
            delay_s = backoff.delay_s(want.attempt - 1, self._means.dice(), CAP_S)
        self._count += 1
        heapq.heappush(self._later, (now_s + delay_s, self._count, want))


def _resubscribe(want: Resubscribe, slots: Sequence[Slot]) -> None:
    for slot in slots:
        if found := [c for c in (*slot.channels, *slot.named) if _is_meant(c, want)]:
            slot.renew(found)


def _is_meant(channel: Channel, want: Resubscribe) -> bool:
    return (channel.symbol, channel.data_type) == (want.symbol, want.data_type)

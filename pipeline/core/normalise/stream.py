"""What one subject has said so far, and what all subjects of a source share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.core.messages import Control, ControlKind, Flag
from pipeline.core.normalise.counts import Counts
from pipeline.core.normalise.held import Room
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.wants import Want
from pipeline.core.topic import Topic
from pipeline.core.venues.venue import Venue

REFUSED = "the broker does not take a message of this size"


class Shared:
    """
    What all streams of one source have in common.

    Attributes:
        ask, can_call, checksums, backfill: See `Normaliser`.
        waiting: The streams that wait for an answer: they shall be told the time.
    """

    __slots__ = (
        "ask", "backfill", "can_call", "checksums", "counts", "room", "venue", "waiting",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913
        self,
        venue: Venue,
        counts: Counts,
        ask: Callable[[Want], None],
        *,
        can_call: bool,
        checksums: bool,
        backfill: bool,
    ) -> None:
        self.venue = venue
        self.counts = counts
        self.ask = ask
        self.can_call = can_call
        self.checksums = checksums
        self.backfill = backfill
        self.room = Room()
        self.waiting: dict[Stream, None] = {}


class Stream:
    """
    The messages of one subject, in their order.

    Attributes:
        heard_ns: When the last record was received, repeats too; 0 before the first.
    """

    __slots__ = ("heard_ns", "shared", "topic")

    def __init__(self, topic: Topic, shared: Shared) -> None:
        self.topic = topic
        self.shared = shared
        self.heard_ns = 0

    def take(self, record: Any, received_ns: int) -> Sequence[Outgoing]:
        """Return what is to be published because of a record."""
        raise NotImplementedError

    def subscribed(self, now_ns: int) -> None:
        """Note that the stream should speak from now on."""

    def disconnected(self, reason: str, now_ns: int) -> Sequence[Outgoing]:
        """Return what is to be said now that the link is gone."""
        return (self.control(ControlKind.DISCONNECT, reason, now_ns),)

    def failed(self, now_ns: int) -> Sequence[Outgoing]:
        """Note that what was asked for could not be had."""
        return ()

    def refused(self, record: Any, now_ns: int) -> Sequence[Outgoing]:
        """Return what is to be said as the broker does not take a record."""
        return (self.control(ControlKind.GAP, REFUSED, now_ns),)

    def look(self, now_ns: int) -> Sequence[Outgoing]:
        """Return what has to be said because of the time; asked only of those that wait."""
        return ()

    def let_go(self) -> Sequence[Outgoing]:
        """Return what is held back and may be published as it is: nothing else will come."""
        return ()

    def set_back(self, now_ns: int) -> None:
        """Note that the clock was set back to this: nothing was later."""
        self.heard_ns = min(self.heard_ns, now_ns)

    def end(self) -> None:
        """Give back what was held."""
        self.shared.waiting.pop(self, None)

    def control(
        self,
        kind: ControlKind,
        reason: str,
        now_ns: int,
        first_missing: int = 0,
        last_missing: int = 0,
    ) -> Outgoing:
        """Return a control message, counted."""
        counts = self.shared.counts
        match kind:
            case ControlKind.GAP:
                counts.gaps += 1
            case ControlKind.RESYNC:
                counts.resyncs += 1
            case ControlKind.STALE:
                counts.stale += 1
            case ControlKind.DISCONNECT:
                counts.disconnects += 1
            case ControlKind.UNKNOWN:
                pass
        self.topic.controls += 1
        if not 0 < first_missing <= last_missing:
            first_missing = last_missing = 0
        said = Control(kind, reason, first_missing, last_missing, self.good_ns)
        return Outgoing(self.topic, said, now_ns, Flag.CONTROL)

    @property
    def good_ns(self) -> int:
        """When the last good datum was received; 0 where there was none."""
        return self.heard_ns

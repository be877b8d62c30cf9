"""
Keep one book whole, or say that it is not.

Where REST gives the snapshot, updates are held back first and the snapshot is asked for then, so
that it cannot be older than what is held; should it be, it is asked for again. Where the channel
begins with its snapshot, what comes before it is of no use.

A first snapshot needs no RESYNC: its own flag says that all levels are in it. After a GAP or a
DISCONNECT there is one, then the snapshot, then what was held back. Until then nothing of this book
is published, and no second GAP: whatever else is lost meanwhile is part of the same stretch.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.core.messages import ControlKind, Flag, OrderBook
from pipeline.core.normalise.book import Book
from pipeline.core.normalise.held import Held
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.stream import REFUSED, Shared, Stream
from pipeline.core.normalise.wants import FetchSnapshot, Resubscribe
from pipeline.core.topic import Topic
from pipeline.core.venues.venue import Recovery, Step

# A book that breaks again so soon has not been repaired by its snapshot: then the pauses grow.
HEALTHY_NS = 60_000_000_000
# A book that is so quiet is asked for, although no update came that its snapshot might join.
QUIET_NS = 2_000_000_000
# A want that was lost on its way is said again.
ASK_AGAIN_NS = 30_000_000_000
# Who never had this book learns after so long that there is none.
TELL_NS = 30_000_000_000
# A REST answer may come out of a cache and be older than what was published already. After so many
# the venue must have begun to count anew.
MAX_CACHED = 3
# An update that is so much later, with numbers so much older: the venue counts anew.
LATER_NS = 10_000_000_000


class BookSync(Stream):
    """
    Attributes:
        book: None while it is not whole.
    """

    __slots__ = (
        "_asked_ns", "_attempt", "_cached", "_checks", "_event_ns", "_fresh", "_good_ns", "_held",
        "_last_seq", "_recovery", "_told", "_waits_ns", "_whole_ns", "book",
    )  # fmt: skip

    def __init__(self, topic: Topic, shared: Shared) -> None:
        super().__init__(topic, shared)
        recovery = shared.venue.recovery
        if recovery is Recovery.CALL and not shared.can_call:
            recovery = Recovery.NONE
        self._recovery = recovery
        self._checks = shared.checksums
        self.book: Book | None = None
        # The snapshot, until an update has joined it.
        self._fresh: OrderBook | None = None
        # Of the last one published.
        self._last_seq = self._event_ns = 0
        self._held: Held[OrderBook] = Held(shared.room)
        # Whether consumers know that the book is broken.
        self._told = False
        self._attempt = 0
        # Answers that were older than what was published, in a row.
        self._cached = 0
        # Since when the snapshot is awaited, when it was asked for, when it came; 0 for not.
        self._waits_ns = self._asked_ns = self._whole_ns = 0
        self._good_ns = 0

    @property
    def good_ns(self) -> int:
        return self._good_ns

    def take(self, update: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        self.heard_ns = received_ns
        if update.snapshot:
            return self._replace(update, received_ns)
        return self._take(update, received_ns)

    def answered(self, snapshot: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        """Take the answer to `FetchSnapshot`."""
        if self.book is not None or not self._asked_ns:
            return ()  # To a question of before.
        cached = snapshot.last_seq < self._last_seq and self._cached < MAX_CACHED
        if cached or self._older(snapshot):
            self._cached += cached
            self._ask(received_ns)
            return ()
        if not snapshot.snapshot:
            snapshot = msgspec.structs.replace(snapshot, snapshot=True)
        return self._whole(Book(snapshot), snapshot, received_ns)

    def subscribed(self, now_ns: int) -> None:
        if self.book is None and self._recovery is not Recovery.NONE:
            self._await(now_ns)

    def disconnected(self, reason: str, now_ns: int) -> Sequence[Outgoing]:
        said = super().disconnected(reason, now_ns)
        self._break()
        self.shared.waiting.pop(self, None)
        self._waits_ns = self._attempt = 0
        return said

    def failed(self, now_ns: int) -> Sequence[Outgoing]:
        """Ask again, as what was asked for could not be had."""
        if self._asked_ns:
            self._ask(now_ns)
        return ()

    def refused(self, record: OrderBook, now_ns: int) -> Sequence[Outgoing]:
        return self._lose(None, now_ns, REFUSED, 0)

    def look(self, now_ns: int) -> Sequence[Outgoing]:
        calls = self._recovery is Recovery.CALL
        if self._asked_ns:
            if now_ns - self._asked_ns >= ASK_AGAIN_NS:
                # Who fetches knows when that fails; only we know that a channel stays silent.
                self._attempt -= calls
                self._ask(now_ns)
        elif now_ns - self._waits_ns >= (QUIET_NS if calls else ASK_AGAIN_NS):
            # A channel that begins with its snapshot was asked for it by subscribing to it.
            self._ask(now_ns)
        if not self._told and now_ns - self._waits_ns >= TELL_NS:
            return self._tell("no snapshot of the book yet", now_ns)
        return ()

    def set_back(self, now_ns: int) -> None:
        super().set_back(now_ns)
        self._waits_ns = min(self._waits_ns, now_ns)
        self._asked_ns = min(self._asked_ns, now_ns)
        self._whole_ns = min(self._whole_ns, now_ns)
        self._good_ns = min(self._good_ns, now_ns)

    def end(self) -> None:
        super().end()
        self._held.release()

    def _take(self, update: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        book = self.book
        if book is None:
            return self._wait(update, received_ns)
        venue, fresh = self.shared.venue, self._fresh
        if fresh is None:
            step = venue.follows(self._last_seq, update, self._event_ns)
        else:
            step = venue.joins(fresh, update)
        if step is Step.NEXT:
            book.apply(update)
            if update.checksum is not None and self._checks and not self._matches(book, update):
                return self._lose(update, received_ns, "the venue's checksum does not match", 0)
            self._fresh = None
            self._last_seq = update.last_seq
            self._event_ns = update.event_ns
            self._good_ns = received_ns
            return (Outgoing(self.topic, update, received_ns),)
        if step is Step.OLD:
            return self._take_old(update, received_ns)
        return self._lose(update, received_ns, "updates are missing", self._last_seq + 1)

    def _take_old(self, update: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        if 0 < update.last_seq < self._last_seq and 0 < self._event_ns < update.event_ns - LATER_NS:
            return self._lose(update, received_ns, "the venue's numbers began anew", 0)
        if self._is_behind(update) and received_ns - self._whole_ns > LATER_NS:
            # Snapshots without a time tell no better that their number is none of this book.
            return self._lose(update, received_ns, "the snapshot is ahead of all updates", 0)
        self.shared.counts.repeated += 1
        return ()

    def _is_behind(self, update: OrderBook) -> bool:
        """
        Return whether an update is older than a snapshot by REST that none has joined yet.

        One that ends with the snapshot is none: OKX repeats that number while a book is quiet.
        """
        fresh = self._fresh
        calls = self._recovery is Recovery.CALL
        return calls and fresh is not None and update.last_seq < fresh.last_seq

    def _replace(self, snapshot: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        """Take a snapshot that the channel itself sent."""
        if (
            self.book is not None
            and 0 < snapshot.last_seq <= self._last_seq
            and snapshot.event_ns <= self._event_ns
        ):
            # Of another link, and this one is further on.
            self.shared.counts.repeated += 1
            return ()
        book = Book(snapshot)
        if snapshot.checksum is not None and self._checks and not self._matches(book, snapshot):
            reason = "the venue's checksum does not match"
            if self.book is not None:
                return self._lose(None, received_ns, reason, 0)
            said = () if self._told else self._tell(reason, received_ns)
            self._await(received_ns)
            self._ask(received_ns)
            return said
        return self._whole(book, snapshot, received_ns)

    def _matches(self, book: Book, update: OrderBook) -> bool:
        venue = self.shared.venue
        texts = book.texts(venue.checksum_depth)
        if texts is None or venue.checksum(*texts) == update.checksum:
            return True
        self.shared.counts.bad_checksums += 1
        return False

    def _whole(self, book: Book, snapshot: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        said = []
        if self._told:
            said.append(self.control(ControlKind.RESYNC, "the book is whole again", received_ns))
        said.append(Outgoing(self.topic, snapshot, received_ns, Flag.SNAPSHOT))
        self.book, self._fresh = book, snapshot
        self._last_seq, self._event_ns = snapshot.last_seq, snapshot.event_ns
        self._good_ns = self._whole_ns = received_ns
        self._told = False
        self._asked_ns = self._waits_ns = self._cached = 0
        self.shared.waiting.pop(self, None)
        for update, at_ns in self._held.release():
            if self._fresh is not snapshot or not self._holds(snapshot, update):
                said += self._take(update, at_ns)
        return said

    def _older(self, snapshot: OrderBook) -> bool:
        """Return whether something is missing between a snapshot and what is held."""
        joins = self.shared.venue.joins
        steps = (joins(snapshot, update) for update, _ in self._held)
        return next((step for step in steps if step is not Step.OLD), None) is Step.GAP

    def _holds(self, snapshot: OrderBook, update: OrderBook) -> bool:
        return self.shared.venue.joins(snapshot, update) is Step.OLD

    def _wait(self, update: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        if self._recovery is Recovery.NONE:
            return self._pass(update, received_ns)
        self._await(received_ns)
        if self._recovery is Recovery.RESUBSCRIBE:
            return ()
        said = self._hold(update, received_ns)
        if not self._asked_ns:
            self._ask(received_ns)
        return said

    def _pass(self, update: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        """Publish an update of a book that nobody can make whole; still look for gaps."""
        if last_seq := self._last_seq:
            step = self.shared.venue.follows(last_seq, update, self._event_ns)
            if step is Step.OLD:
                return self._take_old(update, received_ns)
            if step is Step.GAP:
                return self._lose(update, received_ns, "updates are missing", last_seq + 1)
        return (self._passed(update, received_ns),)

    def _passed(self, update: OrderBook, received_ns: int) -> Outgoing:
        self._last_seq, self._event_ns = update.last_seq, update.event_ns
        self._good_ns = received_ns
        return Outgoing(self.topic, update, received_ns, Flag.UNSYNCED)

    def _hold(self, update: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        held = self._held
        if held:
            last = held.last
            step = self.shared.venue.follows(last.last_seq, update, last.event_ns)
            if step is Step.OLD:
                return ()
            if step is Step.GAP:
                # The snapshot must be newer than this gap, so what was before helps no more.
                held.release()
        full = False
        while not held.add(update, received_ns):
            full = True
            if not held:
                break
            held.drop()
        if full and not self._told:
            return self._tell("no snapshot of the book, and no room for more updates", received_ns)
        return ()

    def _lose(
        self, update: OrderBook | None, received_ns: int, reason: str, first_missing: int
    ) -> Sequence[Outgoing]:
        """Return a GAP, ask for what mends it, and hold this update back."""
        last_missing = 0
        if update is not None and first_missing:
            before = update.first_seq - 1
            last_missing = update.prev_seq if update.prev_seq >= 0 else before
        gap = self.control(ControlKind.GAP, reason, received_ns, first_missing, last_missing)
        if received_ns - self._whole_ns >= HEALTHY_NS:
            self._attempt = 0
        self._break()
        if self._recovery is Recovery.NONE:
            return (gap, self._passed(update, received_ns)) if update is not None else (gap,)
        self._await(received_ns)
        if update is not None and self._recovery is Recovery.CALL:
            self._hold(update, received_ns)
        self._ask(received_ns)
        return (gap,)

    def _break(self) -> None:
        """Forget the levels; consumers are told."""
        self.book = self._fresh = None
        self._told = True
        self._asked_ns = 0
        self._held.release()

    def _tell(self, reason: str, now_ns: int) -> Sequence[Outgoing]:
        self._told = True
        return (self.control(ControlKind.GAP, reason, now_ns),)

    def _await(self, now_ns: int) -> None:
        if not self._waits_ns:
            self._waits_ns = now_ns
            self.shared.waiting[self] = None

    def _ask(self, now_ns: int) -> None:
        self._attempt += 1
        self._asked_ns = now_ns
        symbol = self.topic.symbol
        if self._recovery is Recovery.CALL:
            self.shared.ask(FetchSnapshot(symbol, self._attempt))
        else:
            self.shared.ask(Resubscribe(symbol, attempt=self._attempt))

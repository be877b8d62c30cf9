"""All that one source has said so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pipeline.core.messages import (
    DATA_TYPES,
    Control,
    ControlKind,
    Kline,
    OrderBook,
    Record,
    Trade,
)
from pipeline.core.normalise.book import Book
from pipeline.core.normalise.counts import Counts
from pipeline.core.normalise.latest import Latest, Tickers
from pipeline.core.normalise.liveness import Liveness
from pipeline.core.normalise.numbering import Key, Numbering
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.stream import Shared, Stream
from pipeline.core.normalise.sync import BookSync
from pipeline.core.normalise.trades import Trades
from pipeline.core.normalise.wants import BackfillTrades, Want
from pipeline.core.venues.venue import Channel, Venue
from streams.core.errors import BadSubject
from streams.core.templates import Templates

_KINDS: Mapping[str, type[Stream]] = {
    "orderbook": BookSync, "trade": Trades, "ticker": Tickers, "kline": Latest,
    "volatility_index": Latest, "funding": Latest,
}  # fmt: skip


# Subjects that nobody subscribed to, and books among them. A peer that makes up symbols gets no
# further; nobody names an address, and no channel, to hear more than this.
MAX_FOUND = 1_000
MAX_FOUND_BOOKS = 200

_RECORDS = {data_type: kind for kind, data_type in DATA_TYPES.items()}


class Normaliser:
    """
    Attributes:
        counts: See `Counts`.
    """

    def __init__(  # noqa: PLR0913
        self,
        venue: Venue,
        templates: Templates,
        *,
        epoch: int,
        ask: Callable[[Want], None],
        can_call: bool,
        checksums: bool = True,
        backfill: bool = True,
        stale_s: Mapping[str, float] | None = None,
        only_subscribed: bool = False,
    ) -> None:
        """
        Args:
            ask: Called for what is needed from outside; must return at once.
            can_call: Whether the venue's REST can be reached; without it books that need it are
                published as they come, flagged UNSYNCED, still checked for gaps.
            checksums: Whether the venue's checksums are compared.
            backfill: Whether trades that were missed are asked for.
            stale_s: How long a subscribed channel may be silent, by type of data; see `liveness`.
            only_subscribed: Whether `subscribed` tells of all that may come. What else comes is
                dropped and counted; without this, what is beyond `MAX_FOUND`.
        """
        self.counts = Counts()
        self._shared = Shared(
            venue, self.counts, ask, can_call=can_call, checksums=checksums, backfill=backfill
        )
        self._numbering = Numbering(venue.name, templates, epoch)
        self._liveness = Liveness(stale_s or {})
        self._looked_ns = 0
        self._streams: dict[Key, Stream] = {}
        # The same, but for candles, as records find them.
        self._takers: dict[type[Record], dict[str, Stream]] = {kind: {} for kind in DATA_TYPES}
        # The names of the channels that feed a stream: a fast and a slow one of one book.
        self._channels: dict[Key, set[str]] = {}
        self._only_subscribed = only_subscribed
        # What is subscribed to for all symbols at once, and what came although it was not.
        self._of_all: dict[str, tuple[str, str]] = {}
        self._found: set[Key] = set()

    @property
    def published(self) -> dict[str, int]:
        """Messages with data that were handed to the broker, by type of data."""
        return self._numbering.published()

    def go_on_from(self, before: Normaliser) -> None:
        """Take over the counters and numbers of the same source with other settings."""
        self._numbering.go_on_from(before._numbering)
        for name in Counts.__struct_fields__:
            setattr(self.counts, name, getattr(before.counts, name))

    def book(self, symbol: str) -> Book | None:
        """Return the book as it is now; None where there is none, or it is not whole."""
        stream = self._streams.get(("orderbook", symbol, ""))
        return stream.book if isinstance(stream, BookSync) else None

    # What comes in

    def take(self, record: Record, received_ns: int) -> Sequence[Outgoing]:
        """
        Return what is to be published because of a record, in order; often just the record.

        Raises:
            BadSubject: Its symbol can be no part of a subject, or there are too many of them.
        """
        stream = self._takers[type(record)].get(record.symbol)
        if stream is None:
            stream = self._find(record)
            if stream is None:
                self.counts.unasked += 1
                return ()
        return stream.take(record, received_ns)

    def snapshot(self, symbol: str, snapshot: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        """Take the answer to `FetchSnapshot`; one that nobody waits for any more is dropped."""
        stream = self._streams.get(("orderbook", symbol, ""))
        return stream.answered(snapshot, received_ns) if isinstance(stream, BookSync) else ()

    def backfilled(
        self, symbol: str, trades: Iterable[Trade], received_ns: int
    ) -> Sequence[Outgoing]:
        """Take the answer to `BackfillTrades`; [] of trades means that there are none to be had."""
        stream = self._streams.get(("trade", symbol, ""))
        return stream.answered(trades, received_ns) if isinstance(stream, Trades) else ()

    def failed(self, want: Want, now_ns: int) -> Sequence[Outgoing]:
        """
        Note that a want could not be had.

        Books ask again at once, with the next `attempt`; trades that were held back are let go.
        """
        data_type = "trade" if isinstance(want, BackfillTrades) else "orderbook"
        stream = self._streams.get((data_type, want.symbol, ""))
        return stream.failed(now_ns) if stream is not None else ()

    # What becomes of the link

    def subscribed(self, channels: Iterable[Channel], now_ns: int) -> None:
        """
        Note that these channels should speak from now on.

        Call it before they are asked for: what they say first must not count as late.
        """
        for channel in channels:
            if not channel.symbol:
                # Of all symbols at once: which ones should speak, nobody knows.
                self._of_all[channel.name] = channel.data_type, channel.interval
                continue
            for stream in self._fed_by(channel):
                self._channels[_key(channel)].add(channel.name)
                self._found.discard(_key(channel))
                self._liveness.watch(channel.name, stream, now_ns)
                stream.subscribed(now_ns)

    def let_go(self, channels: Iterable[Channel]) -> Sequence[Outgoing]:
        """
        Return the trades of these channels that wait for missed ones: the GAP before them is told.

        Call it before the channels are given up for good.
        """
        streams: dict[Stream, None] = {}
        for channel in channels:
            streams |= dict.fromkeys(self._fed_by(channel))
        return [said for stream in streams for said in stream.let_go()]

    def unsubscribed(self, channels: Iterable[Channel]) -> None:
        """
        Forget these channels and their books; their subjects keep their numbers.

        What they still say is dropped, until they are subscribed to again. Not for `Resubscribe`.
        Consumers are not told: see `let_go` and `disconnected`.
        """
        for channel in channels:
            self._liveness.forget(channel.name)
            self._of_all.pop(channel.name, None)
            key = _key(channel)
            names = self._channels.get(key, set())
            names.discard(channel.name)
            if names or (stream := self._streams.pop(key, None)) is None:
                continue
            stream.end()
            self._takers[_RECORDS[channel.data_type]].pop(channel.symbol, None)
            self._channels.pop(key, None)
            self._numbering.leave(key)

    def disconnected(
        self, channels: Iterable[Channel], reason: str, now_ns: int
    ) -> Sequence[Outgoing]:
        """Return a DISCONNECT for each subject of these channels; their books begin anew."""
        streams: dict[Stream, None] = {}
        for channel in channels:
            self._liveness.forget(channel.name)
            streams |= dict.fromkeys(self._fed_by(channel))
        return [said for stream in streams for said in stream.disconnected(reason, now_ns)]

    def look(self, now_ns: int) -> Sequence[Outgoing]:
        """
        Return what is to be said because of the time; once a second will do.

        That is a STALE for each channel that has been silent too long, once per silence, and what
        was held back in vain.
        """
        if now_ns < self._looked_ns:
            # What is due after some seconds must not wait for the hour to come again.
            self._liveness.set_back(now_ns)
            for stream in self._streams.values():
                stream.set_back(now_ns)
        self._looked_ns = now_ns
        said: list[Outgoing] = []
        for stream in tuple(self._shared.waiting):
            said += stream.look(now_ns)
        for stream, silence_s in self._liveness.silent(now_ns):
            reason = f"nothing for {silence_s:.0f} s"
            said.append(stream.control(ControlKind.STALE, reason, now_ns))
        return said

    def refused(
        self, outgoing: Outgoing, rest: Iterable[Outgoing], now_ns: int
    ) -> Sequence[Outgoing]:
        """
        Return what is to be published instead of a message that the broker does not take.

        Args:
            rest: What was to follow it. Of a book it does not: that begins anew.
        """
        topic, content = outgoing.topic, outgoing.content
        stream = self._streams.get((topic.data_type, topic.symbol, topic.interval))
        if isinstance(content, Control) or stream is None:
            return list(rest)
        said = stream.refused(content, now_ns)
        if isinstance(stream, BookSync):
            rest = [other for other in rest if other.topic is not topic]
        return [*said, *rest]

    # Which stream

    def _fed_by(self, channel: Channel) -> Sequence[Stream]:
        """Return the streams that a channel feeds; one of all symbols, those it has fed so far."""
        if not channel.symbol:
            return [
                stream
                for (data_type, _, interval), stream in self._streams.items()
                if data_type == channel.data_type and interval == channel.interval
            ]
        key = _key(channel)
        try:
            return [self._streams.get(key) or self._open(key)]
        except BadSubject:
            return []  # Each of its records is counted as such.

    def _find(self, record: Record) -> Stream | None:
        """Return the stream of a record; None where it was left, or nobody asked for it."""
        interval = record.interval if isinstance(record, Kline) else ""
        key = DATA_TYPES[type(record)], record.symbol, interval
        if (stream := self._streams.get(key)) is not None:
            return stream
        if self._numbering.left(key) or not self._may_come(key):
            return None
        return self._open(key)

    def _may_come(self, key: Key) -> bool:
        """Return whether to take what no channel of its own brings."""
        data_type, _, interval = key
        if (data_type, interval) in self._of_all.values():
            return True
        if self._only_subscribed or len(self._found) >= MAX_FOUND:
            return False
        books = sum(found == "orderbook" for found, _, _ in self._found)
        if data_type == "orderbook" and books >= MAX_FOUND_BOOKS:
            return False
        self._found.add(key)
        return True

    def _open(self, key: Key) -> Stream:
        data_type, symbol, _ = key
        stream = self._streams[key] = _KINDS[data_type](self._numbering.topic(key), self._shared)
        self._channels[key] = set()
        if data_type != "kline":
            self._takers[_RECORDS[data_type]][symbol] = stream
        return stream


def _key(channel: Channel) -> Key:
    return channel.data_type, channel.symbol, channel.interval

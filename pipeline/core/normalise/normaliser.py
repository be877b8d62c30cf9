"""All that one source has said so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from pipeline.core.messages import (
    DATA_TYPES,
    Control,
    ControlKind,
    Flag,
    Kline,
    OrderBook,
    Record,
    Trade,
)
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.normalise.wants import Want
from pipeline.core.topic import Topic
from pipeline.core.venues.venue import Channel, Venue
from streams.core.templates import Templates


class Counts(msgspec.Struct):
    """
    What happened to the data, beside going through.

    Attributes:
        repeated: Records dropped because they had been said before.
        gaps, resyncs, stale, disconnects: Control messages.
        backfilled: Trades that were asked for afterwards.
        bad_checksums: Books that did not match the venue's.
    """

    repeated: int = 0
    gaps: int = 0
    resyncs: int = 0
    stale: int = 0
    disconnects: int = 0
    backfilled: int = 0
    bad_checksums: int = 0


class Normaliser:
    """
    Attributes:
        counts: See `Counts`.
        published: Data messages, by type of data.
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
    ) -> None:
        """
        Args:
            ask: Called for what is needed from outside; must return at once.
            can_call: Whether the venue's REST can be reached; without it books that need it are
                published as they come, flagged UNSYNCED, still checked for gaps.
            checksums: Whether the venue's checksums are compared.
            stale_s: How long a subscribed channel may be silent, by type of data; see `liveness`.
        """
        self.counts = Counts()
        self.published: dict[str, int] = {}
        self._venue = venue
        self._templates = templates
        self._epoch = epoch
        self._topics: dict[tuple[str, str, str], Topic] = {}

    def take(self, record: Record, received_ns: int) -> Sequence[Outgoing]:
        """
        Return what is to be published because of a record, in order; often just the record.

        Raises:
            BadSubject: Its symbol can be no part of a subject.
        """
        interval = record.interval if isinstance(record, Kline) else ""
        data_type = DATA_TYPES[type(record)]
        return (Outgoing(self._topic(data_type, record.symbol, interval), record, received_ns),)

    def snapshot(self, symbol: str, snapshot: OrderBook, received_ns: int) -> Sequence[Outgoing]:
        """Take the answer to `FetchSnapshot`."""
        topic = self._topic("orderbook", symbol, "")
        return (Outgoing(topic, snapshot, received_ns, Flag.SNAPSHOT),)

    def backfilled(
        self, symbol: str, trades: Iterable[Trade], received_ns: int
    ) -> Sequence[Outgoing]:
        """Take the answer to `BackfillTrades`; [] of trades means that there are none to be had."""
        topic = self._topic("trade", symbol, "")
        return [Outgoing(topic, trade, received_ns, Flag.BACKFILL) for trade in trades]

    def subscribed(self, channels: Iterable[Channel], now_ns: int) -> None:
        """Note that these channels should speak from now on."""

    def unsubscribed(self, channels: Iterable[Channel]) -> None:
        """Forget these channels, their books and their numbers."""

    def disconnected(
        self, channels: Iterable[Channel], reason: str, now_ns: int
    ) -> Sequence[Outgoing]:
        """Return a DISCONNECT for each subject of these channels; their books begin anew."""
        control = Control(ControlKind.DISCONNECT, reason)
        return [
            Outgoing(self._topic(c.data_type, c.symbol, c.interval), control, now_ns, Flag.CONTROL)
            for c in channels
        ]

    def look(self, now_ns: int) -> Sequence[Outgoing]:
        """Return a STALE for each channel that has been silent too long; once per silence."""
        return ()

    def _topic(self, data_type: str, symbol: str, interval: str) -> Topic:
        key = data_type, symbol, interval
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = Topic(
                self._templates, self._venue.name, symbol, data_type, interval, epoch=self._epoch
            )
        return topic

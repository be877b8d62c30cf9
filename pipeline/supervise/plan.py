"""What one source subscribes to, and over which links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipeline.core.conversation import Conversation
from pipeline.core.errors import BadOption
from pipeline.core.patterns import is_pattern, resolved
from pipeline.core.spec import SourceSpec, declares
from pipeline.core.spreading import spread
from pipeline.core.venues.venue import Channel, Venue
from pipeline.flow import Stages
from pipeline.supervise.line import Line
from pipeline.supervise.means import Means
from pipeline.supervise.slot import Owner, Slot
from pipeline.supervise.table import Table


class Plan:
    """
    Attributes:
        changed: Whether the links do not yet carry what they should.
    """

    def __init__(
        self, spec: SourceSpec, venue: Venue, means: Means, on_news: Callable[[], None]
    ) -> None:
        self.changed = True
        self._empty = False
        self._spec = spec
        self._venue = venue
        self._means = means
        self._on_news = on_news
        self._table: Table | None = None
        self._named = venue.channels_in(spec.endpoint)

    @property
    def complaint(self) -> str:
        """Why there is nothing to subscribe to; empty where there is something."""
        if self._table is None or not self._empty:
            return ""
        if self._table.instruments:
            return "no symbol fits"
        why = f": {self._table.trouble}" if self._table.trouble else ""
        return f"the venue's symbols are not known yet{why}"

    def change(self, spec: SourceSpec) -> None:
        self._spec = spec
        self.changed = True

    def refresh(self, now_s: float) -> None:
        """Have the venue's symbols looked up again, when it is time and somebody needs them."""
        if self._table is not None:
            self._table.refresh(now_s)

    def forget(self) -> None:
        if self._table is not None:
            self._table.listeners.pop(self._spec.source_id, None)

    def line(
        self, slot: Slot, stages: Stages, on_asked: Callable[[list[Channel]], None], *, holds: bool
    ) -> Line:
        talk = Conversation(self._spec, self._venue, slot.channels, named=slot.named)
        return Line(slot.url, talk, stages, on_news=self._on_news, on_asked=on_asked, holds=holds)

    def arranged(self, slots: Sequence[Slot], owner: Owner) -> tuple[list[Slot], list[Slot]]:
        """
        Return the slots there should be, each told what to carry, and those that are idle.

        Raises:
            BadOption: What is declared cannot be.
        """
        self.changed = False
        self._watch()
        wanted = self._wanted()
        base = self._venue.link_url(self._spec.endpoint, None)
        by_url: dict[str, list[Channel]] = {slot.url: [] for slot in slots}
        if self._named or not declares(self._spec):
            by_url.setdefault(base, [])
        for channel in wanted:
            url = self._venue.link_url(self._spec.endpoint, channel)
            by_url.setdefault(url, []).append(channel)
        busy: list[Slot] = []
        idle: list[Slot] = []
        for url, channels in by_url.items():
            there = [slot for slot in slots if slot.url == url]
            per_link = max(self._venue.limits.channels_per_link - len(self._named), 1)
            parts = spread([slot.channels for slot in there], channels, per_link)
            there += [self._slot(url, owner) for _ in parts[len(there) :]]
            if not there and url == base:
                there, parts = [self._slot(url, owner)], [[]]
            for slot, part in zip(there, parts, strict=True):
                if part or slot.named or (url == base and not declares(self._spec)):
                    slot.want(part)
                    busy.append(slot)
                else:
                    idle.append(slot)
        return busy, idle

    def _slot(self, url: str, owner: Owner) -> Slot:
        means = self._means
        return Slot(
            owner,
            self._spec,
            self._venue.limits,
            url,
            self._venue.channels_in(url),
            clock_ns=means.clock_ns,
            dice=means.dice,
            patience=means.patience,
        )

    def _wanted(self) -> list[Channel]:
        spec, symbols = self._spec, self._spec.symbols
        if self._table is not None:
            symbols = resolved(symbols, self._table.instruments, self._means.clock_ns())
        wanted = self._venue.channels(spec.types, symbols, spec.intervals)
        known = {channel.name for channel in self._named}
        found = list({c.name: c for c in wanted if c.name not in known}.values())
        if declares(self._spec) and not wanted and self._table is None:
            raise BadOption("symbols", "no symbol has any of the types of data")
        _refuse_two_counts((*self._named, *found))
        self._empty = not found
        return found

    def _watch(self) -> None:
        """Listen to the venue's table of symbols while there is a pattern."""
        self.forget()
        self._table = None
        if not (declares(self._spec) and any(map(is_pattern, self._spec.symbols))):
            return
        if not self._spec.rest_endpoint:
            raise BadOption("symbols", "* and ? need a REST endpoint to look symbols up at")
        self._table = self._means.table(self._spec, self._venue)
        self._table.listeners[self._spec.source_id] = self._heard

    def _heard(self) -> None:
        self.changed = True
        self._on_news()


def _refuse_two_counts(channels: Iterable[Channel]) -> None:
    """
    Refuse two streams of one symbol's trades: each counts them in its own way, so on one subject
    the numbers of one would look like repeats and gaps of the other.

    Raises:
        BadOption: Its field is the endpoint, for only that can name a stream beside another.
    """
    names: dict[str, str] = {}
    for channel in channels:
        if channel.data_type == "trade":
            other = names.setdefault(channel.symbol, channel.name)
            if other != channel.name:
                text = f"{other} and {channel.name} count the same trades in two ways: choose one"
                raise BadOption("endpoint", text)

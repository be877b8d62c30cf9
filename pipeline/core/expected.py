"""What a source should bring, as far as its declaration tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.core.patterns import fits, is_pattern
from pipeline.core.spec import SourceSpec
from pipeline.core.venues import VENUES


class Expected(msgspec.Struct, frozen=True, order=True):
    """
    Data of one subject; of several, where the symbol holds `*` or `?`.

    Attributes:
        interval: Of klines; else empty.
    """

    venue: str
    data_type: str
    symbol: str
    interval: str = ""

    def overlaps(self, other: Expected) -> bool:
        """Return whether there may be a subject that both mean."""
        return (
            (self.venue, self.data_type, self.interval)
            == (other.venue, other.data_type, other.interval)
        ) and (fits(self.symbol, other.symbol) or fits(other.symbol, self.symbol))


def expected(spec: SourceSpec) -> list[Expected]:
    """
    Return what a source should bring, each once, in order.

    Raises:
        BadOption: See `Venue`. A source that `checking.faults` finds right raises nothing.
    """
    venue = VENUES[spec.venue](spec.options)
    symbols = [symbol for symbol in spec.symbols if not is_pattern(symbol)]
    channels = [
        *(venue.channels_in(spec.endpoint) if spec.endpoint else ()),
        *(venue.channels(spec.types, symbols, spec.intervals) if symbols else ()),
    ]
    # A channel without a symbol is of all symbols at once.
    found = [Expected(spec.venue, c.data_type, c.symbol or "*", c.interval) for c in channels]
    return sorted({*found, *_of_patterns(spec)})


def overlapping(spec: SourceSpec, others: Iterable[SourceSpec]) -> list[str]:
    """
    Return the names of the sources that bring the same as this one.

    Both would number their messages on one subject, and each would seem to lose the other's.
    """
    own = expected(spec)
    return [
        other.source_id
        for other in others
        if other.venue == spec.venue
        and other.source_id != spec.source_id
        and _any_overlap(own, expected(other))
    ]


def _any_overlap(some: Sequence[Expected], others: Sequence[Expected]) -> bool:
    plain = {one for one in others if not is_pattern(one.symbol)}
    if not plain.isdisjoint(some):
        return True
    # Only patterns need to be compared one by one.
    patterned = [one for one in others if is_pattern(one.symbol)]
    return any(one.overlaps(each) for one in some for each in patterned) or any(
        one.overlaps(each) for one in some if is_pattern(one.symbol) for each in plain
    )


def _of_patterns(spec: SourceSpec) -> list[Expected]:
    return [
        Expected(spec.venue, data_type, symbol, interval)
        for symbol in spec.symbols
        if is_pattern(symbol)
        for data_type in spec.types
        for interval in (spec.intervals if data_type == "kline" else ("",))
    ]

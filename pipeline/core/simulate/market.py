"""
A made-up market. It knows no venue: the mouths beside it tell it in each venue's words.

The sequences hold as those of the real exchanges do: every change of a book has a number that only
grows, the best bid and offer is the top of that very book, and trade numbers grow one by one.
Prices are whole ticks inside.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.simulate.book import Book, Deal, Dice, Top
from pipeline.core.simulate.instrument import Instrument

# A fast stream of a book tells several of these steps at once, as at the real venues: a snapshot
# may then fall into the middle of an update.
STEPS_PER_TICK = 2
TICK_MS = 100

# The annual volatility of which an index tells, in percent.
VOLATILITY = 55.0
FUNDING_MS = 8 * 3_600_000


class Market:
    """
    All books.

    Attributes:
        books: By symbol.
        volatility: By currency, in percent.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        dice: Dice,
        first: int,
        *,
        holes: bool = False,
        most: int | None = None,
    ) -> None:
        """
        Args:
            first: Numbers begin here; larger at each start than where the start before ended.
            holes, most: See `Book`.
        """
        self._dice = dice
        self.books = {
            each.symbol: Book(each, first, dice, holes=holes, most=most) for each in instruments
        }
        self.volatility = {each.base: VOLATILITY for each in instruments}

    def step(self, now_ms: int) -> list[Top | Deal]:
        """Return what happens in one step of time, in its order."""
        found: list[Top | Deal] = []
        for book in self.books.values():
            found += book.step(now_ms)
        return found

    def drift(self) -> None:
        """Let what changes slowly change: once a second or so."""
        for currency, value in self.volatility.items():
            moved = value + (VOLATILITY - value) / 100 + (self._dice.random() - 0.5)
            self.volatility[currency] = round(max(moved, 1.0), 2)

    def funding_rate(self, book: Book) -> int:
        """Return what longs pay shorts, in 10**-8 of a position's value."""
        start = book.instrument.price
        return 10_000 + (book.top(0).bid - start) * 100_000 // start


def funding_time(now_ms: int) -> int:
    """Return when funding is paid next."""
    return now_ms - now_ms % FUNDING_MS + FUNDING_MS

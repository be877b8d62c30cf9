"""What became of a book, change by change: what it was at any number, and what changed since."""

from __future__ import annotations

from bisect import bisect_right
from typing import TypeAlias

import msgspec

Side: TypeAlias = dict[int, int]  # ticks to lots


class Levels(msgspec.Struct):
    """Both sides of a book, or of what changed in one; 0 lots mean that the level is gone."""

    bids: Side
    asks: Side

    def set(self, price: int, lots: int, *, bid_side: bool) -> None:
        side = self.bids if bid_side else self.asks
        if lots:
            side[price] = lots
        else:
            side.pop(price, None)


class Journal:
    """
    Changes and their numbers, which only grow.

    Args:
        most: Older changes than this many may be forgotten; None keeps all.
    """

    def __init__(self, first: int, most: int | None) -> None:
        self._most = most
        self._start = first
        self._base = Levels({}, {})
        self._numbers: list[int] = []
        self._changes: list[tuple[int, int, bool]] = []

    def note(self, number: int, price: int, lots: int, *, bid_side: bool) -> None:
        self._numbers.append(number)
        self._changes.append((price, lots, bid_side))
        if self._most is not None and len(self._numbers) >= 2 * self._most:
            self._forget(len(self._numbers) - self._most)

    def at(self, number: int) -> Levels:
        """
        Return the book as it was after the change of this number.

        Raises:
            LookupError: That is forgotten.
        """
        self._check(number)
        found = Levels(dict(self._base.bids), dict(self._base.asks))
        for price, lots, bid_side in self._changes[: bisect_right(self._numbers, number)]:
            found.set(price, lots, bid_side=bid_side)
        return found

    def since(self, number: int) -> tuple[int, Levels]:
        """
        Return the first change after a number and what all since came to; (0, _) for none.

        Raises:
            LookupError: Some of them are forgotten.
        """
        self._check(number)
        begin = bisect_right(self._numbers, number)
        changed = Levels({}, {})
        for price, lots, bid_side in self._changes[begin:]:
            (changed.bids if bid_side else changed.asks)[price] = lots
        return (self._numbers[begin] if begin < len(self._numbers) else 0), changed

    def back(self, changes: int) -> int:
        """Return the number at which the book stood so many changes ago."""
        place = len(self._numbers) - 1 - changes
        return self._numbers[place] if place >= 0 else self._start

    def _check(self, number: int) -> None:
        if number < self._start:
            raise LookupError(f"the book at {number} is forgotten; known from {self._start} on")

    def _forget(self, count: int) -> None:
        for price, lots, bid_side in self._changes[:count]:
            self._base.set(price, lots, bid_side=bid_side)
        self._start = self._numbers[count - 1]
        del self._numbers[:count], self._changes[:count]

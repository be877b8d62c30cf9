"""One symbol's order book, its trades and its candles: a walk of prices by dice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

import msgspec

from pipeline.core.simulate.candles import Candles
from pipeline.core.simulate.instrument import Instrument
from pipeline.core.simulate.journal import Journal, Levels

# Levels on each side that are kept filled.
DEPTH = 20
MAX_LOTS = 25_000
MOVE_CHANCE = 0.25
TRADE_CHANCE = 0.35
# What a book may drift before it is pulled back, as a share of where it began.
DRIFT = 0.05
# Ticks. A larger one would replace the whole book, and make each message a long one.
LARGEST_MOVE = 8


class Dice(Protocol):
    """What we ask of `random.Random`."""

    def random(self) -> float: ...

    def randrange(self, start: int, stop: int) -> int: ...


class Top(msgspec.Struct, frozen=True):
    """The best bid and offer changed. Prices in ticks, quantities in lots."""

    book: Book
    number: int
    at_ms: int
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


class Deal(msgspec.Struct, frozen=True):
    """Somebody crossed the spread. `seller`: it was a seller."""

    book: Book
    number: int
    at_ms: int
    price: int
    lots: int
    seller: bool


class Book:
    """
    Attributes:
        number: Of the last change. deal_number: Of the last trade.
        journal, deals: What happened so far, as far as it is remembered.
    """

    def __init__(
        self,
        instrument: Instrument,
        first: int,
        dice: Dice,
        *,
        holes: bool = False,
        most: int | None = None,
    ) -> None:
        """
        Args:
            holes: Numbers of changes skip some, as at the venues that count all symbols together.
            most: How many changes and trades to remember at least; None for all.
        """
        self.instrument = instrument
        self.number = first
        self.deal_number = first
        self.levels = Levels({}, {})
        self.journal = Journal(first, most)
        self.deals: deque[Deal] = deque(maxlen=most)
        self.candles = Candles(instrument.price)
        self._dice = dice
        self._holes = holes
        self._middle = instrument.price
        self._refill()

    def step(self, now_ms: int) -> Iterator[Top | Deal]:
        """Yield what happens in one step of time."""
        for _ in range(self._dice.randrange(0, 2)):
            before = self._best()
            self._quote()
            if self._best() != before:
                yield self.top(now_ms)
        if self._happens(TRADE_CHANCE):
            yield self._deal(now_ms)
            yield self.top(now_ms)

    def top(self, now_ms: int) -> Top:
        bid, ask = self._best()
        bids, asks = self.levels.bids, self.levels.asks
        return Top(self, self.number, now_ms, bid, bids[bid], ask, asks[ask])

    @property
    def last(self) -> Deal | None:
        return self.deals[-1] if self.deals else None

    def _best(self) -> tuple[int, int]:
        return max(self.levels.bids), min(self.levels.asks)

    def _quote(self) -> None:
        """Somebody changes an order near the middle; now and then the whole price moves."""
        if self._happens(MOVE_CHANCE):
            self._move()
        bid_side = self._happens()
        offset = self._dice.randrange(1, DEPTH + 1)
        price = self._middle - offset if bid_side else self._middle + offset
        self._set(price, self._lots(), bid_side=bid_side)

    def _deal(self, now_ms: int) -> Deal:
        seller = self._happens()
        price = self._best()[0 if seller else 1]
        level = (self.levels.bids if seller else self.levels.asks)[price]
        lots = self._dice.randrange(1, level + 1)
        self._set(price, level - lots, bid_side=seller)
        self._refill()
        self.deal_number += 1
        deal = Deal(self, self.deal_number, now_ms, price, lots, seller)
        self.deals.append(deal)
        self.candles.take(price, lots, now_ms, bought=not seller)
        return deal

    def _move(self) -> None:
        start = self.instrument.price
        pull = (start - self._middle) / (start * DRIFT)
        step = self._dice.randrange(1, LARGEST_MOVE + 1)
        self._middle += step if self._happens(0.5 + pull / 2) else -step
        self._refill()

    def _refill(self) -> None:
        """Take away what the middle has passed, and fill what is empty on both sides."""
        near = range(1, DEPTH + 1)
        bids = {self._middle - offset for offset in near}
        asks = {self._middle + offset for offset in near}
        # In this order the sides never cross, whichever change one looks at.
        for price in sorted(set(self.levels.bids) - bids):
            self._set(price, 0, bid_side=True)
        for price in sorted(set(self.levels.asks) - asks):
            self._set(price, 0, bid_side=False)
        for price in sorted(bids - set(self.levels.bids)):
            self._set(price, self._lots(), bid_side=True)
        for price in sorted(asks - set(self.levels.asks)):
            self._set(price, self._lots(), bid_side=False)

    def _set(self, price: int, lots: int, *, bid_side: bool) -> None:
        self.number += self._dice.randrange(1, 4) if self._holes else 1
        self.levels.set(price, lots, bid_side=bid_side)
        self.journal.note(self.number, price, lots, bid_side=bid_side)

    def _happens(self, chance: float = 0.5) -> bool:
        return self._dice.random() < chance

    def _lots(self) -> int:
        return self._dice.randrange(1, MAX_LOTS + 1)

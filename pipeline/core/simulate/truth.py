"""What a test may know: one symbol's book at any number, and its trades."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import msgspec

from pipeline.core.simulate.book import Book
from pipeline.core.simulate.journal import Side

Prices: TypeAlias = dict[Decimal, Decimal]


class TrueTrade(msgspec.Struct, frozen=True):
    number: int
    at_ms: int
    price: Decimal
    quantity: Decimal
    seller: bool


class Truth:
    def __init__(self, book: Book) -> None:
        self._book = book

    @property
    def number(self) -> int:
        """Of the last change of the book."""
        return self._book.number

    def book(self, number: int | None = None) -> tuple[Prices, Prices]:
        """
        Return bids and asks, price to quantity, after the change of this number; now for None.

        Raises:
            LookupError: That is forgotten.
        """
        levels = self._book.journal.at(self.number if number is None else number)
        return self._side(levels.bids), self._side(levels.asks)

    def trades(self, first: int = 0, last: int | None = None) -> list[TrueTrade]:
        """Return the trades of these numbers, both included, in their order."""
        instrument = self._book.instrument
        return [
            TrueTrade(
                number=deal.number,
                at_ms=deal.at_ms,
                price=Decimal(deal.price).scaleb(-instrument.decimals),
                quantity=Decimal(deal.lots).scaleb(-instrument.lot_decimals),
                seller=deal.seller,
            )
            for deal in self._book.deals
            if first <= deal.number and (last is None or deal.number <= last)
        ]

    def _side(self, side: Side) -> Prices:
        instrument = self._book.instrument
        return {
            Decimal(price).scaleb(-instrument.decimals): Decimal(lots).scaleb(
                -instrument.lot_decimals
            )
            for price, lots in side.items()
        }

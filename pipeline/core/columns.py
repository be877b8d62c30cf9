"""
The prices, or the quantities, of one symbol as whole numbers whose exponent seldom changes.

For venues that leave out the zeros at the end: there 1.5 and 2 stand side by side, and whether a
message as a whole has decimals is chance. A column remembers how many the symbol has shown so far.
It remembers the texts too: a book says the same prices, and the quantity 0, over and over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.core.scale import MAX, MIN, whole

# Of texts. A book of 400 levels has 800 prices.
REMEMBERED = 1_024
# No tick is finer; beyond, a message is scaled by itself, so that one does not spoil all others.
FINEST = 12

_PLAIN = re.compile(r"(-?[0-9]{1,19})(?:\.([0-9]{1,12}))?")


class Column(dict[str, int]):
    """
    Whole numbers by their text.

    Attributes:
        decimals: value == number * 10**-decimals. Grows only.
    """

    __slots__ = ("decimals",)

    def __init__(self, decimals: int = 0) -> None:
        super().__init__()
        self.decimals = decimals

    def whole(self, texts: Sequence[str]) -> tuple[list[int], int]:
        """
        Return (numbers, exponent), as `scale.whole` does.

        Raises:
            DecodeError: See there.
        """
        try:
            return list(map(self.__getitem__, texts)), -self.decimals
        except _Finer as e:
            self.learn(e.decimals)
            return self.whole(texts)
        except _Unusual:
            return whole(texts)

    def learn(self, decimals: int) -> None:
        """Note that there are texts with so many decimals."""
        if self.decimals < decimals <= FINEST:
            self.decimals = decimals
            self.clear()

    def __missing__(self, text: str) -> int:
        found = _PLAIN.fullmatch(text)
        if found is None:
            raise _Unusual
        head, digits = found.groups("")
        if len(digits) > self.decimals:
            raise _Finer(len(digits))
        number = int(head + digits.ljust(self.decimals, "0"))
        if not MIN <= number <= MAX:
            raise _Unusual
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = number
        return number


class _Finer(Exception):
    """A text with more decimals than any before."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals


class _Unusual(Exception):
    """Not a plain number, or too large with these decimals: right perhaps, and not to be kept."""


class Columns:
    """The two columns of each symbol, of so many symbols at most."""

    def __init__(self, most: int = 4_096) -> None:
        self._most = most
        self._of: dict[str, tuple[Column, Column]] = {}

    def of(self, symbol: str) -> tuple[Column, Column]:
        """Return (prices, quantities)."""
        found = self._of.get(symbol)
        if found is None:
            if len(self._of) >= self._most:
                self._of.clear()  # Nobody has so many; but a stranger may make them up.
            found = self._of[symbol] = Column(), Column()
        return found

    def learn(self, symbols: Iterable[tuple[str, int, int]]) -> None:
        """Note (symbol, decimals of its prices, of its quantities); -1 where unknown."""
        for symbol, of_price, of_quantity in symbols:
            prices, quantities = self.of(symbol)
            prices.learn(of_price)
            quantities.learn(of_quantity)

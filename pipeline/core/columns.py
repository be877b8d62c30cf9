"""
The prices, or the quantities, of one symbol as whole numbers whose exponent seldom changes.

For venues that leave out the zeros at the end: there 1.5 and 2 stand side by side, and whether a
message as a whole has decimals is chance. A column remembers how many the symbol has shown so far.
It remembers the texts too: a book says the same prices, and the quantity 0, over and over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.core.scale import MAX, whole

# Texts, about 140 bytes each. A book of 400 levels has 800 prices.
REMEMBERED = 2_048
# Of all symbols together: 70 MB. A stranger may make up symbols, each with its own prices.
MOST_TEXTS = 500_000
# No tick is finer; beyond, a message is scaled by itself, so that one does not spoil all others.
FINEST = 12

# Digits, of a number that may fit sint64.
LONGEST = 19 + FINEST

_TENS: list[int] = [10**power for power in range(FINEST + 1)]


class Column(dict[str, int]):
    """
    Whole numbers by their text.

    Attributes:
        decimals: value == number * 10**-decimals. Grows only.
    """

    __slots__ = ("_remembers", "decimals")

    def __init__(self, remembers: Callable[[], object] = lambda: None) -> None:
        """
        Args:
            remembers: Called before a text is remembered; it may clear the column.
        """
        super().__init__()
        self.decimals = 0
        self._remembers = remembers

    def whole(self, texts: Sequence[str]) -> tuple[list[int], int]:
        """
        Return (numbers, exponent), as `scale.whole` does.

        Raises:
            DecodeError: See there.
        """
        try:
            return list(map(self.__getitem__, texts)), -self.decimals
        except _Finer as e:
            self.decimals = e.decimals
            self.clear()
            return self.whole(texts)
        except _Unusual:
            return whole(texts)

    def __missing__(self, text: str) -> int:
        head, _, digits = text.partition(".")
        missing = self.decimals - len(digits)
        written = head + digits
        if not (written.isdecimal() and written.isascii()) or len(written) > LONGEST:
            raise _Unusual
        if missing < 0:
            if len(digits) > FINEST:
                raise _Unusual
            raise _Finer(len(digits))
        number = int(written) * _TENS[missing]
        if number > MAX:
            raise _Unusual
        if len(self) >= REMEMBERED:
            self.clear()
        self._remembers()
        self[text] = number
        return number


class _Finer(Exception):
    """A text with more decimals than any before."""

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals


class _Unusual(Exception):
    """Not a plain number, or too large with these decimals: right perhaps, and not to be kept."""


class Columns:
    """The two columns of each symbol, of so many symbols and texts at most."""

    def __init__(self, most: int = 4_096, most_texts: int = MOST_TEXTS) -> None:
        self._most = most
        self._most_texts = most_texts
        # Since all were forgotten last: as many as there are, or more.
        self._texts = 0
        self._of: dict[str, tuple[Column, Column]] = {}

    def of(self, symbol: str) -> tuple[Column, Column]:
        """Return (prices, quantities)."""
        found = self._of.get(symbol)
        if found is None:
            if len(self._of) >= self._most:
                self._of.clear()  # Nobody has so many; but a stranger may make them up.
            found = self._of[symbol] = Column(self._remembers), Column(self._remembers)
        return found

    def _remembers(self) -> None:
        self._texts += 1
        if self._texts > self._most_texts:
            self._texts = 1
            for columns in self._of.values():
                for column in columns:
                    column.clear()

"""
Frames of a known form, whose numbers can be read without looking for their decimal points.

Two frames that differ in their digits alone have their fields, quotes and points in the same
places. So what was found of one, that each of its decimal numbers has so many decimals, holds for
the other; and then the points can be left out of the whole frame, before it is decoded at all: what
remains of each number is a whole one. It costs a fifth of looking at each number.

An update of a book has as many numbers as it likes: see `levels`.

Exact always: what is in doubt goes the slow way, by `scale.whole`, which also says what is wrong.
Names of fields must not hold digits; Binance's do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

import msgspec

from pipeline.core.scale import whole

# Takes decimal texts, returns numbers and their exponent.
Read: TypeAlias = Callable[[Sequence[str]], tuple[list[int], int]]

# With so many digits nothing is too large for sint64.
DIGITS = 18
# Forms are made up by the peer: what is remembered of them has an end.
MAX_FORMS = 512
LONGEST_FORM = 512

_NUMBER = re.compile(r"[0-9]+(?:\.([0-9]+))?")

# frame.translate(FORM) is its form: each digit as 0.
FORM = bytes.maketrans(b"123456789", b"000000000")

K = TypeVar("K")


class Noting:
    """
    Reads by `whole`, and notes what all the texts have in common.

    Attributes:
        decimals: How many they have; None before the first, -1 where they differ or where one is
            more than some digits and a point.
        points: How many have one.
    """

    def __init__(self) -> None:
        self.decimals: int | None = None
        self.points = 0

    def __call__(self, texts: Sequence[str]) -> tuple[list[int], int]:
        for text in texts:
            decimals = _decimals(text)
            self.points += decimals > 0
            if self.decimals is None:
                self.decimals = decimals
            elif self.decimals != decimals:
                self.decimals = -1
        return whole(texts)


def _decimals(text: str) -> int:
    found = _NUMBER.fullmatch(text) if len(text) <= DIGITS else None
    return -1 if found is None else len(found[1] or "")


class Known(msgspec.Struct, Generic[K], frozen=True, gc=False):
    """
    How frames of a form are read.

    Attributes:
        reader: Reads a frame without its points.
        price_exponent, quantity_exponent: Of the numbers in it.
    """

    reader: K
    price_exponent: int
    quantity_exponent: int


class Forms(Generic[K]):
    """The forms that the frames of one source were found to have."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known[K]] = {}
        self.get = self._known.get

    def learn(self, frame: bytes, reader: K, price: Noting, quantity: Noting) -> None:
        """
        Remember the form of a frame, if others of its form can be read without points.

        Args:
            price, quantity: Have read all its decimal texts.
        """
        if price.decimals in (None, -1) or quantity.decimals in (None, -1):
            return
        # Else there is a point elsewhere, or a text that is not written as it is read.
        if frame.count(b".") != price.points + quantity.points or b"\\" in frame:
            return
        if len(frame) > LONGEST_FORM:
            return
        if len(self._known) >= MAX_FORMS:
            self._known.clear()
        assert price.decimals is not None
        assert quantity.decimals is not None
        self._known[frame.translate(FORM)] = Known(reader, -price.decimals, -quantity.decimals)

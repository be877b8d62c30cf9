"""
Updates of a book whose levels can be read without looking for their decimal points.

    … "b":[["61737.63000000","0.00000000"],["61730.17000000","1.50000000"]],"a":[]}}

What stands in front of the first level, the head, has a form that is known (`forms`) and holds no
point. Behind it come levels, the field `a` and levels again, and nothing else. Let each point there
be followed by as many digits as prices or quantities have and then by a quote: so each text has one
point at most. If there are as many points as numbers, each number has exactly one. The points can
be left out, and what remains of each number is a whole one.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from pipeline.core.venues.forms import DIGITS, FORM, MAX_FORMS, Known, Noting

_START = b'"b":['
_BETWEEN = b'],"a":['
_OF_LEVELS = b'0123456789.[],"'
_LEFT_OF_REST = b"a:}}"
_LONGEST_HEAD = 512

K = TypeVar("K")


class _Layout(msgspec.Struct, Generic[K], frozen=True, gc=False):
    """
    Attributes:
        ends: How numbers end.
        too_long: What only a number with more digits than are safe can hold.
    """

    known: Known[K]
    ends: tuple[bytes, ...]
    too_long: bytes

    def fits(self, frame: bytes, form: bytes, head: int, points: int) -> bool:
        return (
            sum([form.count(end) for end in self.ends]) == points
            and self.too_long not in form
            and form.find(_BETWEEN, head) >= 0
            and frame[head:].translate(None, _OF_LEVELS) == _LEFT_OF_REST
        )


class Levels(Generic[K]):
    """The heads that the book updates of one source were found to have."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, _Layout[K]] = {}

    def get(self, frame: bytes, form: bytes, points: int) -> Known[K] | None:
        """
        Return how to read a frame without its points, provided that it has as many numbers.

        Its texts may still hold what is no digit; then `int` refuses them.

        Args:
            points: How many there are in the frame.
        """
        head = form.find(_START) + len(_START)
        layout = self._layouts.get(form[:head])
        if layout is None or not layout.fits(frame, form, head, points):
            return None
        return layout.known

    def learn(self, frame: bytes, reader: K, price: Noting, quantity: Noting) -> None:
        """
        Remember the head of a frame and the decimals of its numbers.

        Args:
            price, quantity: Have read all its decimal texts.
        """
        form = frame.translate(FORM)
        head = form.find(_START) + len(_START)
        decimals = price.decimals or 0, quantity.decimals or 0
        if min(decimals) <= 0 or not len(_START) <= head <= _LONGEST_HEAD:
            return
        if b"." in form[:head] or b"\\" in form[:head]:
            return
        if len(self._layouts) >= MAX_FORMS:
            self._layouts.clear()
        ends = [b'.%b"' % (b"0" * decimals[0])]
        if decimals[0] != decimals[1]:
            ends = [b'.%b","' % (b"0" * decimals[0]), b'.%b"]' % (b"0" * decimals[1])]
        self._layouts[form[:head]] = _Layout(
            Known(reader, -decimals[0], -decimals[1]),
            tuple(ends),
            b"0" * (DIGITS + 1 - max(decimals)) + b".",
        )

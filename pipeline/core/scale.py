"""
Exact decimal text as whole numbers with one common exponent.

Some venues write all prices of a symbol with the same number of decimals. Then the point can simply
be left out, a whole column at once. Others leave out the zeros at the end: they are put back first.
Every other text takes the slow way to the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from operator import itemgetter

from pipeline.core.errors import DecodeError

MIN, MAX = -(2**63), 2**63 - 1

_PLAIN = "0123456789.-,"
_NUMBER = "0123456789.-+eE"
# sint64 has 19 digits; who writes more zeros than this has no price in mind.
_LONGEST = 64
_TENS = [10**power for power in range(_LONGEST)]


def whole(texts: Sequence[str]) -> tuple[list[int], int]:
    """
    Return (numbers, exponent) with text == number * 10**exponent for each text.

    Raises:
        DecodeError: A text is no finite decimal number, or the numbers do not fit sint64.
    """
    if not texts:
        return [], 0
    joined = ",".join(texts)
    if _is_plain(joined, len(texts)):
        fast = _same_decimals(texts, joined) or _padded(texts)
        if fast is not None:
            return fast
    return _any_decimals(texts)


def _is_plain(joined: str, count: int) -> bool:
    """Return whether none of these texts is more than digits, points and signs, nor long."""
    # strip() looks from both ends inwards, so nothing is left only if all of it is plain.
    if joined.strip(_PLAIN) or len(joined) > (_LONGEST + 1) * count:
        return False
    return ".-" not in joined  # Without its point, ".-5" would be a number.


def _same_decimals(texts: Sequence[str], joined: str) -> tuple[list[int], int] | None:
    """Return None when these texts need another way. Every step is one call into C."""
    first = texts[0]
    point = first.find(".")
    decimals = 0 if point < 0 else len(first) - point - 1
    if joined.count(".") != (0 if point < 0 else len(texts)):
        return None
    try:
        if point >= 0 and set(map(itemgetter(-decimals - 1), texts)) != {"."}:
            return None
        numbers = list(map(int, joined.replace(".", "").split(",")))
    except (IndexError, ValueError):
        return None
    if len(numbers) != len(texts) or min(numbers) < MIN or max(numbers) > MAX:
        return None
    return numbers, -decimals


def _padded(texts: Sequence[str]) -> tuple[list[int], int] | None:
    """Return None when a text is no plain number, or the numbers do not fit with their zeros."""
    parts = [text.partition(".") for text in texts]
    decimals = max([len(digits) for _, _, digits in parts])
    try:
        numbers = [int(head + digits) * _TENS[decimals - len(digits)] for head, _, digits in parts]
    except (ValueError, IndexError):
        return None
    if min(numbers) < MIN or max(numbers) > MAX:
        return None
    return numbers, -decimals


def _any_decimals(texts: Sequence[str]) -> tuple[list[int], int]:
    parts = [_digits(text) for text in texts]
    exponent = min((exponent for number, exponent in parts if number), default=0)
    numbers = []
    for number, own in parts:
        # 10**19 is past sint64 already: a larger power is not computed at all.
        scaled = number * 10 ** min(own - exponent, 19) if number else 0
        if not MIN <= scaled <= MAX:
            raise DecodeError("number", "too many digits for a whole number of 64 bits")
        numbers.append(scaled)
    return numbers, exponent


def _digits(text: str) -> tuple[int, int]:
    """Return (number, exponent) without trailing zeros."""
    if len(text) > _LONGEST or text.strip(_NUMBER):
        raise DecodeError("number", "not a decimal number")
    try:
        value = Decimal(text)
    except InvalidOperation as e:
        raise DecodeError("number", "not a decimal number") from e
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # The letters of nan and inf are not in _NUMBER.
    significant = "".join(map(str, digits)).rstrip("0")
    number = int(significant or "0")
    exponent += len(digits) - len(significant)
    if number and abs(exponent) > _LONGEST:
        raise DecodeError("number", "an exponent beyond all measure")
    return (-number if sign else number), exponent

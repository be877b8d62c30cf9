"""Symbols that stand for others: `*` for any characters, `?` for any one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.core.venues.venue import Instrument


def is_pattern(symbol: str) -> bool:
    return "*" in symbol or "?" in symbol


def resolved(
    symbols: Sequence[str], instruments: Iterable[Instrument], now_ns: int
) -> tuple[str, ...]:
    """
    Return the plain symbols, then those of the table that a pattern fits and that live.

    Each once; the table's in the order of the alphabet.
    """
    plain = [symbol for symbol in symbols if not is_pattern(symbol)]
    patterns = [symbol for symbol in symbols if is_pattern(symbol)]
    found = sorted(
        instrument.symbol
        for instrument in instruments
        if not 0 < instrument.expiry_ns <= now_ns
        and any(fits(pattern, instrument.symbol) for pattern in patterns)
    )
    return tuple(dict.fromkeys(plain + found))


def fits(pattern: str, symbol: str) -> bool:
    """Return whether a symbol is one that the pattern stands for."""
    # Not a regular expression: many stars would make one take for ever.
    at = in_symbol = 0
    star, after_star = -1, 0
    while in_symbol < len(symbol):
        if pattern[at : at + 1] == "*":
            star, after_star = at, in_symbol
            at += 1
        elif pattern[at : at + 1] in ("?", symbol[in_symbol]):
            at += 1
            in_symbol += 1
        elif star >= 0:
            # The last star takes one character more.
            after_star += 1
            at, in_symbol = star + 1, after_star
        else:
            return False
    return not pattern[at:].strip("*")

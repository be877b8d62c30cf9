"""Types, intervals and symbols that an operator wishes for -> refusals that name the field."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.core.errors import BadOption


def check_wishes(
    venue: str,
    types: Sequence[str],
    known_types: Collection[str],
    intervals: Sequence[str],
    known_intervals: Collection[str],
) -> None:
    """
    Args:
        venue: For people.

    Raises:
        BadOption: A type that the venue has not, or, among candles, such an interval.
    """
    for data_type in types:
        if data_type not in known_types:
            raise BadOption("types", f"{venue} has no {data_type}")
    for interval in intervals if "kline" in types else ():
        if interval not in known_intervals:
            raise BadOption("intervals", f"{venue} has no candles of {interval}")


def written(symbol: str, forbidden: str) -> str:
    """
    Return the symbol in capitals.

    Raises:
        BadOption: It is empty, or holds a space, a control character, or one that is forbidden
            because it parts names.
    """
    if not symbol or not symbol.isprintable() or not set(symbol).isdisjoint(f'{forbidden} "\\'):
        raise BadOption(
            "symbols", f"a symbol has no space, no control character and none of {forbidden}"
        )
    return symbol.upper()

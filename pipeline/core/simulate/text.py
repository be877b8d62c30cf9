"""How venues write numbers. Inside, a price is whole ticks and a quantity whole lots."""

from __future__ import annotations


def padded(number: int, decimals: int, width: int) -> str:
    """Return number * 10**-decimals with `width` decimals, padded with zeros."""
    whole, rest = divmod(number * 10 ** (width - decimals), 10**width)
    return f"{whole}.{rest:0{width}d}" if width else str(whole)


def short(number: int, decimals: int) -> str:
    """Return number * 10**-decimals without a needless zero: `0.5`, `120`."""
    text = padded(number, decimals, decimals)
    return text.rstrip("0").rstrip(".") if decimals else text


def binary(number: int, decimals: int) -> float:
    """Return the float whose shortest decimal form is number * 10**-decimals."""
    return float(padded(number, decimals, decimals))

"""What others said in their own words, as it may be shown and logged."""

from __future__ import annotations

LONGEST = 200


def shortened(text: str) -> str:
    """Return it as one line, printable, and not too long."""
    return "".join(character if character.isprintable() else " " for character in text[:LONGEST])

"""
A handshake as it may be shown: what is sent may log in, so a mark stands for it.

`***2` means "what step 2 sends now". So steps can be moved, changed and taken away, and a file that
was exported can be imported again, by people who never see the texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import structs

from pipeline.core.errors import BadOption
from pipeline.core.spec import HandshakeStep

_MARK = re.compile(r"\*\*\*(\d{1,3})?")


def masked(steps: Sequence[HandshakeStep]) -> list[HandshakeStep]:
    """Return the steps with a mark for each text that is sent."""
    return [
        structs.replace(step, send=f"***{number}") if step.send else step
        for number, step in enumerate(steps, 1)
    ]


def unmasked(steps: Sequence[HandshakeStep], kept: Sequence[HandshakeStep]) -> list[HandshakeStep]:
    """
    Return the steps with the texts that their marks stand for.

    Args:
        kept: What the source has now.

    Raises:
        BadOption: A mark stands for nothing.
    """
    return [
        structs.replace(step, send=_meant(place, found[1], kept))
        if (found := _MARK.fullmatch(step.send))
        else step
        for place, step in enumerate(steps, 1)
    ]


def _meant(place: int, number: str | None, kept: Sequence[HandshakeStep]) -> str:
    index = int(number or place) - 1
    if 0 <= index < len(kept) and kept[index].send:
        return kept[index].send
    raise BadOption("handshake", f"step {place}: *** stands for no text that is kept; give one")

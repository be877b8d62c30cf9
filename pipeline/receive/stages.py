"""What a receiver sees of all that comes before and after it."""

from __future__ import annotations

from typing import Protocol


class Stages(Protocol):
    """Who takes the frames; see `pipeline.flow.Stages`."""

    def accept(self, frame: bytes | memoryview, received_ns: int) -> bool: ...

    async def room(self) -> None: ...


class Line(Stages, Protocol):
    """
    Who takes the frames of one link and says what goes the other way.

    Attributes:
        url: Where the link leads.
    """

    url: str

    def say(self, now_s: float) -> tuple[list[bytes], float]:
        """
        Return what to send now, and when to ask again at the latest, by the event loop's clock.

        Raises:
            LinkLost, AuthRefused: The peer owes an answer, or gave one that ends the link.
        """

    async def stirred(self, at_most_s: float) -> None:
        """Return once there may be something new to say."""

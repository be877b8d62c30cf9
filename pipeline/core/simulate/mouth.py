"""What the server asks of a mouth: one venue's words for what happens at a market."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from pipeline.core.simulate.book import Deal, Top
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.frame import Frame
from pipeline.core.simulate.market import Market


class UnknownPath(ValueError):
    """The exchange serves nothing under this path."""


class Close(msgspec.Struct, frozen=True):
    """The exchange ends a link, in the words of the protocol."""

    code: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """
    What a REST call is answered.

    Attributes:
        weight: What it counts for, in the venue's units.
    """

    status: int
    body: bytes
    weight: int = 1
    headers: Mapping[str, str] = {}


Say: TypeAlias = bytes | Close


class Session(Protocol):
    """
    What one client hears.

    Attributes:
        form: How frames are written for it; a mouth may know several.
        channels: What it is subscribed to.
        fresh: Those of them that begin with something of their own, and have not yet.
    """

    form: str
    channels: set[str]
    fresh: set[str]

    def hears(self, channel: str, kind: str) -> bool: ...

    def answer(self, request: str | bytes, now_s: float) -> list[Say]:
        """Carry out a request; a bad one changes nothing."""

    def due(self, now_s: float) -> list[Say]:
        """Return what time alone makes the exchange say."""


class Mouth(Protocol):
    """
    Attributes:
        venue: As sources name it.
        path: Where a link without a path of its own should go.
        rest_root: What paths of its REST begin with.
        calls_per: What REST calls may weigh together in so many seconds.
    """

    venue: str
    path: str
    rest_root: str
    calls_per: tuple[int, float]

    def __init__(self, market: Market, faults: Faults, *, checksums: bool) -> None:
        """
        Args:
            checksums: Whether books carry real ones, where the venue has a field for them.
        """

    def session(self, path: str, now_s: float) -> Session:
        """
        Raises:
            UnknownPath: Nothing is served there.
        """

    def live(
        self, events: Sequence[Top | Deal], heard: Collection[str], now_ms: int
    ) -> Iterator[Frame]:
        """Yield what is told at once of what happened in one step."""

    def tick(self, number: int, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        """Yield what is told at the end of a tenth of a second, counted by `number`."""

    def greeting(self, channel: str, now_ms: int) -> Frame | None:
        """Return what a new subscription begins with; asked for right after `tick`."""

    def farewell(self, now_ms: int) -> bytes:
        """Return the notice that the exchange will close its links."""

    def encode(self, frame: Frame, form: str) -> bytes: ...

    def rest(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        """Answer one GET request; what there is not, too."""

    def too_many(self, wait_s: int) -> Answer:
        """Return what is said to whoever calls too often."""

    def used(self, weight: int) -> Mapping[str, str]:
        """Return the headers that tell what was used up."""


def json(body: object) -> bytes:
    return msgspec.json.encode(body)


def several(frames: Iterable[Frame | None]) -> Iterator[Frame]:
    return (frame for frame in frames if frame is not None)

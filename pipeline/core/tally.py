"""What was heard on NATS beside what should have been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from google.protobuf.message import DecodeError

from pipeline.core.expected import Expected
from pipeline.core.patterns import fits, is_pattern
from pipeline.core.venues import VENUES
from streams.core import subjects
from streams.core.market import CONTROLS
from streams.core.proto.market_pb2 import FLAG_CONTROL, Head
from streams.core.templates import Place, Templates


class Silence(msgspec.Struct, frozen=True):
    """
    Attributes:
        subject: As it would have been; a pattern of symbols stands in it as it was declared.
        reason: What a control message said of it last; empty where nothing was heard at all.
    """

    expected: Expected
    subject: str
    reason: str = ""


def said(payload: bytes) -> str:
    """
    Return what a control message says, such as `STALE: nothing for 300 s`; empty for data.

    Raises:
        DecodeError: It is none of our messages.
    """
    head = Head.FromString(payload)
    if not head.flags & FLAG_CONTROL and not head.HasField("control"):
        return ""
    kind = CONTROLS.get(head.control.kind, "unknown").upper()
    return f"{kind}: {head.control.reason}".removesuffix(": ")


class Tally:
    """
    Attributes:
        data: Messages that hold data, by subject.
        controls: What was said last of a subject instead of data.
        unreadable: Messages that are none of ours.
    """

    def __init__(self, templates: Templates) -> None:
        self.data: Counter[str] = Counter()
        self.controls: dict[str, str] = {}
        self.unreadable = 0
        self._templates = templates

    def take(self, subject: str, payload: bytes) -> None:
        """Count one message. One that holds no data does not end a silence."""
        try:
            words = said(payload)
        except DecodeError:
            self.unreadable += 1
            return
        if words:
            self.controls[subject] = words
        else:
            self.data[subject] += 1

    def patterns(self, wanted: Iterable[Expected]) -> list[str]:
        """Return the patterns to listen to: one for each type of data of each venue."""
        return sorted({self._pattern(one) for one in wanted})

    def silences(self, wanted: Iterable[Expected]) -> list[Silence]:
        """Return what should have brought data, and did not."""
        heard = {self._templates.parse(subject) for subject in self.data}
        return [
            Silence(one, self._subject(one), self._reason(one))
            for one in wanted
            if not any(_is(one, place) for place in _near(one, heard)) and _can_be(one, heard)
        ]

    def _reason(self, one: Expected) -> str:
        told = {self._templates.parse(subject): said for subject, said in self.controls.items()}
        return next((told[place] for place in _near(one, told) if _is(one, place)), "")

    def _subject(self, one: Expected) -> str:
        built = self._templates.build(one.data_type, one.venue, one.symbol, one.interval)
        return built.replace("%2A", "*") if is_pattern(one.symbol) else built

    def _pattern(self, one: Expected) -> str:
        template = self._templates.by_type[one.data_type]
        venue = subjects.escape(one.venue)
        return ".".join(
            venue if part == "{exchange}" else "*" if part.startswith("{") else part
            for part in template.tokens
        )


def _near(one: Expected, places: Iterable[Place | None]) -> Iterable[Place]:
    """Return the places that may be it: without a pattern there is only one."""
    if is_pattern(one.symbol):
        return [place for place in places if place]
    exact = Place(one.data_type, one.venue, one.symbol, one.interval)
    return [exact] if exact in places else []


def _can_be(one: Expected, heard: Iterable[Place | None]) -> bool:
    """Return whether one of the symbols of a pattern, as far as they were heard, has such data."""
    symbols = [
        place.symbol
        for place in heard
        if place and place.exchange == one.venue and fits(one.symbol, place.symbol)
    ]
    if not is_pattern(one.symbol) or not symbols:
        return True
    intervals = [one.interval] if one.interval else []
    return bool(VENUES[one.venue]({}).channels([one.data_type], symbols, intervals))


def _is(one: Expected, place: Place) -> bool:
    return (
        (one.data_type, one.venue, one.interval)
        == (place.data_type, place.exchange, place.interval)
    ) and (one.symbol == place.symbol or fits(one.symbol, place.symbol))

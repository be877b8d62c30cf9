"""
Whether a source can be as it is declared: field by field, by its venue's own tables.

Whoever declares a source asks here: the row, its form, and a file that is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pipeline.core.addresses import completed
from pipeline.core.errors import BadOption
from pipeline.core.patterns import is_pattern
from pipeline.core.spec import HandshakeStep, SourceSpec
from pipeline.core.venues import VENUES
from pipeline.core.venues.venue import Venue
from streams.core.templates import TYPES

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=10_000)]
Wait = Annotated[float, Meta(gt=0, le=86_400)]

# A row may hold any JSON in these; each with what it must be.
SHAPES: Mapping[str, Any] = {
    "types": Annotated[list[Name], Meta(max_length=len(TYPES))],
    "symbols": Annotated[list[Name], Meta(max_length=5_000)],
    "intervals": Annotated[list[Name], Meta(max_length=32)],
    "options": dict[Name, Name],
    "stale_s": dict[Name, Wait],
    "handshake": Annotated[list[HandshakeStep], Meta(max_length=16)],
}
LONGEST_STEP = 10_000
LONGEST_STEP_S = 600.0


def shaped(field: str, value: object) -> Any:
    """
    Return the value of one of `SHAPES` as it should be.

    Raises:
        BadOption: It is something else. Its text names the place and never quotes what is there.
    """
    try:
        return msgspec.convert(value, SHAPES[field])
    except msgspec.ValidationError as e:
        raise BadOption(field, str(e).replace(" - at `$", " - at `" + field)) from None


def faults(spec: SourceSpec) -> list[BadOption]:
    """Return all that is wrong with a source whose fields are `shaped`; [] when it can be."""
    if spec.venue not in VENUES:
        return [BadOption("venue", f"is none of {', '.join(VENUES)}")]
    checks: tuple[Callable[[SourceSpec, type[Venue]], list[BadOption]], ...] = (
        _of_wishes, _of_types, _of_symbols, _of_times, _of_handshake, _of_venue,
    )  # fmt: skip
    return list(chain.from_iterable(check(spec, VENUES[spec.venue]) for check in checks))


def _of_wishes(spec: SourceSpec, venue: type[Venue]) -> list[BadOption]:
    if not (spec.types or spec.symbols) and spec.endpoint and venue.url_subscribes:
        return []  # The endpoint names what to collect.
    found = []
    if not spec.types:
        found.append(BadOption("types", "choose at least one"))
    if not spec.symbols:
        found.append(BadOption("symbols", "give at least one"))
    return found


def _of_types(spec: SourceSpec, venue: type[Venue]) -> list[BadOption]:
    found = [
        BadOption("types", f"{venue.title} has no {_words(name)}; it has {_listed(venue.types)}")
        for name in spec.types
        if name not in venue.types
    ]
    if repeated := _repeated(spec.types):
        found.append(BadOption("types", f"{repeated} is there twice"))
    if "kline" in spec.types and not spec.intervals:
        found.append(BadOption("intervals", "give at least one, such as 1m"))
    if repeated := _repeated(spec.intervals):
        found.append(BadOption("intervals", f"{repeated} is there twice"))
    return found


def _of_symbols(spec: SourceSpec, venue: type[Venue]) -> list[BadOption]:
    found = []
    if not all(map(_is_token, spec.symbols)):
        found.append(BadOption("symbols", "one holds a space or a control character"))
    if repeated := _repeated(spec.symbols):
        found.append(BadOption("symbols", f"{repeated} is there twice"))
    if any(is_pattern(symbol) for symbol in spec.symbols) and not _has_table(spec, venue):
        found.append(
            BadOption("symbols", "a * or ? needs the REST endpoint: it has the list of symbols")
        )
    return found


def _of_times(spec: SourceSpec, venue: type[Venue]) -> list[BadOption]:
    return [
        BadOption("stale_s", f"{name} is none of {', '.join(TYPES)}")
        for name in spec.stale_s
        if name not in TYPES
    ]


def _of_handshake(spec: SourceSpec, venue: type[Venue]) -> list[BadOption]:
    found = []
    for number, step in enumerate(spec.handshake):
        place = f"step {number + 1}"
        if not step.send and not step.expect:
            found.append(BadOption("handshake", f"{place} says nothing and waits for nothing"))
        if max(len(step.send), len(step.expect)) > LONGEST_STEP:
            found.append(BadOption("handshake", f"{place} has more than {LONGEST_STEP} characters"))
        if step.within_s > LONGEST_STEP_S:
            found.append(BadOption("handshake", f"{place} waits more than {LONGEST_STEP_S:g} s"))
    return found


def _of_venue(spec: SourceSpec, venue: type[Venue]) -> list[BadOption]:
    """Return what the venue itself does not take: an option, an interval, a symbol."""
    try:
        made = venue(spec.options)
    except BadOption as e:
        return [e if e.field == "options" else BadOption("options", str(e))]
    known = [name for name in spec.types if name in venue.types]
    symbols = [symbol for symbol in spec.symbols if _is_token(symbol) and not is_pattern(symbol)]
    try:
        # Where all symbols are patterns, any name will do to ask about the intervals.
        channels = made.channels(known, symbols or ["BTC"], spec.intervals)
    except BadOption as e:
        return [e if e.field in SHAPES else BadOption("types", str(e))]
    if known and symbols and not channels and len(symbols) == len(spec.symbols):
        return [BadOption("types", "none of the symbols can have any of these types of data")]
    return []


def _is_token(symbol: str) -> bool:
    return symbol.isprintable() and " " not in symbol


def _repeated(names: tuple[str, ...]) -> str:
    return next((name for name in names if names.count(name) > 1), "")


def _words(data_type: str) -> str:
    return data_type.replace("_", " ")


def _listed(types: frozenset[str]) -> str:
    return ", ".join(_words(name) for name in TYPES if name in types)


def _has_table(spec: SourceSpec, venue: type[Venue]) -> bool:
    """Return whether the venue's list of symbols can be asked for."""
    try:
        return bool(completed(spec, venue).rest_endpoint)
    except ValueError:
        return True  # An endpoint that is no URL is refused for that elsewhere.

"""One value of one field: whether it can be, and what it amounts to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from streams.core import subjects
from streams.core.errors import BadSubject
from streams.core.field import Field

LARGEST = 2**63 - 1
# Keys of `metadata` that the server writes and strips by itself.
SERVERS_OWN = "_nats."

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def wrong(field: Field, value: Any, level: int | None = None) -> str:
    """
    Return why this value cannot be; empty when it can.

    Args:
        level: The server's API level, where it is known.
    """
    if value is None:
        return ""
    if level is not None and level < field.level and amounts_to(field, value) != unset(field):
        return f"needs a server of API level {field.level}; this one has {level}"
    return _CHECKS[field.kind](field, value, level)


def amounts_to(field: Field | None, value: Any) -> Any:
    """
    Return the value as it is compared: what is left out is its default, an order that has no
    meaning is sorted, a time is in nanoseconds. None means that the server decides.

    Args:
        field: None for a key that the table does not know; nothing, 0 and false are then the same.
    """
    if field is None:
        return value or None
    if value is None:
        return unset(field)
    try:
        return _MEANINGS.get(field.kind, _plain)(field, value)
    except (TypeError, ValueError, AttributeError):
        # A value of the wrong type, which `wrong` refuses: it equals itself only.
        return value


def unset(field: Field) -> Any:
    """Return what a field amounts to that is not given."""
    return None if field.default is None else amounts_to(field, field.default)


def nanoseconds(text: str) -> int:
    """
    Return an RFC 3339 time in nanoseconds since 1970.

    Raises:
        ValueError: It is none.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a time such as 2026-01-31T12:00:00Z")
    zone = "+00:00" if found[3] in "Zz" else found[3]
    whole = datetime.fromisoformat(found[1].upper() + zone) - datetime(1970, 1, 1, tzinfo=UTC)
    fraction_ns = int((found[2] or "0").ljust(9, "0"))
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + fraction_ns


def _text(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, str):
        return "must be text"
    if field.required and not value:
        return "cannot be empty"
    if field.maximum is not None and len(value.encode(errors="replace")) > field.maximum:
        return f"has at most {field.maximum} bytes" if field.maximum else field.doc
    return ""


def _subject(field: Field, value: Any, level: int | None) -> str:
    if reason := _text(field, value, level):
        return reason
    try:
        if value and field.literal:
            subjects.tokens(value)
        elif value:
            subjects.check_pattern(value)
    except BadSubject as e:
        return str(e)
    return ""


def _subjects(field: Field, value: Any, level: int | None) -> str:
    if reason := _texts(field, value, level):
        return reason
    for index, one in enumerate(value):
        try:
            subjects.check_pattern(one)
        except BadSubject as e:
            return str(e)
        for other in value[:index]:
            if subjects.overlap(one, other):
                return f"{one!r} overlaps with {other!r}"
    return ""


def _texts(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        return "must be a list of texts"
    return "" if all(value) else "cannot hold an empty text"


def _flag(field: Field, value: Any, level: int | None) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _choice(field: Field, value: Any, level: int | None) -> str:
    if value not in field.choices:
        return "must be one of " + ", ".join(field.choices)
    needed = field.choice_levels.get(value, 0)
    if level is not None and level < needed:
        return f"{value} needs a server of API level {needed}; this one has {level}"
    return ""


def _number(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return "must be a whole number" + (f" ({field.unit})" if field.unit else "")
    # The server reads 0 as not given.
    if (value == 0 and field.minimum >= 0) or (value == -1 and field.unlimited):
        return ""
    if value < field.minimum:
        at_least = f"must be at least {field.minimum}" + (f" {field.unit}" if field.unit else "")
        return at_least + (", or -1 for no limit" if field.unlimited else "")
    most = LARGEST if field.maximum is None else field.maximum
    return f"must be at most {most}" if value > most else ""


def _durations(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, (list, tuple)):
        return "must be a list of durations in nanoseconds"
    for one in value:
        if reason := _number(field, one, level):
            return reason
    return ""


def _time(field: Field, value: Any, level: int | None) -> str:
    try:
        nanoseconds(value if isinstance(value, str) else "")
    except (ValueError, OverflowError):
        return "must be a time such as 2026-01-31T12:00:00Z"
    return ""


def _map(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, dict) or not all(
        isinstance(one, str) for pair in value.items() for one in pair
    ):
        return "must be an object whose values are texts"
    size = sum(len(one.encode(errors="replace")) for pair in value.items() for one in pair)
    if field.maximum is not None and size > field.maximum:
        return f"has at most {field.maximum} bytes"
    return ""


def _struct(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, dict):
        return "must be an object"
    for name, inner in field.inner.items():
        if inner.required and value and not value.get(name):
            return f"{name} is missing"
        if reason := wrong(inner, value.get(name), level):
            return f"{name}: {reason}"
    return ""


def _structs(field: Field, value: Any, level: int | None) -> str:
    if not isinstance(value, (list, tuple)):
        return "must be a list of objects"
    for index, one in enumerate(value):
        if reason := _struct(field, one, level) or ("" if one else "cannot be empty"):
            return f"{index + 1}: {reason}"
    return ""


_CHECKS: Mapping[str, Callable[[Field, Any, int | None], str]] = {
    "text": _text,
    "subject": _subject,
    "subjects": _subjects,
    "texts": _texts,
    "flag": _flag,
    "choice": _choice,
    "count": _number,
    "bytes": _number,
    "duration": _number,
    "durations": _durations,
    "time": _time,
    "map": _map,
    "struct": _struct,
    "structs": _structs,
}


def _plain(field: Field, value: Any) -> Any:
    return value or (None if field.default is None else field.default)


def _limit(field: Field, value: int) -> int | None:
    if field.unlimited:
        return value if value > 0 else -1
    return value or field.default


def _sorted(field: Field, value: Sequence[str]) -> Any:
    return tuple(sorted(set(value)))


def _pairs(field: Field, value: Mapping[str, str]) -> Any:
    return {key: text for key, text in value.items() if not key.startswith(SERVERS_OWN)}


def _parts(field: Field, value: Mapping[str, Any]) -> Any:
    names = {*field.inner, *value}
    parts = {name: amounts_to(field.inner.get(name), value.get(name)) for name in names}
    given = {
        name: part
        for name, part in sorted(parts.items())
        if part != (unset(field.inner[name]) if name in field.inner else None)
    }
    return given or None


def _list_of_parts(field: Field, value: Sequence[Mapping[str, Any]]) -> Any:
    return tuple(sorted((_parts(field, one) for one in value), key=msgspec.json.encode))


def _moment(field: Field, value: str) -> int | None:
    moment_ns = nanoseconds(value)
    # Go's zero time, the year 1, is no time at all.
    return None if value.startswith("0001-01-01") else moment_ns


_MEANINGS: Mapping[str, Callable[[Field, Any], Any]] = {
    "subjects": _sorted,
    "texts": _sorted,
    "count": _limit,
    "bytes": _limit,
    "duration": _limit,
    "durations": lambda field, value: tuple(value),
    "time": _moment,
    "map": _pairs,
    "struct": _parts,
    "structs": _list_of_parts,
}

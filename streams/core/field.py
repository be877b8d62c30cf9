"""What is known of one field of a stream's or a consumer's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Kind = Literal[
    "text",
    "subject",  # a pattern, or a concrete subject where `literal`
    "subjects",
    "texts",
    "flag",
    "choice",
    "count",
    "bytes",
    "duration",  # nanoseconds
    "durations",
    "time",  # RFC 3339
    "map",  # text to text
    "struct",  # its fields are in `inner`
    "structs",
]
Change = Literal["mutable", "one_way", "immutable"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """
    One field, by JetStream's own name.

    default: What the server takes when it is not given; None where that depends on others.
    level: The lowest API level of a server that knows it (0 is up to 2.10, 5 is 2.15).
    change: `mutable`; `one_way` can be set and never taken back; `immutable` stays for ever,
        except for the `moves` (before, after).
    unlimited: -1 means no limit, and the server takes 0 for it.
    unset: A value that leaves the choice to the server.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    level: int = 0
    change: Change = "mutable"
    unit: str = ""
    group: str = ""
    choices: tuple[str, ...] = ()
    choice_levels: Mapping[str, int] = {}
    moves: tuple[tuple[str, str], ...] = ()
    minimum: int = 0
    maximum: int | None = None
    unlimited: bool = False
    literal: bool = False
    required: bool = False
    inner: Mapping[str, Field] = {}


def by_name(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}

"""Writes docs/stream-fields.md from the tables: `.venv/bin/python -m tests.fields_page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from streams.core.field import Field
from streams.core.fields import CONSUMER_FIELDS, STREAM_FIELDS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "stream-fields.md"
CHANGES = {"mutable": "yes", "one_way": "one way", "immutable": "never"}
HEAD = """\
# Fields of streams and consumers

Written by `python -m tests.fields_page` from the tables in `streams/core/`, which also check what
is declared, draw the forms and decide what a plan may do. They have every field of nats-server
2.15; what a newer server has besides is kept and sent as it is.

*Level* is the lowest API level of a server that knows the field: 1 is 2.11, 2 is 2.12, 4 is 2.14;
without one, older servers know it too. *Changes*: *yes*; *one way*, which cannot be taken back and
needs the typed name; or *never*, which a plan refuses.
"""


def page() -> str:
    parts = [HEAD]
    for title, fields in (("Streams", STREAM_FIELDS), ("Consumers", CONSUMER_FIELDS)):
        parts += [f"## {title}\n", "\n".join(_rows(fields)), ""]
    return "\n".join(parts)


def _rows(fields: Mapping[str, Field]) -> Iterator[str]:
    yield "| field | value | default | level | changes | |"
    yield "|---|---|---|---|---|---|"
    for field in fields.values():
        yield _row(f"`{field.name}`", field, _change(field))
        if field.name == "sources":
            continue  # The parts of `mirror` again.
        for inner in field.inner.values():
            yield _row(f"`{field.name}.{inner.name}`", inner, "")
            for innermost in inner.inner.values():
                yield _row(f"`{field.name}.{inner.name}.{innermost.name}`", innermost, "")


def _row(name: str, field: Field, change: str) -> str:
    cells = (name, _value(field), _default(field), str(field.level or ""), change, field.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(field: Field) -> str:
    if field.choices:
        return ", ".join(
            f"`{choice}`"
            + (f" (level {level})" if (level := field.choice_levels.get(choice)) else "")
            for choice in field.choices
        )
    return f"{field.kind}, {field.unit}" if field.unit else field.kind


def _default(field: Field) -> str:
    if field.default in (None, "", (), {}):
        return ""
    return f"`{msgspec.json.encode(field.default).decode()}`".replace('"', "")


def _change(field: Field) -> str:
    if field.moves:
        return "; ".join(f"`{before}` to `{after}`" for before, after in field.moves)
    if field.name == "deliver_subject":
        return "to another subject"
    return CHANGES[field.change]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

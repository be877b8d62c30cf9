"""Two configurations side by side, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from streams.admin import shown

_ABSENT = object()


@dataclass(frozen=True)
class Line:
    """One field that differs. `None` in a text means that the side does not have it."""

    field: str
    before: str | None
    after: str | None


def lines(before: Any, after: Any) -> list[Line]:
    """Return what differs; a side that is no object counts as one nameless field."""
    if not isinstance(before, Mapping | None) or not isinstance(after, Mapping | None):
        return [] if before == after else [Line("", shown.short(before), shown.short(after))]
    old, new = before or {}, after or {}
    return [
        Line(name, _text(old, name), _text(new, name))
        for name in sorted({*old, *new}, key=str)
        if old.get(name, _ABSENT) != new.get(name, _ABSENT)
    ]


def _text(side: Mapping[str, Any], name: str) -> str | None:
    return shown.value(name, side[name]) if name in side else None


def table(differing: Iterable[Line]) -> SafeString | str:
    rows = list(differing)
    if not rows:
        return gettext("nothing differs")
    body = format_html_join(
        "",
        '<tr><th scope="row"><code>{}</code></th><td>{}</td><td>{}</td></tr>',
        ((row.field, _side("del", row.before), _side("ins", row.after)) for row in rows),
    )
    return format_html(
        '<div class="scrolls" tabindex="0" role="group" aria-label="{}"><table class="review">'
        "<thead><tr><th>{}</th><th>{}</th><th>{}</th></tr></thead><tbody>{}</tbody></table></div>",
        gettext("What differs"), gettext("Field"), gettext("Before"), gettext("After"), body,
    )  # fmt: skip


def _side(tag: str, text: str | None) -> SafeString | str:
    if text is None:
        return shown.NOTHING
    return format_html("<{}>{}</{}>", tag, text, tag)

"""How states, moments, sizes and JSON look on every page of streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from streams.core.fields import CONSUMER_FIELDS, STREAM_FIELDS
from streams.forms import units

NOTHING = "–"  # noqa: RUF001  a dash where there is no value
MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
# A limit that is this full is worth a second look.
NEARLY_FULL = 0.8
# Of a long JSON text the pages show so much.
LONGEST_JSON = 20_000

STANDINGS = {
    "unknown": _("not looked yet"),
    "in_sync": _("as declared"),
    "changed": _("to be applied"),
    "drifted": _("drifted"),
    "missing": _("not in NATS"),
}
POLICIES = {"manage": _("manage"), "observe": _("observe"), "protect": _("protect")}


def count(value: int) -> str:
    return number_format(value, force_grouping=True)


def size(value: int) -> str:
    return filesizeformat(value).replace("\xa0", " ")


def span(value_s: float) -> str:
    """Return a duration in its largest whole unit: 1 h, 90 min, 2 min."""
    for unit_s, name in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if value_s >= unit_s and value_s % unit_s == 0:
            return f"{count(int(value_s // unit_s))} {name}"
    if value_s < 1:
        return f"{number_format(value_s * 1000, use_l10n=True)} ms"
    return f"{number_format(value_s)} s"


def badge(state: str, label: object = "") -> SafeString:
    """Return a state as an icon, a word and a colour: see admin.css."""
    name = state.lower().replace("_", "-")
    return format_html('<span class="state state-{}">{}</span>', name, label or state)


def standing(state: str) -> SafeString:
    return badge(state, STANDINGS.get(state, state))


def moment(at: datetime | None, otherwise: object = "") -> SafeString | str:
    """Return how long ago that was, or until when; the exact time shows on pointing at it."""
    if at is None:
        return str(otherwise) or gettext("never")
    age_s = (timezone.now() - at).total_seconds()
    if age_s <= -MINUTE_S:
        told = gettext("in %(age)s") % {"age": timesince(timezone.now(), at)}
    elif age_s < MINUTE_S:
        told = gettext("%(age).0f s ago") % {"age": max(0.0, age_s)}
    else:
        told = gettext("%(age)s ago") % {"age": timesince(at)}
    exact = date_format(timezone.localtime(at), "Y-m-d H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, told)


def meter(used: float, limit: float, told: str) -> SafeString:
    """Return how full a limit is as a bar with its words beside it."""
    share = used / limit
    high = "full" if share >= 1 else "high" if share >= NEARLY_FULL else "low"
    return format_html(
        '<span class="saturation saturation-{}"><progress value="{}" max="1" aria-label="{}">'
        "</progress> {} %</span>",
        high, f"{min(share, 1):.3f}", told, round(share * 100),
    )  # fmt: skip


def pretty(value: Any) -> str:
    """Return JSON as people read it: an object on many lines, a list of plain values on one."""
    try:
        text = "".join(_written(value, "\n"))
    except RecursionError:
        text = gettext("nested too deep to be shown")
    if len(text) > LONGEST_JSON:
        return f"{text[:LONGEST_JSON]}\n…"
    return text


def _written(value: Any, margin: str) -> Iterator[str]:
    inside = f"{margin}  "
    if isinstance(value, dict) and value:
        for number, (name, of_it) in enumerate(value.items()):
            yield f"{',' if number else '{'}{inside}{_plain(str(name))}: "
            yield from _written(of_it, inside)
        yield f"{margin}}}"
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for number, each in enumerate(value):
            yield f"{',' if number else '['}{inside}"
            yield from _written(each, inside)
        yield f"{margin}]"
    else:
        yield _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def block(value: Any) -> SafeString | str:
    if value is None:
        return NOTHING
    return format_html('<pre class="payload">{}</pre>', pretty(value))


def short(value: Any) -> str:
    """Return one value of a configuration on one line."""
    if value is None:
        return gettext("none")
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def value(field: str, of_it: Any) -> str:
    """Return one value of a field as people write it: durations and sizes with their unit."""
    spec = STREAM_FIELDS.get(field) or CONSUMER_FIELDS.get(field)
    if spec is None or isinstance(of_it, bool) or not isinstance(of_it, int):
        return short(of_it)
    match spec.kind:
        case "duration":
            return units.duration_text(of_it)
        case "bytes":
            return units.size_text(of_it)
        case "count" if spec.unlimited:
            return units.count_text(of_it)
        case _:
            return str(of_it)


def actor(request: HttpRequest) -> str:
    """Return who is written down for what this request does."""
    return str(request.user.get_username())

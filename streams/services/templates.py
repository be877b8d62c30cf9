"""
The subject templates in force: those of the scheme in the settings, and what operators changed.

A record that no stream stores is not lost in silence: the publisher waits for its acknowledgement
and fills up. So a template that no declared stream covers is refused when it is edited, and said
once a minute when it came about otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from streams.core import templates as core
from streams.core.definition import NANOSECONDS
from streams.core.errors import BadDefinition
from streams.core.subjects import overlap
from streams.core.templates import Templates
from streams.models import Stream, SubjectTemplate
from streams.services import audit

logger = logging.getLogger(__name__)

KIND = "template"
# The stream of the older scheme's subjects, with the limits of MARKET_DATA.
OLDER_STREAM = "PUSHED_DATA"
OLDER_LIMITS = {
    "retention": "limits",
    "storage": "file",
    "max_age": 3600 * NANOSECONDS,
    "max_msgs": 1_000_000,
}


@dataclass(frozen=True)
class Row:
    """One template as it is shown. `stored` says whether a declared stream covers its pattern."""

    data_type: str
    template: str
    default: str
    pattern: str
    stored: bool


def active() -> Templates:
    """
    Return the templates in force.

    Raises:
        BadDefinition: What was changed does not go with the scheme, for example after that was
            changed in the settings.
    """
    return core.scheme(settings.SUBJECT_SCHEME, _changed())


def active_or_standard() -> Templates:
    """Return the templates in force; the scheme's own where those cannot be. For showing data."""
    try:
        return active()
    except BadDefinition as e:
        logger.warning("subject templates: %s; the scheme's own are used for showing data", e)
        return core.scheme(settings.SUBJECT_SCHEME)


def rows() -> list[Row]:
    """Return every type of data with its template, also one that cannot be beside the others."""
    defaults = core.SCHEMES[settings.SUBJECT_SCHEME]
    texts = {**defaults, **_changed()}
    patterns = {name: _pattern(name, text) for name, text in texts.items()}
    missing = core.uncovered_patterns(patterns, _stored())
    return [
        Row(name, text, defaults.get(name, ""), patterns[name], name not in missing)
        for name, text in texts.items()
    ]


def edit(*, data_type: str, template: str, actor: str) -> Templates:
    """
    Return the templates in force from now on. The scheme's own template is kept as no change.

    Raises:
        BadDefinition: It cannot be, or no declared stream would store any of its subjects.
    """
    return edit_all(changes={data_type: template}, actor=actor)


def edit_all(*, changes: Mapping[str, str], actor: str, with_stream: bool = False) -> Templates:
    """
    As `edit`, of several types at once: all, or none where one cannot be.

    Args:
        with_stream: Declare a stream for those that none would store; see `ensure_stored`.

    Raises:
        BadDefinition: See `edit`; `field` is the type of data.
    """
    defaults = core.SCHEMES[settings.SUBJECT_SCHEME]
    with transaction.atomic():
        before = _changed()
        after = {**before, **changes}
        after = {name: text for name, text in after.items() if text != defaults.get(name)}
        made = core.scheme(settings.SUBJECT_SCHEME, after)
        if with_stream:
            bare = [made.patterns[name] for name in changes if not _is_stored(made.patterns[name])]
            _declare_store(bare, actor)
        for name in changes:
            _refuse_unstored(made, name)
            if before.get(name) != after.get(name):
                _write(name, after.get(name))
                audit.note(
                    actor=actor,
                    action="edit",
                    kind=KIND,
                    name=name,
                    before={"template": before.get(name, defaults.get(name))},
                    after={"template": made.texts[name]},
                )
    return made


def reset(*, data_type: str, actor: str) -> Templates:
    """
    Go back to the scheme's own template. See `edit`.

    Raises:
        BadDefinition: There is no such type, or see `edit`.
    """
    default = core.SCHEMES[settings.SUBJECT_SCHEME].get(data_type, "")
    return edit(data_type=data_type, template=default, actor=actor)


def uncovered() -> Mapping[str, str]:
    """Return the patterns that no declared stream covers, by type of data."""
    return core.uncovered(active_or_standard(), _stored())


def ensure_stored() -> None:
    """
    Declare the stream of the older scheme where nothing covers its subjects, or let it store what
    is new among them; say what stays bare.

    Where the scheme is the usual one, MARKET_DATA is declared from the beginning.
    """
    missing = uncovered()
    if missing and settings.SUBJECT_SCHEME != core.DEFAULT:
        _declare_store(missing.values(), "TICKPLANE_SUBJECT_SCHEME")
        missing = uncovered()
    for data_type, pattern in missing.items():
        logger.warning(
            "no declared stream stores %s: data of type %s will wait and then be refused",
            pattern,
            data_type,
        )


def _declare_store(patterns: Iterable[str], actor: str) -> None:
    """Declare the stream of the older scheme for these, or let it store them, too."""
    wanted = sorted({pattern.partition(".")[0] + ".>" for pattern in patterns})
    row = Stream.objects.filter(name=OLDER_STREAM).first()
    if row is not None and not row.has_shape:
        return  # A hand was at it; what is not stored is said.
    had = row.subjects if row else []
    missing = [subject for subject in wanted if subject not in had]
    if not missing:
        return
    config = {**(row.config if row else OLDER_LIMITS), "subjects": [*had, *missing]}
    Stream.objects.update_or_create(name=OLDER_STREAM, defaults={"config": config})
    audit.note(
        actor=actor,
        action="edit" if row else "create",
        kind="stream",
        name=OLDER_STREAM,
        before=row.config if row else None,
        after=config,
    )


def _write(data_type: str, template: str | None) -> None:
    if template is None:
        SubjectTemplate.objects.filter(data_type=data_type).delete()
    else:
        SubjectTemplate.objects.update_or_create(
            data_type=data_type, defaults={"template": template}
        )


def _is_stored(pattern: str) -> bool:
    # A part of them will do: there may be a stream for each exchange.
    return any(overlap(subject, pattern) for subject in _stored())


def _refuse_unstored(made: Templates, data_type: str) -> None:
    pattern = made.patterns[data_type]
    if not _is_stored(pattern):
        raise BadDefinition(
            data_type,
            _("no declared stream stores %(pattern)s; declare one with these subjects first")
            % {"pattern": pattern},
        )


def _changed() -> dict[str, str]:
    return dict(SubjectTemplate.objects.values_list("data_type", "template"))


def _stored() -> list[str]:
    return [subject for stream in Stream.objects.all() for subject in stream.subjects]


def _pattern(data_type: str, text: str) -> str:
    try:
        return core.compiled({data_type: text}).patterns[data_type]
    except BadDefinition:
        return ""  # The row of an older version; it is shown, so that it can be put right.

"""Takes a YAML file into sources and subject templates, and writes one from them."""

from __future__ import annotations

from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from pipeline.core import checking, handshake, sourcefile
from pipeline.core.errors import BadOption
from pipeline.core.sourcefile import COLUMNS, Connection, FileSource, SourceFile
from pipeline.core.venues import VENUES
from pipeline.models import DataSource
from pipeline.services.declaring import overlapping
from streams.broker.connect import RECONNECT_S, apart
from streams.core.errors import BadDefinition
from streams.services import templates
from streams.services.brokerfiles import Item

# What the worker's link to NATS is like, in the words of a file. It is tried for ever.
OWN_CONNECTION = Connection(
    name="pipeline-worker", max_reconnect_attempts=-1, reconnect_time_wait=RECONNECT_S
)


class Report(msgspec.Struct, frozen=True):
    """
    What an import did, or would do.

    Attributes:
        notes: What the file says and was not taken, and what should be looked at.
    """

    items: tuple[Item, ...]
    notes: tuple[str, ...]
    dry_run: bool


def import_file(*, text: str, actor: str, dry_run: bool = False) -> Report:
    """
    Take the sources and subject templates of a file. Sources that it does not name stay.

    A source is afterwards as the file says, and as usual where the file says nothing.

    Raises:
        BadDefinition: A value cannot be; `field` says where. Nothing was changed.
    """
    file = sourcefile.read(text)
    with transaction.atomic():
        items = [*_take_subjects(file, actor), *_take_sources(file)]
        notes = [*_of_streaming(file), *_of_overlaps(file)]
        if dry_run:
            transaction.set_rollback(True)
    return Report(tuple(items), tuple(notes), dry_run)


def export_file() -> str:
    """
    Return all sources but the demo's, and the subject templates, as a file without secrets.

    Raises:
        BadDefinition: The subject templates in force cannot be.
    """
    return sourcefile.written(
        servers=_own_servers(),
        connection=OWN_CONNECTION,
        subjects=templates.active().texts,
        sources=[_file_source(row) for row in DataSource.objects.filter(is_demo=False)],
    )


def _take_subjects(file: SourceFile, actor: str) -> list[Item]:
    wanted = file.nats_streaming.subjects
    if not wanted:
        return []
    before = templates.active_or_standard().texts
    try:
        templates.edit_all(changes=wanted, actor=actor, with_stream=True)
    except BadDefinition as e:
        raise _at(f"{sourcefile.SUBJECTS}.{e.field}", e.field, e) from e
    return [
        Item("subject", name, "unchanged" if before.get(name) == text else "changed")
        for name, text in wanted.items()
    ]


def _at(where: str, field: str, error: Exception) -> BadDefinition:
    return BadDefinition(where, str(error).removeprefix(f"{field}: "))


def _take_sources(file: SourceFile) -> list[Item]:
    pushed = file.nats_streaming.enabled
    return [
        _take(f"{sourcefile.SOURCES}.{number}", source, pushed=pushed)
        for number, source in enumerate(file.sources)
    ]


def _take(where: str, source: FileSource, *, pushed: bool) -> Item:
    if source.exchange not in VENUES:
        raise BadDefinition(f"{where}.exchange", f"is none of {', '.join(VENUES)}")
    name = source.name or source.exchange
    found = DataSource.objects.filter(name=name).first()
    row = found or DataSource(name=name)
    values = _columns(where, source, row) | {"enabled": source.enabled and pushed}
    changed = tuple(column for column, value in values.items() if getattr(row, column) != value)
    if found and not changed:
        return Item("source", name, "unchanged")
    for column, value in values.items():
        setattr(row, column, value)
    try:
        row.full_clean()
    except ValidationError as e:
        raise _first(where, e) from e
    # The rest of the row is the machine's, which writes it all the time.
    row.save(update_fields=changed if found else None)
    return Item("source", name, "changed", changed) if found else Item("source", name, "created")


def _columns(where: str, source: FileSource, row: DataSource) -> dict[str, Any]:
    try:
        kept = checking.shaped("handshake", row.handshake)
    except BadOption:
        kept = []
    try:
        steps = handshake.unmasked(source.handshake, kept)
    except BadOption as e:
        raise BadDefinition(f"{where}.handshake", e.reason) from e
    return {column: getattr(source, column) for column in COLUMNS} | {
        "venue": source.exchange,
        "handshake": [msgspec.to_builtins(step) for step in steps],
    }


def _first(where: str, error: ValidationError) -> BadDefinition:
    for field, reasons in error.message_dict.items():
        place = {"venue": f"{where}.exchange", "__all__": where}.get(field, f"{where}.{field}")
        return BadDefinition(place, str(reasons[0]))
    return BadDefinition(where, "")  # pragma: no cover  an error has a reason


def _of_streaming(file: SourceFile) -> list[str]:
    """Return what is said of NATS, and how it is here: a file changes no setting."""
    told, found = file.nats_streaming, []
    if not told.enabled:
        found.append(_("nats_streaming.enabled is false: the sources of the file are disabled."))
    own = {sourcefile.address(server) for server in _own_servers()}
    others = [s for s in told.servers if sourcefile.address(s) not in own]
    if others:
        found.append(
            _(
                "nats_streaming.servers is not taken: where data go is the setting NATS_URL, which "
                "is %(own)s here; the file says %(others)s."
            )
            % {"own": ", ".join(_own_servers()), "others": ", ".join(_bare(others))}
        )
    for name in Connection.__struct_fields__:
        value, ours = getattr(told.connection, name), getattr(OWN_CONNECTION, name)
        if value is not None and value != ours:
            found.append(
                _("nats_streaming.connection.%(name)s is not taken: it is %(ours)s here.")
                % {"name": name, "ours": _("-1 (for ever)") if ours == -1 else ours}
            )
    return found


def _of_overlaps(file: SourceFile) -> list[str]:
    names = [source.name or source.exchange for source in file.sources]
    return [
        _("%(name)s collects some of the same as %(others)s; each will seem to lose messages.")
        % {"name": row.name, "others": ", ".join(others)}
        for row in DataSource.objects.filter(name__in=names)
        if (others := overlapping(source=row))
    ]


def _own_servers() -> list[str]:
    return apart(settings.NATS_URL)[0]


def _bare(servers: list[str]) -> list[str]:
    return [apart(server)[0][0] for server in servers]


def _file_source(row: DataSource) -> FileSource:
    """
    Raises:
        BadDefinition: A hand was at the row, and what it holds is no source.
    """
    values = {column: getattr(row, column) for column in COLUMNS}
    for column in checking.SHAPES:
        try:
            values[column] = checking.shaped(column, values[column])
        except BadOption as e:
            raise BadDefinition(f"{row.name}.{e.field}", e.reason) from e
    values["handshake"] = handshake.masked(values["handshake"])
    name = "" if row.name == row.venue else row.name
    return FileSource(name=name, exchange=row.venue, **values)

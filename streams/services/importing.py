"""Takes what NATS has into the records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec
from django.db import transaction

from streams.core import advisory, definition
from streams.core.errors import BadDefinition
from streams.models import Policy, Standing, Stream, StreamConsumer
from streams.services import audit, declaring
from streams.services.live import Live, look

JsonObject = dict[str, Any]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Names of streams and, as `STREAM/consumer`, of consumers. `known` had records already."""

    created: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def import_streams(
    *, actor: str, names: Collection[str] | None = None, policy: str = "observe"
) -> Imported:
    """
    Make a record of each stream and durable consumer in NATS that has none; change no other.

    What is recorded as declared is everything that NATS has, so that later any change shows.

    Args:
        names: Of streams; None means all but Tickplane's own. Those that NATS does not have are
            in `missing`.

    Raises:
        BadDefinition: There is no such policy.
        BrokerAway, ApiRefused: NATS cannot be asked. Nothing was recorded.
    """
    if policy not in Policy.values:
        raise BadDefinition("policy", "must be one of " + ", ".join(Policy.values))
    found = look(names=names, with_consumers=None)
    if names is None:
        found = _without_our_own(found)
    with transaction.atomic():
        rows = _streams(found, policy)
        created = [row.name for row in rows]
        consumers = _consumers(found, policy)
        created += [str(row) for row in consumers]
        for row in (*rows, *consumers):
            kind = "stream" if isinstance(row, Stream) else "consumer"
            audit.note(actor=actor, action="import", kind=kind, name=str(row), after=row.live)
    known = sorted({*found.streams, *_durables(found)} - set(created))
    missing = sorted(set(names or ()) - found.streams.keys())
    return Imported(created=tuple(created), known=tuple(known), missing=tuple(missing))


def accept(*, names: Collection[str], actor: str) -> tuple[str, ...]:
    """
    Declare what NATS has of these, where it differs from what was declared; return which did.

    It is how drift is agreed to. Nothing is sent to NATS.

    Raises:
        BadDefinition: A name that is not declared.
        BrokerAway, ApiRefused: NATS cannot be asked. Nothing was recorded.
    """
    side = declaring.side_by_side(names=names)
    accepted: list[str] = []
    for one in side.declared:
        config = one.live_config
        row = side.records[one.name]
        if config is None or (config == row.applied and not row.drift):
            continue
        live = definition.declared(config)
        before = row.config
        # What was left to the server stays so; what was declared becomes what is.
        wanted = before if one.has_shape and one.policy != Policy.OBSERVE else live
        row.config = {name: live.get(name) for name in wanted}
        row.applied = row.live = config
        row.standing, row.drift, row.last_error = Standing.IN_SYNC, [], ""
        with transaction.atomic():
            row.save(update_fields=["config", *declaring.written(row)])
            audit.note(
                actor=actor,
                action="accept",
                kind=one.kind,
                name=one.name,
                before=before,
                after=row.config,
            )
        accepted.append(one.name)
    return tuple(accepted)


def _without_our_own(found: Live) -> Live:
    own = advisory.STREAM
    return replace(
        found,
        streams={name: info for name, info in found.streams.items() if name != own},
        consumers={
            name: info for name, info in found.consumers.items() if name.partition("/")[0] != own
        },
    )


def _durables(found: Live) -> dict[str, JsonObject]:
    """Return the consumers that outlive their clients; the others are nobody's to declare."""
    return {
        name: info
        for name, info in found.consumers.items()
        if info["config"].get("durable_name") and not info["config"].get("direct")
    }


def _streams(found: Live, policy: str) -> list[Stream]:
    known = set(Stream.objects.values_list("name", flat=True))
    rows = [
        _seen(Stream(name=name, policy=policy), info)
        for name, info in sorted(found.streams.items())
        if name not in known
    ]
    return Stream.objects.bulk_create(rows)


def _consumers(found: Live, policy: str) -> list[StreamConsumer]:
    parents = {row.name: row for row in Stream.objects.all()}
    known = {str(row) for row in StreamConsumer.objects.select_related("stream")}
    rows = [
        _seen(StreamConsumer(stream=parents[stream], name=own, policy=policy), info)
        for name, info in sorted(_durables(found).items())
        for stream, _, own in [name.partition("/")]
        if name not in known
    ]
    return StreamConsumer.objects.bulk_create(rows)


def _seen(row: declaring.RecordT, info: JsonObject) -> declaring.RecordT:
    row.config = definition.declared(info["config"])
    row.applied = row.live = info["config"]
    row.standing = Standing.IN_SYNC
    declaring.count(row, info)
    return row

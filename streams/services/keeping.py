"""
Keeps the declared streams in being, and the records up to date with what NATS has.

What it creates by itself, and nothing else:

* a declared stream that was never applied (`auto_create_streams`);
* one that was, when the server lost it by itself: it was kept in memory, or the whole store is
  empty. A single stream that is gone was deleted by somebody; making it anew would hide that.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from streams.core import definition
from streams.core.errors import ApiRefused, StreamsError
from streams.core.plan import Item, item
from streams.models import BrokerAct, Cluster, Policy, Standing, Stream
from streams.services import announcing, audit, declaring, sync, templates
from streams.services.declaring import Record, Side

logger = logging.getLogger(__name__)

ACTOR = "keep_streams"
NAME_IN_USE = 10058
# The three streams of the contract.
DEFAULTS = ("MARKET_DATA", "SYSTEM_EVENTS", "SERVICE_LOGS")
FAST_INGEST = "allow_batched"


@dataclass(frozen=True)
class Kept:
    """
    What `keep_streams` found and did. `failed` holds (name, reason).

    created: Among them those that had been there before (`recreated`), and begin empty.
    gone: Were there when last applied, are not now, and were not made anew.
    """

    existing: tuple[str, ...]
    created: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    recreated: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def keep_streams(*, now: datetime) -> Kept:
    """
    Create the declared streams that are missing, as far as the module says; note how all compare.

    A stream that exists is never changed, but for one thing: the three default streams of an
    earlier version are given `allow_batched`, once, which takes nothing away.

    Raises:
        BrokerAway, ApiRefused: NATS cannot be asked. Nothing was changed.
    """
    templates.ensure_stored()
    side = declaring.side_by_side()
    if _declare_fast_ingest(side):
        side = declaring.side_by_side()
    items = {one.name: item(one, level=side.live.level) for one in side.declared}
    ours = _to_create(side, items)
    created: list[str] = []
    failed: list[tuple[str, str]] = []
    looks: list[Record] = []
    for name, row in side.records.items():
        try:
            if name in ours:
                created += _created(items[name], row, now)
                continue
            if _only_fast_ingest(items[name]):
                sync.carry_out(items[name], row, actor=ACTOR, now=now)
                continue
        except StreamsError as e:
            logger.warning("%s %s not kept: %s", items[name].kind, name, e)
            failed.append((name, str(e)))
            row.last_error = str(e)[:200]
        else:
            if why := _judged(items[name], row):
                failed.append((name, why))
        _look(items[name], row, side, now)
        looks.append(row)
    declaring.save_looks(looks)
    streams = [row for row in side.records.values() if isinstance(row, Stream)]
    absent = [row.name for row in streams if row.name not in side.live.streams]
    return Kept(
        existing=tuple(row.name for row in streams if row.name in side.live.streams),
        created=tuple(created),
        failed=tuple(failed),
        recreated=tuple(name for name in created if items[name].reasons),
        gone=tuple(
            name for name in absent if name not in ours and side.records[name].applied is not None
        ),
    )


def _to_create(side: Side, items: Mapping[str, Item]) -> set[str]:
    """Return the names of the streams that are created without being asked."""
    rows = [
        row
        for row in side.records.values()
        if isinstance(row, Stream) and items[row.name].action == "create"
    ]
    if not rows or not _creates():
        return set()
    deleted = _deleted_by_us([row.name for row in rows])
    emptied = not side.live.unreached and not any(
        info["config"].get("storage") == "file" for info in side.live.streams.values()
    )
    return {
        row.name
        for row in rows
        if row.applied is None
        or (row.name not in deleted and (emptied or row.applied.get("storage") == "memory"))
    }


def _creates() -> bool:
    wishes = list(Cluster.objects.values_list("auto_create_streams", flat=True))
    return not wishes or any(wishes)


def _deleted_by_us(names: Collection[str]) -> set[str]:
    """Return those whose last act in the audit trail is that an operator deleted them."""
    acts = BrokerAct.objects.filter(
        kind="stream", name__in=names, action__in=("create", "recreate", "delete")
    )
    last = dict(acts.order_by("id").values_list("name", "action"))
    return {name for name, action in last.items() if action == "delete"}


def _created(one: Item, row: Record, now: datetime) -> list[str]:
    """Return the name when this call created it."""
    detail = "; ".join(one.reasons)
    if detail:
        logger.warning("stream %s was gone and is made anew, empty", one.name)
    act = "recreate" if detail else "create"
    try:
        sync.carry_out(one, row, actor=ACTOR, now=now, act=act, detail=detail)
    except ApiRefused as e:
        if e.code != NAME_IN_USE:
            raise
        # Another process created it between our look and our call.
        return []
    return [one.name]


def _judged(one: Item, row: Record) -> str:
    """
    Write an object's trouble into its record (unsaved), and tell what is new of it.

    Returns:
        Why a stream was never made; else nothing.
    """
    row.last_error = _trouble(one, row)
    if _never_made(one, row):
        return row.last_error
    if one.standing == "missing" and row.standing not in (Standing.MISSING, Standing.UNKNOWN):
        _tell_gone(one, row)
    elif one.standing == "drifted" and row.standing != Standing.DRIFTED:
        _tell_drift(one)
    return ""


def _never_made(one: Item, row: Record) -> bool:
    missing = one.standing == "missing"
    return one.kind == "stream" and missing and one.action == "refused" and row.applied is None


def _trouble(one: Item, row: Record) -> str:
    """Return what an operator must see beside an object that is left alone."""
    if one.action == "refused":
        return "; ".join(one.reasons)[:200]
    if one.standing == "missing" and row.applied is not None:
        return "gone from NATS; a plan would create it anew, empty"
    return ""


def _tell_gone(one: Item, row: Record) -> None:
    logger.error("%s %s is gone from NATS", one.kind, one.name)
    announcing.alert(
        level="critical",
        type=f"{one.kind}_gone",
        text=f"{one.kind} {one.name} is gone from NATS",
        name=one.name,
    )
    audit.note(actor=ACTOR, action="gone", kind=one.kind, name=one.name, before=row.live)


def _tell_drift(one: Item) -> None:
    told = f"{one.kind} {one.name} was changed in NATS by somebody else: {', '.join(one.drift)}"
    logger.warning("%s", told)
    announcing.alert(
        level="warning", type=f"{one.kind}_drifted", text=told, name=one.name, fields=one.drift
    )


def _look(one: Item, row: Record, side: Side, now: datetime) -> None:
    declaring.looked(row, one, side.info(one), now)
    if one.action == "adopt":
        # By itself, so that the others are not written over an apply of this moment.
        type(row).objects.filter(pk=row.pk).update(applied=one.live)


def _only_fast_ingest(one: Item) -> bool:
    """Return whether a default stream lacks nothing but what an earlier version did not ask for."""
    return (
        one.name in DEFAULTS
        and one.action == "update"
        and [change.field for change in one.changes] == [FAST_INGEST]
        and not one.changes[0].drifted
        and bool(one.changes[0].desired)
    )


def _declare_fast_ingest(side: Side) -> bool:
    """Declare `allow_batched` for default streams that say nothing of it; return if any did not."""
    if side.live.level < definition.FAST_INGEST_LEVEL:
        return False
    silent = Stream.objects.filter(name__in=DEFAULTS).exclude(policy=Policy.OBSERVE)
    with transaction.atomic():
        rows = [
            row
            for row in silent.select_for_update().order_by("pk")
            if row.has_shape and FAST_INGEST not in row.given and not row.given.get("mirror")
        ]
        for row in rows:
            before, row.config = row.config, {**row.config, FAST_INGEST: True}
            row.save(update_fields=["config"])
            audit.note(
                actor=ACTOR,
                action="declare",
                kind="stream",
                name=row.name,
                before=before,
                after=row.config,
            )
    return bool(rows)

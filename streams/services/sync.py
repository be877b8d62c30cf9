"""Makes NATS as declared: first a plan, then exactly that plan."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from django.db import transaction

from streams.core import definition, difference
from streams.core import plan as planning
from streams.core.errors import PlanChanged, StreamsError
from streams.core.plan import Item, Plan
from streams.services import audit, backups, declaring, live
from streams.services.declaring import Record, Side
from streams.services.linked import link

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

# The API level from which the server makes snapshots of streams in memory.
SAVES_MEMORY = 5


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one item.

    outcome: done; failed (NATS or the backup refused); unconfirmed (its name was not typed).
    backup: The file of the backup that was taken before, if one was.
    """

    kind: str
    name: str
    action: str
    outcome: Literal["done", "failed", "unconfirmed"]
    reason: str = ""
    backup: str = ""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply did, in the plan's order; what had nothing to do is not in it."""

    items: tuple[Done, ...]

    @property
    def failed(self) -> tuple[Done, ...]:
        return tuple(item for item in self.items if item.outcome != "done")


def plan(*, names: Collection[str] | None = None) -> Plan:
    """
    Return what an apply would do; nothing is changed.

    Args:
        names: Of streams (with their consumers) or consumers (`STREAM/consumer`); None means all.

    Raises:
        BadDefinition: A name that is not declared.
        BrokerAway, ApiRefused: NATS cannot be asked.
    """
    return planned(declaring.side_by_side(names=names), whole=names is None)


def planned(side: Side, *, whole: bool) -> Plan:
    undeclared = side.undeclared if whole else ()
    return planning.made(side.declared, level=side.live.level, undeclared=undeclared)


def apply(
    *,
    plan_hash: str,
    actor: str,
    now: datetime,
    confirm: Mapping[str, str] = {},
    names: Collection[str] | None = None,
) -> Applied:
    """
    Do what the plan of this hash says. One object that fails does not stop the others.

    Args:
        confirm: By an item's name what was typed for it; destructive and one-way changes need it.
        names: As they were given to `plan`.

    Raises:
        PlanChanged: Something changed since the plan was made. Nothing was done.
        BadDefinition, BrokerAway, ApiRefused: As `plan`. Nothing was done.
    """
    side = declaring.side_by_side(names=names)
    current = planned(side, whole=names is None)
    if current.hash != plan_hash:
        raise PlanChanged(f"something changed since plan {plan_hash}; look at {current.hash}")
    done: list[Done] = []
    saved: dict[str, str] = {}
    for item in current.items:
        if item.action not in planning.DOES:
            continue
        if item.needs_name and confirm.get(item.name) != item.name:
            reason = f"type {item.name} to confirm: {_risk(item)}"
            done.append(_done(item, "unconfirmed", reason))
            continue
        done.append(_one(item, side.records[item.name], actor, now, saved))
    return Applied(items=tuple(done))


def _one(item: Item, row: Record, actor: str, now: datetime, saved: dict[str, str]) -> Done:
    try:
        file = _save_first(item, actor, now, saved) if item.needs_name else ""
        detail = f"backup {file}" if file else ""
        reason = carry_out(item, row, actor=actor, now=now, detail=detail)
    except (StreamsError, OSError) as e:
        # Anticipated, a full disk too: the operator reads it beside the object.
        logger.warning("%s %s not applied: %s", item.kind, item.name, e)
        row.last_error = str(e)[:200]
        row.save(update_fields=["last_error"])
        return _done(item, "failed", str(e))
    return _done(item, "done", reason, file)


def carry_out(  # noqa: PLR0913
    item: Item, row: Record, *, actor: str, now: datetime, detail: str = "", act: str = ""
) -> str:
    """
    Do what one item says, and write down what the server made of it.

    Args:
        act: What it is called in the audit trail; left out, the item's action.
        detail: For the audit trail, beside what changes.

    Returns:
        What the server made otherwise than it was declared; empty when nothing.

    Raises:
        PlanChanged: It is not in NATS as it was planned for.
        BrokerAway, ApiRefused: NATS did not do it.
    """
    info = _unchanged(item) if item.action == "adopt" else _sent(item)
    made = dict(info["config"])
    declared = difference.Declared(
        kind=item.kind, name=item.name, policy=item.policy, config=row.config, live=info
    )
    left = tuple(difference.differences(declared, made))
    row.applied, row.last_error = made, ""
    declaring.looked(row, msgspec.structs.replace(item, changes=left), info, now)
    row.standing = difference.standing(left)
    with transaction.atomic():
        row.save(update_fields=declaring.written(row))
        audit.note(
            actor=actor,
            action=act or ("update" if item.action == "one_way" else item.action),
            kind=item.kind,
            name=item.name,
            before=item.live,
            after=definition.without_own(made),
            detail="; ".join(filter(None, (_told(item), detail))),
        )
    logger.info("%s %s: %s by %s", item.kind, item.name, item.action, actor)
    return "; ".join(f"{change.field}: the server keeps {change.live!r}" for change in left)


def _sent(item: Item) -> JsonObject:
    stream, _, consumer = item.name.partition("/")
    if item.action != "create":
        _unchanged(item)
    if item.kind == "stream":
        verb = "CREATE" if item.action == "create" else "UPDATE"
        return link().api(f"STREAM.{verb}.{stream}", item.body)
    action = "create" if item.action == "create" else "update"
    body = {"stream_name": stream, "config": item.body, "action": action}
    return link().api(f"CONSUMER.CREATE.{stream}.{consumer}", body)


def _unchanged(item: Item) -> JsonObject:
    """
    Return the live info once more: JetStream has no conditional update, so this narrows the time
    in which somebody else's change would be overwritten to one round trip.
    """
    stream, _, consumer = item.name.partition("/")
    info = live.live_consumer(stream, consumer) if consumer else live.live_stream(stream)
    if info is None or definition.without_own(info["config"]) != item.live:
        raise PlanChanged("changed in NATS meanwhile; make another plan")
    return info


def _save_first(item: Item, actor: str, now: datetime, saved: dict[str, str]) -> str:
    """
    Return the file of a backup of the item's stream; one serves all of an apply.

    Empty for a stream in memory on a server before 2.15, which makes no snapshot of it.

    Raises:
        BadBackup, BrokerAway, ApiRefused: It failed; the change is not made.
    """
    stream = item.name.partition("/")[0]
    info = live.live_stream(stream)
    if stream not in saved and info is not None and _can_be_saved(info):
        reason = f"before {item.name}: {_risk(item)}"[:200]
        saved[stream] = backups.backup(stream=stream, actor=actor, reason=reason, now=now).file
    return saved.get(stream, "")


def _can_be_saved(info: JsonObject) -> bool:
    return info["config"].get("storage") != "memory" or live.api_level() >= SAVES_MEMORY


def _risk(item: Item) -> str:
    risky = ("destructive", "one_way")
    return "; ".join(f"{c.field} {c.why}" for c in item.changes if c.effect in risky)


def _told(item: Item) -> str:
    changed = (c for c in item.changes if c.effect != "drift")
    return "; ".join(f"{c.field}: {_short(c.live)} → {_short(c.desired)}" for c in changed)


def _short(value: object) -> str:
    return "none" if value is None else msgspec.json.encode(value).decode()[:80]


def _done(
    item: Item, outcome: Literal["done", "failed", "unconfirmed"], reason: str, backup: str = ""
) -> Done:
    return Done(
        kind=item.kind,
        name=item.name,
        action=item.action,
        outcome=outcome,
        reason=reason,
        backup=backup,
    )

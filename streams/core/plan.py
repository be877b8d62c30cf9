"""
What would have to change in NATS for it to be as declared, object by object. Nothing is ever
deleted or made anew: what cannot be changed is refused, with what an operator can do instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from streams.core import definition, fields
from streams.core.difference import (
    Change,
    Config,
    Declared,
    Kind,
    Standing,
    as_applied,
    differences,
    standing,
    weighed,
)

__all__ = ["DOES", "Action", "Change", "Declared", "Item", "Plan", "item", "made"]

Action = Literal[
    "in_sync",  # nothing to do
    "create",
    "update",
    "one_way",  # an update that can never be taken back
    "adopt",  # nothing is sent: what NATS has is as declared, and becomes what was applied
    "drifted",  # changed in NATS where nothing is declared: told, not touched
    "observed",  # differs, and its policy is to look only
    "refused",  # cannot be done; the reasons say why, and what can be
]
# What an apply does.
DOES = frozenset({"create", "update", "one_way", "adopt"})
HASH_LETTERS = 16


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """
    One stream, or one consumer (its name is `STREAM/consumer`).

    body: What would be sent as its configuration; None where nothing would be.
    warnings: What does not hinder, for example a field that this version does not know.
    """

    kind: Kind
    name: str
    policy: str
    action: Action
    standing: Standing
    changes: tuple[Change, ...] = ()
    destructive: bool = False
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    body: dict[str, Any] | None = None
    live: dict[str, Any] | None = None

    @property
    def differs(self) -> bool:
        return self.action not in ("in_sync", "adopt")

    @property
    def needs_name(self) -> bool:
        """Whether an apply wants the name typed, and takes a backup first."""
        return self.action in DOES and (self.destructive or self.action == "one_way")

    @property
    def drift(self) -> tuple[str, ...]:
        """The names of the fields that differ."""
        return tuple(change.field for change in self.changes)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an apply would do, object by object. `hash` changes with anything that matters to it.

    undeclared: Streams in NATS without a record here.
    """

    hash: str
    items: tuple[Item, ...]
    undeclared: tuple[str, ...] = ()
    level: int = 0

    @property
    def differs(self) -> bool:
        return any(item.differs for item in self.items)


def made(declared: Iterable[Declared], *, level: int, undeclared: Sequence[str] = ()) -> Plan:
    """
    Return the plan for these records.

    Args:
        level: The server's API level.
    """
    items = tuple(item(one, level=level) for one in declared)
    return Plan(hash=_hash(items), items=items, undeclared=tuple(undeclared), level=level)


def item(one: Declared, *, level: int) -> Item:
    """Return what would be done to one stream or consumer."""
    if not one.reached:
        reason = "NATS knows it, but none of the servers that hold it answers"
        return _item(one, "refused", "unknown", reasons=(reason,))
    if not one.has_shape:
        left: Standing = "missing" if one.live is None else "changed"
        return _item(one, "refused", left, reasons=("config: must be an object",))
    try:
        return _missing(one, level) if one.live is None else _there(one, level)
    except (TypeError, ValueError, AttributeError, KeyError):
        # A configuration of the wrong types, which `check` names.
        found = fields.check(one.config, one.table, level=level)
        if not found:
            raise
        stands: Standing = "missing" if one.live is None else "changed"
        return _item(one, "refused", stands, reasons=_reasons(found))


def _missing(one: Declared, level: int) -> Item:
    if one.policy == "observe":
        return _item(one, "observed", "missing", reasons=("not in NATS",))
    if one.kind == "consumer" and one.stream is None:
        return _item(one, "refused", "missing", reasons=("its stream is not in NATS",))
    if one.kind == "stream":
        body = definition.new_stream(one.name, one.config, level)
    else:
        body = definition.new_consumer(one.own_name, one.config)
    found = _wrong(one, body, level)
    if one.config.get("sealed"):
        found["sealed"] = "not at creation: create the stream, fill it, then seal it"
    if found:
        return _item(one, "refused", "missing", reasons=_reasons(found))
    vanished = "was in NATS when it was last applied; what it held is gone, and it begins empty"
    reasons = (vanished,) if one.applied is not None else ()
    return _item(one, "create", "missing", reasons=reasons, body=body)


def _there(one: Declared, level: int) -> Item:
    live = one.live_config or {}
    changes = tuple(differences(one, live))
    stands = standing(changes)
    if one.policy == "observe":
        return _item(one, "observed" if changes else "in_sync", stands, changes=changes)
    if not any(change.effect != "drift" for change in changes):
        if changes:
            return _item(one, "drifted", stands, changes=changes)
        return _item(one, "in_sync" if as_applied(one, live) else "adopt", stands)
    body = _body(one, live)
    if found := _wrong(one, body, level):
        return _item(one, "refused", stands, changes=changes, reasons=_reasons(found))
    return _weighed(one, live, body, changes)


def _weighed(one: Declared, live: Config, body: dict[str, Any], found: Iterable[Change]) -> Item:
    changes = tuple(weighed(one, live, body, found))
    stands, effects = standing(changes), {change.effect for change in changes}
    destructive = "destructive" in effects
    refused = [f"{c.field}: {c.why}" for c in changes if c.effect == "refused"]
    if destructive and one.policy == "protect":
        refused.append("would lose messages, and its policy is to protect them")
    if refused:
        return _item(one, "refused", stands, changes=changes, reasons=tuple(refused))
    return _item(
        one,
        "one_way" if "one_way" in effects else "update",
        stands,
        changes=changes,
        destructive=destructive,
        body=body,
    )


def _body(one: Declared, live: Config) -> dict[str, Any]:
    if one.kind == "stream":
        return definition.changed_stream(one.name, one.config, live)
    return definition.changed_consumer(one.own_name, one.config, live)


def _wrong(one: Declared, body: Config, level: int) -> dict[str, str]:
    """Return what is wrong with the declaration, or else with what it and NATS make together."""
    stream = (one.stream or {}).get("config") if one.kind == "consumer" else None
    found = fields.check(one.config, one.table, level=level)
    return found or fields.check(body, one.table, level=level, stream=stream)


def _reasons(found: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}: {reason}" for name, reason in found.items())


def _item(one: Declared, action: Action, standing: Standing, **more: Any) -> Item:
    unknown = fields.unknown(one.config, one.table)
    return Item(
        kind=one.kind,
        name=one.name,
        policy=one.policy,
        action=action,
        standing=standing,
        live=one.live_config,
        warnings=tuple(f"{name}: not known here; kept and sent as it is" for name in unknown),
        **more,
    )


def _hash(items: Iterable[Item]) -> str:
    """
    Return what names these acts: of each its body, what it replaces, and whether it loses messages.

    Counts are no part of it, or the plan of a stream in use would never be the plan any more.
    """
    acts = [
        (it.kind, it.name, it.action, it.policy, it.destructive, _loss_names(it), it.body, it.live)
        for it in items
        if it.action in DOES
    ]
    return hashlib.sha256(msgspec.json.encode(acts, order="sorted")).hexdigest()[:HASH_LETTERS]


def _loss_names(it: Item) -> list[str]:
    return [change.field for change in it.changes if change.effect == "destructive"]

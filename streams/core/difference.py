"""
Which fields of a record differ from NATS, and what each difference means.

Three sides: *desired* (the fields that an operator set), *applied* (what the server answered when
they were last applied) and *live* (what it says now). Where live is not what was applied, somebody
else changed it: that is drift, and it is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from streams.core import definition, fields, movement, values
from streams.core.field import Field

Config: TypeAlias = Mapping[str, Any]
Kind = Literal["stream", "consumer"]
Effect = Literal["change", "one_way", "destructive", "refused", "drift"]
Standing = Literal["unknown", "in_sync", "changed", "drifted", "missing"]

# Paused and resumed by hand: neither drift nor a change to be made.
TRANSIENT = frozenset({"pause_until"})
NAMES = frozenset({"name", "durable_name"})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """
    One field that differs. A side that does not name it is None.

    effect: change; one_way; destructive (would lose messages); refused; drift (not declared).
    drifted: Somebody else changed it since it was applied.
    why: A sentence, where there is something to say.
    """

    field: str
    desired: Any = None
    applied: Any = None
    live: Any = None
    effect: Effect = "change"
    drifted: bool = False
    why: str = ""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """
    One record.

    live: JetStream's info of it (STREAM.INFO, CONSUMER.INFO); None when NATS does not have it.
    reached: False while NATS knows it and none of its servers answers.
    has_shape: False where what is declared is no object, and `config` empty instead.
    stream: Of a consumer: the info of its stream, or what that would be created as.
    """

    kind: Kind
    name: str
    policy: str
    config: Config
    applied: Config | None = None
    live: Mapping[str, Any] | None = None
    stream: Mapping[str, Any] | None = None
    reached: bool = True
    has_shape: bool = True

    @property
    def own_name(self) -> str:
        """The name within its stream."""
        return self.name.partition("/")[2] if self.kind == "consumer" else self.name

    @property
    def table(self) -> Mapping[str, Field]:
        return fields.STREAM_FIELDS if self.kind == "stream" else fields.CONSUMER_FIELDS

    @property
    def live_config(self) -> dict[str, Any] | None:
        """Without the server's own metadata, of which STREAM.LIST tells less than STREAM.INFO."""
        if self.live is None:
            return None
        return definition.without_own(self.live.get("config") or {})


def differences(one: Declared, live: Config) -> Iterator[Change]:
    """Yield what differs, in the table's order."""
    desired = {**one.config, **definition.implied(one.config)}
    for name in _names(one, desired, live):
        field = one.table.get(name)
        is_now = values.amounts_to(field, live.get(name))
        moved = _moved(one, field, name, is_now)
        asked = values.amounts_to(field, desired.get(name))
        if name in desired and not _left_to_the_server(field, asked):
            if asked != is_now:
                yield _change(one, name, desired, live, drifted=moved)
        elif moved:
            change = _change(one, name, {}, live, drifted=True)
            yield msgspec.structs.replace(change, effect="drift")


def weighed(
    one: Declared, live: Config, body: Config, changes: Iterable[Change]
) -> Iterator[Change]:
    """Yield the changes with what each of them means, and those that follow from them."""
    losses, told = _losses(one, live, body), set()
    for change in changes:
        told.add(change.field)
        if change.effect == "drift":
            yield change
        elif (way := _way(one, change.field, live, body)) == "refused":
            yield msgspec.structs.replace(change, effect="refused", why=_refusal(one, change))
        elif reason := losses.get(change.field):
            yield msgspec.structs.replace(change, effect="destructive", why=reason)
        elif way == "one_way":
            yield msgspec.structs.replace(change, effect="one_way", why="cannot be taken back")
        else:
            yield change
    for name in sorted(one.table.keys() - NAMES):
        if name in told or _way(one, name, live, body) is None:
            continue
        change = _change(one, name, body, live, drifted=False)
        yield msgspec.structs.replace(change, why="follows from what is declared")
    for name, reason in losses.items():
        if name not in told:  # A limit that stays, once old messages go for new ones.
            change = _change(one, name, body, live, drifted=False)
            yield msgspec.structs.replace(change, effect="destructive", why=reason)


def standing(changes: Sequence[Change]) -> Standing:
    if not changes:
        return "in_sync"
    return "drifted" if any(change.drifted for change in changes) else "changed"


def as_applied(one: Declared, live: Config) -> bool:
    """Return whether live is, field by field, what was last applied."""
    return one.applied is not None and _amounts(one, one.applied) == _amounts(one, live)


def _names(one: Declared, desired: Config, live: Config) -> Iterator[str]:
    yield from (name for name in one.table if name not in NAMES | TRANSIENT)
    yield from sorted({*desired, *live, *(one.applied or ())} - one.table.keys())


def _moved(one: Declared, field: Field | None, name: str, is_now: Any) -> bool:
    return one.applied is not None and values.amounts_to(field, one.applied.get(name)) != is_now


def _left_to_the_server(field: Field | None, asked: Any) -> bool:
    # The server fills a window or a wait that is not given; a structure that is not stays away.
    return field is not None and asked is None and field.kind in ("count", "duration")


def _change(one: Declared, name: str, desired: Config, live: Config, *, drifted: bool) -> Change:
    return Change(
        field=name,
        desired=desired.get(name),
        applied=(one.applied or {}).get(name),
        live=live.get(name),
        drifted=drifted,
        why="changed in NATS by somebody else" if drifted else "",
    )


def _losses(one: Declared, live: Config, body: Config) -> dict[str, str]:
    if one.kind == "stream":
        return movement.losses(one.live or {}, body)
    return movement.consumer_losses((one.stream or {}).get("config") or {}, live, body)


def _way(one: Declared, name: str, live: Config, body: Config) -> movement.Way | None:
    field = one.table.get(name)
    before, after = (values.amounts_to(field, side.get(name)) for side in (live, body))
    return None if before == after else movement.way(field, before, after)


def _refusal(one: Declared, change: Change) -> str:
    field = one.table[change.field]
    if field.change == "one_way" and field.kind != "struct":
        return "cannot be taken back once it is set; declare it again"
    if one.kind == "stream":
        return (
            "cannot be changed in NATS; declare what it is, or make a stream of another name "
            "that copies this one (sources)"
        )
    return (
        "cannot be changed in NATS; declare what it is, or make a consumer of another name "
        "and delete this one"
    )


def _amounts(one: Declared, config: Config) -> dict[str, Any]:
    names = (name for name in config if name not in TRANSIENT)
    amounts = {name: values.amounts_to(one.table.get(name), config[name]) for name in names}
    # What is not there and what is as if it were not there are the same.
    return {
        name: amount
        for name, amount in amounts.items()
        if amount != (values.unset(one.table[name]) if name in one.table else None)
    }

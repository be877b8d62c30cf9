"""
What would have to change in NATS for it to be as declared: a three-way comparison.

Three sides: *desired* (the fields that an operator set), *applied* (what the server answered when
they were last applied) and *live* (what it says now).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

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


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """
    One field that differs. A side that does not name it is None.

    effect: change; one_way; destructive (would lose messages); refused; drift (not declared).
    why: A sentence, where there is something to say.
    """

    field: str
    desired: Any = None
    applied: Any = None
    live: Any = None
    effect: Literal["change", "one_way", "destructive", "refused", "drift"] = "change"
    drifted: bool = False
    why: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """
    One stream, or one consumer (its name is `STREAM/consumer`).

    body: What would be sent as its configuration; None where nothing would be.
    warnings: What does not hinder, for example a field that this version does not know.
    """

    kind: Literal["stream", "consumer"]
    name: str
    policy: str
    action: Action
    standing: str
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
        return self.destructive or self.action == "one_way"

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

"""Makes NATS as declared: first a plan, then exactly that plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from streams.core.plan import Plan


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one item.

    outcome: done; failed (NATS or the backup refused); unconfirmed (its name was not typed).
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
        BrokerAway, ApiRefused: NATS cannot be asked.
    """
    raise NotImplementedError


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
        BrokerAway, ApiRefused: NATS cannot be asked. Nothing was done.
    """
    raise NotImplementedError

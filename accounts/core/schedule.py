"""
Which messages an account is due to send now, and when it is next.

    account     at first, on new terms, and every 30 s
    update      every 3 s, when a watched amount changed
    positions   at once on open or close, else every 5 s while there are any
    orders      at once on place, delete or execute, else every 10 s while there are any
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from accounts.core import diff
from accounts.core.messages import Kind
from accounts.core.state import AccountState

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Intervals(Struct, frozen=True, kw_only=True):
    """How often each kind is sent. The defaults are the contract's."""

    account_s: float = 30
    update_s: float = 3
    positions_s: float = 5
    orders_s: float = 10


class Turns(Struct, frozen=True, kw_only=True):
    """When each kind comes next; None means at the next occasion."""

    account_at: datetime | None = None
    update_at: datetime | None = None
    positions_at: datetime | None = None
    orders_at: datetime | None = None


class Plan(Struct, frozen=True):
    """What to send now, and the turns that follow once it is sent."""

    kinds: tuple[Kind, ...]
    turns: Turns


def plan(  # noqa: PLR0913  each is a different thing, and three are keywords
    state: AccountState,
    held: AccountState | None,
    turns: Turns,
    *,
    now: datetime,
    intervals: Intervals,
    key: str,
) -> Plan:
    """
    Return what is due.

    Args:
        held: What consumers hold, or None when that is unknown: then a snapshot is due.
        key: The account's identity; it decides where in the interval its snapshots fall.
    """
    if held is None or _come(turns.account_at, now) or diff.terms_changed(held, state):
        return Plan(("account",), _after_snapshot(now, intervals, key))
    kinds: list[Kind] = []
    update_at, positions_at, orders_at = turns.update_at, turns.positions_at, turns.orders_at
    if _come(update_at, now) and diff.changed(held, state):
        # Not counted from the old turn: two updates are never closer than the interval.
        kinds.append("update")
        update_at = now + timedelta(seconds=intervals.update_s)
    if diff.positions_changed(held, state):
        kinds.append("positions")
        positions_at = now + timedelta(seconds=intervals.positions_s)
    elif state.positions and _come(positions_at, now):
        kinds.append("positions")
        positions_at = _following(positions_at, intervals.positions_s, now)
    if diff.orders_changed(held, state):
        kinds.append("orders")
        orders_at = now + timedelta(seconds=intervals.orders_s)
    elif state.orders and _come(orders_at, now):
        kinds.append("orders")
        orders_at = _following(orders_at, intervals.orders_s, now)
    return Plan(
        tuple(kinds),
        Turns(
            account_at=turns.account_at,
            update_at=update_at,
            positions_at=positions_at,
            orders_at=orders_at,
        ),
    )


def phase(key: str, interval_s: float) -> float:
    """Return where in the interval this account's turn lies, evenly spread over all keys."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * interval_s


def _after_snapshot(now: datetime, intervals: Intervals, key: str) -> Turns:
    """A snapshot carries everything, so every other turn starts anew behind it."""
    return Turns(
        account_at=_next_of_phase(now, intervals.account_s, phase(key, intervals.account_s)),
        update_at=now + timedelta(seconds=intervals.update_s),
        positions_at=now + timedelta(seconds=intervals.positions_s),
        orders_at=now + timedelta(seconds=intervals.orders_s),
    )


def _next_of_phase(now: datetime, interval_s: float, phase_s: float) -> datetime:
    """
    Return the first moment after `now` that lies at the phase.

    Fixed to the calendar and not to the last snapshot, so that accounts that were deployed
    together, or came back together after an outage, spread again at their second snapshot.
    """
    interval = timedelta(seconds=interval_s) // _MICROSECOND
    wanted = timedelta(seconds=phase_s) // _MICROSECOND
    here = (now - _EPOCH) // _MICROSECOND
    return now + timedelta(microseconds=interval - (here - wanted) % interval)


def _following(turn: datetime | None, interval_s: float, now: datetime) -> datetime:
    """Count from the old turn, so that the tick's own raster does not stretch the interval."""
    interval = timedelta(seconds=interval_s)
    if turn is not None and turn + interval > now:
        return turn + interval
    return now + interval


def _come(turn: datetime | None, now: datetime) -> bool:
    return turn is None or turn <= now

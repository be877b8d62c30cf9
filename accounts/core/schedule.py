"""
Which messages an account is due to send now, and when it is next.

    account     at first, on new terms, and every 30 s
    update      every 3 s, when a watched amount changed
    positions   at once on open or close, else every 5 s while there are any
    orders      at once on place, delete or execute, else every 10 s while there are any

Turns are fixed to the calendar and not to what was sent last: each account has a phase of its own,
so that thousands that were deployed together, or came back together after an outage, spread evenly.
Within an account the kinds have different phases, so that with the contract's intervals none of
them falls on the snapshot, which would make it void.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from accounts.core import diff
from accounts.core.messages import Kind
from accounts.core.state import AccountState

_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_TICK_S = 1.0
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
    rasters = _rasters(intervals, key)
    if (
        held is None
        or _come(turns.account_at, now, rasters.account)
        or diff.terms_changed(held, state)
    ):
        return Plan(("account",), _after_snapshot(turns, now, rasters))
    kinds: list[Kind] = []
    update_at, positions_at, orders_at = turns.update_at, turns.positions_at, turns.orders_at
    if _come(update_at, now, rasters.update) and diff.changed(held, state):
        kinds.append("update")
        update_at = rasters.update.following(_served(update_at, now))
    if diff.positions_changed(held, state) or (
        state.positions and _come(positions_at, now, rasters.positions)
    ):
        kinds.append("positions")
        positions_at = rasters.positions.next(now)
    if diff.orders_changed(held, state) or (state.orders and _come(orders_at, now, rasters.orders)):
        kinds.append("orders")
        orders_at = rasters.orders.next(now)
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


class _Raster(Struct, frozen=True):
    """Moments at equal distances, `phase_s` after the calendar's."""

    interval_s: float
    phase_s: float

    def after(self, now: datetime) -> datetime:
        """Return the first of the moments that is later than `now`."""
        interval = round(self.interval_s * _SECOND)
        here = (now - _EPOCH) // _MICROSECOND
        return now + timedelta(
            microseconds=interval - (here - round(self.phase_s * _SECOND)) % interval
        )

    def next(self, now: datetime) -> datetime:
        """
        Return the next moment, one interval away or less.

        A tick comes up to a second after the moment that it serves: that one is never meant.
        """
        return self.after(now + timedelta(seconds=self._slack_s))

    def following(self, moment: datetime) -> datetime:
        """Return the next moment that is one interval away, less the second of a tick."""
        return self.after(moment + timedelta(seconds=self.interval_s - self._slack_s))

    @property
    def _slack_s(self) -> float:
        return min(_TICK_S, self.interval_s / 2)


class _Rasters(Struct, frozen=True):
    account: _Raster
    update: _Raster
    positions: _Raster
    orders: _Raster


@lru_cache(maxsize=65_536)
def _rasters(intervals: Intervals, key: str) -> _Rasters:
    own_s = phase(key, intervals.account_s)
    # With the contract's intervals, each is a whole number of ticks behind the snapshot.
    return _Rasters(
        _Raster(intervals.account_s, own_s),
        _Raster(intervals.update_s, (own_s + 1) % intervals.update_s),
        _Raster(intervals.positions_s, (own_s + 2) % intervals.positions_s),
        _Raster(intervals.orders_s, (own_s + 4) % intervals.orders_s),
    )


def _served(turn: datetime | None, now: datetime) -> datetime:
    """
    Return the moment from which the next turn counts.

    That is the turn itself, when this tick is the one after it or nearly so: counted from the tick,
    a late one would cost the next turn. After a quiet time it is now.
    """
    return now if turn is None or (now - turn).total_seconds() > 2 * _TICK_S else turn


def _after_snapshot(turns: Turns, now: datetime, rasters: _Rasters) -> Turns:
    """The snapshot carries what has come due meanwhile; what has not keeps its turn."""
    return Turns(
        account_at=rasters.account.after(now),
        update_at=_kept(turns.update_at, now, rasters.update),
        positions_at=_kept(turns.positions_at, now, rasters.positions),
        orders_at=_kept(turns.orders_at, now, rasters.orders),
    )


def _kept(turn: datetime | None, now: datetime, raster: _Raster) -> datetime:
    return raster.following(now) if turn is None or _come(turn, now, raster) else turn


def _come(turn: datetime | None, now: datetime, raster: _Raster) -> bool:
    # None lies further ahead than two intervals, unless it was fixed with a longer one, or by a
    # clock that has been put back since: it would never end.
    return turn is None or turn <= now or (turn - now).total_seconds() > 2 * raster.interval_s

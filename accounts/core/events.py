"""
What happened to an account's positions and orders, and how it is told.

Two states are compared by what does not move with the market: a position by its side, volume, open
price, stop loss and take profit, an order by its type, state, volumes, prices and expiry. Positions
are known by their identifier, which never changes, orders by their ticket.

    position.opened          reason: "reversed" where a netting position changed its side
    position.closed          reason: "reversed", or how the closing order came about, in small
                             letters (client, mobile, web, expert, sl, tp, so), or "unknown"
    position.volume_changed  reason: "increased" or "reduced" (a partial close)
    position.modified        stop loss, take profit, or the open price alone
    order.placed
    order.modified           reason: "partially_filled" where a part was executed, else empty
    order.executed           gone, because it was filled, wholly or as far as it went
    order.deleted            gone; reason: "canceled", "expired", "rejected" or "unknown"

What was there before the first state of an account makes no event, and what came and went between
two states was never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from accounts.core import diff, messages
from accounts.core.lifecycle import Connection
from accounts.core.messages import Sender
from accounts.core.rules import Alert
from accounts.core.shard import shard_of
from accounts.core.state import AccountState, DoneOrder, Order, Position
from streams.core import subjects

# In the order in which they are told when they are learnt of together.
Kind = Literal[
    "order.executed", "order.deleted", "position.closed", "position.volume_changed",
    "position.modified", "position.opened", "order.modified", "order.placed",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
# Summer time comes and goes by an hour, on one island by half.
LONGEST_SHIFT_S = 3600

_DELETED_AS = {"CANCELED": "canceled", "EXPIRED": "expired", "REJECTED": "rejected"}


class Event(Struct, frozen=True, kw_only=True):
    """
    One encoded event. `id` is the same when it is sent again; `number` has no gap in an account.

    `subject` is where it goes on NATS; empty means the account's own subject.
    """

    id: str
    key: int
    server: str
    login: str
    kind: str
    number: int
    payload: bytes
    subject: str = ""

    @property
    def shard(self) -> int:
        return shard_of(self.key)


class Change(Struct, frozen=True, kw_only=True):
    """
    One thing that happened, to a position or to an order.

    Of a closed position or a deleted order `after` is None, of a new one `before`. `digits` are the
    decimals of the account's money.
    """

    kind: Kind
    before: Position | Order | None
    after: Position | Order | None
    reason: str = ""
    digits: int = 2


def changes(
    before: AccountState | None, after: AccountState, done: Sequence[DoneOrder] = ()
) -> list[Change]:
    """
    Return what happened between two states: first what ended, then what changed, then what began.

    Args:
        before: None for the first state of an account, of which nothing is told.
        done: How orders ended lately.
    """
    if before is None:
        return []
    found = [*_order_changes(before, after, done), *_position_changes(before, after, done)]
    return sorted(found, key=lambda change: KINDS.index(change.kind))


def event(change: Change, sender: Sender, *, number: int, id: str, at: datetime) -> Event:  # noqa: A002  as the field
    """Return the change as it is sent. `at` is when the later state was read."""
    entry = change.before if change.after is None else change.after
    assert entry is not None, "a change is of something"
    told: dict[str, Any]
    if isinstance(entry, Position):
        told = {"position": position(entry, change.digits)}
    else:
        told = {"order": order(entry)}
    if change.before is not None and change.after is not None:
        told["before"] = (
            position(change.before, change.digits)
            if isinstance(change.before, Position)
            else order(change.before)
        )
    if change.reason:
        told["reason"] = change.reason
    return _encoded(change.kind, sender, told, number=number, id=id, at=at)


def connection_event(  # noqa: PLR0913  keywords
    sender: Sender,
    *,
    connection: Connection,
    reason: str,
    number: int,
    id: str,  # noqa: A002  as the field
    at: datetime,
    since: datetime | None = None,
) -> Event:
    """
    Return that the account's terminal is heard, or no longer, or not heard by its broker.

    Args:
        since: Since when it is so; without it, since `at`.
    """
    told = {
        "connection": connection.value,
        "reason": reason,
        "since": messages.timestamp(since or at),
    }
    return _encoded("connection", sender, told, number=number, id=id, at=at)


def alert_event(alert: Alert, sender: Sender, *, number: int, id: str, at: datetime) -> Event:  # noqa: A002  as the field
    """Return that a rule was broken, for everybody who listens to system.alert.{level}.{type}."""
    told = {
        "alert": alert.text,
        "severity": alert.level,
        "alertType": alert.type,
        "ruleId": alert.rule_id,
        "rule": alert.rule,
        "basis": alert.basis,
        "unit": alert.unit,
        "value": messages.plain(alert.value),
        "threshold": messages.plain(alert.threshold),
        "reference": messages.plain(alert.reference),
        "equity": messages.plain(alert.equity),
    }
    subject = f"system.alert.{subjects.escape(alert.level)}.{subjects.escape(alert.type)}"
    return _encoded("alert", sender, told, number=number, id=id, at=at, subject=subject)


def settled(before: AccountState | None, after: AccountState) -> AccountState:
    """
    Return the later state with what was known better before.

    A position keeps its open time and an order its time: when the broker's clock is put forward or
    back, the terminal's times of the past move by that hour although nothing happened. A greater
    shift is a terminal that knows its broker's clock better by now. A commission that is known
    stays known as long as the volume is the same.
    """
    if before is None:
        return after
    open_ = {entry.key: entry for entry in before.positions}
    pending = {entry.ticket: entry for entry in before.orders}
    keep_times = abs(after.utc_offset_s - before.utc_offset_s) <= LONGEST_SHIFT_S
    return replace(
        after,
        positions=tuple(
            _settled_position(open_.get(entry.key), entry, keep_times=keep_times)
            for entry in after.positions
        ),
        orders=tuple(
            _settled_order(pending.get(entry.ticket), entry, keep_times=keep_times)
            for entry in after.orders
        ),
    )


def position(entry: Position, digits: int) -> dict[str, Any]:
    """Return the position under the contract's names, and behind them what only events tell."""
    return {
        **messages.position(entry, digits),
        "positionId": entry.key,
        "stopLoss": messages.plain(entry.stop_loss),
        "takeProfit": messages.plain(entry.take_profit),
        "magic": entry.magic,
        "comment": entry.comment,
    }


def order(entry: Order) -> dict[str, Any]:
    """Return the order under the contract's names, and behind them what only events tell."""
    return {
        **messages.order(entry),
        "state": entry.state,
        "volumeInitial": messages.plain(entry.volume_initial),
        "stopLimitPrice": messages.plain(entry.stop_limit_price),
        "stopLoss": messages.plain(entry.stop_loss),
        "takeProfit": messages.plain(entry.take_profit),
        "timeType": entry.time_type,
        "expiration": None if entry.expiration is None else messages.timestamp(entry.expiration),
        "filling": entry.filling,
        "magic": entry.magic,
        "comment": entry.comment,
    }


def _position_changes(
    before: AccountState, after: AccountState, done: Sequence[DoneOrder]
) -> Iterator[Change]:
    digits = after.currency_digits
    old = {entry.key: entry for entry in before.positions}
    new = {entry.key: entry for entry in after.positions}
    for key, entry in old.items():
        if key not in new:
            yield _change("position.closed", entry, None, _closed_by(key, done), digits)
    for key, entry in new.items():
        was = old.get(key)
        if was is None:
            yield _change("position.opened", None, entry, "", digits)
        elif (was.symbol, was.side) != (entry.symbol, entry.side):
            yield _change("position.closed", was, None, "reversed", digits)
            yield _change("position.opened", None, entry, "reversed", digits)
        else:
            yield from _position_altered(was, entry, digits)


def _position_altered(was: Position, entry: Position, digits: int) -> Iterator[Change]:
    """A new volume brings a new open price along; a new stop beside it is an event of its own."""
    if diff.differ(was.volume, entry.volume):
        grown = entry.volume > was.volume
        resized = replace(entry, stop_loss=was.stop_loss, take_profit=was.take_profit)
        reason = "increased" if grown else "reduced"
        yield _change("position.volume_changed", was, resized, reason, digits)
        was = resized
    if any(
        diff.differ(getattr(was, name), getattr(entry, name))
        for name in ("open_price", "stop_loss", "take_profit")
    ):
        yield _change("position.modified", was, entry, "", digits)


def _order_changes(
    before: AccountState, after: AccountState, done: Sequence[DoneOrder]
) -> Iterator[Change]:
    digits = after.currency_digits
    old = {entry.ticket: entry for entry in before.orders}
    new = {entry.ticket: entry for entry in after.orders}
    opened = _tickets(after) - _tickets(before)
    ended = {entry.ticket: entry for entry in done}
    for ticket, entry in old.items():
        if ticket not in new:
            kind, reason = _outcome(ended.get(ticket), opened=ticket in opened)
            yield _change(kind, entry, None, reason, digits)
    for ticket, entry in new.items():
        was = old.get(ticket)
        if was is None:
            yield _change("order.placed", None, entry, "", digits)
        elif diff.differ(was.volume, entry.volume) and entry.volume < was.volume:
            # Nobody can alter the volume of a pending order: what is missing was executed.
            yield _change("order.modified", was, entry, "partially_filled", digits)
        elif _terms(was, before) != _terms(entry, after):
            yield _change("order.modified", was, entry, "", digits)


def _outcome(ended: DoneOrder | None, *, opened: bool) -> tuple[Kind, str]:
    if ended is not None and ended.state in ("FILLED", "PARTIAL"):
        return "order.executed", ""
    if ended is not None and ended.state in _DELETED_AS:
        return "order.deleted", _DELETED_AS[ended.state]
    return ("order.executed", "") if opened else ("order.deleted", "unknown")


def _tickets(state: AccountState) -> set[int]:
    """A position is identified by the order that opened it; one that was reversed shows its own."""
    return {number for entry in state.positions for number in (entry.key, entry.ticket)}


def _closed_by(key: int, done: Sequence[DoneOrder]) -> str:
    for entry in reversed(done):
        if entry.position_id == key != entry.ticket and entry.state == "FILLED" and entry.reason:
            return entry.reason.lower()
    return "unknown"


def _terms(entry: Order, state: AccountState) -> tuple[object, ...]:
    """What was agreed about an order. It expires by the broker's clock, wherever that stands."""
    expires = entry.expiration
    return (
        entry.symbol,
        entry.type,
        entry.time_type,
        expires and expires + timedelta(seconds=state.utc_offset_s),
        *(
            diff.scaled(getattr(entry, name))
            for name in ("volume", "price", "stop_limit_price", "stop_loss", "take_profit")
        ),
    )


def _settled_position(was: Position | None, entry: Position, *, keep_times: bool) -> Position:
    if was is None or was.side != entry.side:
        return entry
    open_time = was.open_time if keep_times else entry.open_time
    known = entry.commission
    if known is None and not diff.differ(was.volume, entry.volume):
        known = was.commission
    if (open_time, known) == (entry.open_time, entry.commission):
        return entry
    return replace(entry, open_time=open_time, commission=known)


def _settled_order(was: Order | None, entry: Order, *, keep_times: bool) -> Order:
    if was is None or not keep_times or was.time == entry.time:
        return entry
    return replace(entry, time=was.time)


def _change(
    kind: Kind,
    before: Position | Order | None,
    after: Position | Order | None,
    reason: str,
    digits: int,
) -> Change:
    return Change(kind=kind, before=before, after=after, reason=reason, digits=digits)


def _encoded(  # noqa: PLR0913  keywords
    kind: str,
    sender: Sender,
    told: Mapping[str, Any],
    *,
    number: int,
    id: str,  # noqa: A002  as the field
    at: datetime,
    subject: str = "",
) -> Event:
    body = {
        "type": "event",
        "kind": kind,
        "login": sender.login,
        **told,
        "timestamp": messages.timestamp(at),
        "server": sender.server,
        "accountId": sender.account_id,
        "number": number,
        "eventId": id,
        "v": messages.VERSION,
    }
    return Event(
        id=id,
        key=sender.key,
        server=sender.server,
        login=sender.login,
        kind=kind,
        number=number,
        payload=messages.encode(body),
        subject=subject,
    )

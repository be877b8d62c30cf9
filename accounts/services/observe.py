"""
Takes a new state of an account into its row: what happened, how it fares, which rules it breaks.

Nothing is written here. Whoever calls writes row and events in one transaction, so that no event is
lost and none is told twice.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from accounts.core import bars, diff, events, rules
from accounts.core.bars import Bar
from accounts.core.errors import BadState
from accounts.core.events import Event
from accounts.core.lifecycle import Connection
from accounts.core.messages import Sender
from accounts.core.state import AccountState, DoneOrder, restored, stored, units
from accounts.models import Account, AccountEvent
from accounts.services.rules import rules_of

logger = logging.getLogger(__name__)

# What this module alters.
CONNECTION_COLUMNS = ("event_number", "connection", "connection_reason", "connection_since")
COLUMNS = (
    "state", "last_state_at", "structure_number", "bar", "trackers", *CONNECTION_COLUMNS,
)  # fmt: skip
REASON_LENGTH = 200


@dataclass
class Observation:
    """
    What a state brought.

    `structural`: a message is due at once. `finished`: a past minute. `worth_recording`: the row
    holds something now that must not be lost, whether or not anything is published.
    """

    account: Account
    state: AccountState | None = None
    structural: bool = False
    events: list[AccountEvent] = field(default_factory=list)
    finished: Bar | None = None
    heard_before_at: datetime | None = None
    worth_recording: bool = False

    def tell(self, at: datetime, make: Callable[[int, str], Event]) -> None:
        """Add an event; `make` gets its number and its id."""
        self.account.event_number += 1
        message_id = uuid.uuid4()
        event = make(self.account.event_number, str(message_id))
        self.events.append(
            AccountEvent(
                account=self.account,
                number=event.number,
                message_id=message_id,
                kind=event.kind,
                payload=event.payload.decode(),
                subject=event.subject,
                created_at=at,
            )
        )


def observe(
    account: Account,
    new: AccountState,
    *,
    at: datetime,
    done: Sequence[DoneOrder] = (),
    trouble: str = "",
) -> Observation:
    """
    Take the state into the row, without writing it.

    Args:
        done: Orders that ended, as the terminal's history tells it.
        trouble: Why the terminal does not hear its own broker; empty when it does.
    """
    before = held(account)
    state = new if before is None else events.settled(before, new)
    found = Observation(account, state, heard_before_at=account.last_state_at)
    changes = events.changes(before, state, done)
    found.structural = before is None or bool(changes) or diff.terms_changed(before, state)
    account.structure_number += found.structural
    account.state, account.last_state_at = stored(state), at
    if account.deployed:
        sender = account.sender()
        for change in changes:
            found.tell(
                at,
                partial(_happened, change, sender, at),
            )
        _judge(found, at, traded=any(change.kind in rules.TRADES for change in changes))
        _draw(found, at)
    connect(
        found,
        Connection.DISCONNECTED if trouble else Connection.CONNECTED,
        reason=trouble,
        at=at,
    )
    return found


def held(account: Account) -> AccountState | None:
    """Return the last state of the row, or None where there is none that can be read."""
    try:
        return restored(account.state) if account.state else None
    except BadState as e:
        logger.warning("%s: its state is unreadable, the next one mends it: %s", account, e)
        return None


def connect(found: Observation, connection: Connection, *, reason: str, at: datetime) -> None:
    """Note how the terminal is heard; tell it when that has changed."""
    account = found.account
    if not account.deployed:
        return
    reason = reason[:REASON_LENGTH]
    if (account.connection, account.connection_reason) == (connection, reason):
        return
    found.worth_recording = True
    changed = account.connection != connection
    account.connection, account.connection_reason = connection.value, reason
    if not changed:
        return
    account.connection_since = at
    sender = account.sender()
    found.tell(
        at,
        lambda number, uid: events.connection_event(
            sender,
            connection=connection,
            reason=reason,
            since=at,
            number=number,
            id=uid,
            at=at,
        ),
    )


def _happened(change: events.Change, sender: Sender, at: datetime, number: int, uid: str) -> Event:
    return events.event(change, sender, number=number, id=uid, at=at)


def _alerted(alert: rules.Alert, sender: Sender, at: datetime, number: int, uid: str) -> Event:
    return events.alert_event(alert, sender, number=number, id=uid, at=at)


def _judge(found: Observation, at: datetime, *, traded: bool) -> None:
    account, state = found.account, found.state
    specs = rules_of(account)
    if not specs and not account.trackers:
        return
    assert state is not None
    before = _trackers(account)
    trackers, alerts = rules.judge(
        specs,
        before,
        equity=state.equity,
        balance=state.balance,
        credit=state.credit,
        at=at,
        traded=traded,
    )
    found.worth_recording |= trackers.by_rule != before.by_rule
    account.trackers = rules.stored(trackers)
    sender = account.sender()
    for alert in alerts:
        found.tell(
            at,
            partial(_alerted, alert, sender, at),
        )


def _draw(found: Observation, at: datetime) -> None:
    account, state = found.account, found.state
    assert state is not None
    digits = state.currency_digits
    bar, found.finished = bars.add(
        _bar(account),
        at=at,
        equity=units(state.equity, digits),
        balance=units(state.balance, digits),
        digits=digits,
    )
    account.bar = bars.stored(bar)
    found.worth_recording |= found.finished is not None


def _trackers(account: Account) -> rules.Trackers:
    try:
        return rules.restored(account.trackers)
    except BadState as e:
        logger.warning("%s: what its rules remember is unreadable, they begin anew: %s", account, e)
        return rules.NONE


def _bar(account: Account) -> Bar | None:
    try:
        return bars.restored(account.bar)
    except BadState as e:
        logger.warning("%s: its minute is unreadable and begins anew: %s", account, e)
        return None

"""
What is due of some accounts, sent to every broker, and what became of it.

Every broker that can be reached gets the same messages, so that all consumers hold the same and one
difference serves them all. A broker that is away, or did not confirm, owes its consumers a snapshot
of each account concerned; when it is back, the snapshot goes to everybody, spread over ten seconds.

Rows are read and written by `visit`; here they are only altered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from accounts.core import diff, schedule
from accounts.core.errors import BadState, PublishError
from accounts.core.lifecycle import Lifecycle
from accounts.core.messages import Message, message
from accounts.core.schedule import Plan, Turns
from accounts.core.state import AccountState, restored, stored
from accounts.models import Account
from accounts.publish.outlet import Outlet
from accounts.services.observe import Observation
from accounts.services.outlets import OWED

logger = logging.getLogger(__name__)

# How long a visit waits for one broker's confirms.
PUBLISH_S = 2.0
# After an outage the snapshots of a shard come one after another within this time.
SPREAD_S = 10.0
# A broker that refuses an account's snapshot is asked again after 1, 2, 4 … seconds.
LONGEST_REFUSAL_S = 30.0
# Nothing was ever pushed: the first push makes it due.
UNHEARD = timedelta(seconds=30)
ERROR_LENGTH = 200

# What sending alters. The columns of `observe` are written by whoever observed.
COLUMNS = (
    "epoch", "seq", "published", "sent_structure_number", "snapshot_at", "refusals",
    "nats_snapshot_required", "rabbitmq_snapshot_required",
    "next_account_at", "next_update_at", "next_positions_at", "next_orders_at",
    "last_published_at", "last_error",
)  # fmt: skip


@dataclass
class Visit:
    """One account on the way from its state to its record. `errors` are by broker."""

    account: Account
    came_with_epoch: int
    state: AccountState | None = None
    held: AccountState | None = None
    now_held: AccountState | None = None
    seen: Observation | None = None
    plan: Plan = Plan((), Turns())  # noqa: RUF009  frozen
    messages: list[Message] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    delivered_at: datetime | None = None
    worth_recording: bool = False
    waits_until: datetime | None = None


@dataclass
class Round:
    """
    What holds for all accounts of one round: the moment, and the brokers as they are now.

    A broker that turns out to answer nothing becomes `deaf` and joins those `away`: the accounts
    that follow need not wait for it, too. Events have a way of their own.
    """

    now: datetime
    brokers: Sequence[Outlet]
    away: dict[str, str]
    back_at: dict[str, datetime]
    judges: bool
    began: float = field(default_factory=time.monotonic)
    away_for_events: dict[str, str] = field(init=False)
    deaf: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.away_for_events = dict(self.away)

    @property
    def up(self) -> list[Outlet]:
        return [broker for broker in self.brokers if broker.name not in self.away]

    def moment(self) -> datetime:
        """Return the present, counted from `now`."""
        return self.now + timedelta(seconds=time.monotonic() - self.began)


def send(visits: Sequence[Visit], this: Round) -> None:
    """Send what is due of these accounts, and note in their rows what became of it."""
    up = this.up
    for visit in visits:
        _prepare(visit, up, this)
    for broker in up:
        _publish(broker, visits, this)
    for visit in visits:
        _settle(visit, this)


def _prepare(visit: Visit, up: Sequence[Outlet], this: Round) -> None:
    """Decide what is due and, when somebody will take it, write the messages."""
    account = visit.account
    if visit.state is None:
        return
    owed = [broker for broker in up if getattr(account, OWED[broker.name])]
    visit.held = visit.now_held = _published(account)
    if owed and (at := _snapshot_at(visit, owed, this)) > this.now:
        visit.plan, visit.waits_until = Plan((), account.turns()), at
        return
    visit.plan = schedule.plan(
        visit.state,
        None if owed else visit.held,
        account.turns(),
        now=this.now,
        intervals=account.intervals(),
        key=str(account.uuid),
    )
    if not up:
        return
    sender = account.sender()
    at = account.last_state_at or this.now
    for kind in visit.plan.kinds:
        account.seq += 1
        visit.messages.append(
            message(kind, sender, visit.state, visit.held, seq=account.seq, at=at)
        )


def _is_urgent(visit: Visit) -> bool:
    """Return whether consumers must learn of it at once, whatever else is planned."""
    if visit.account.last_published_at is None or visit.account.lifecycle == Lifecycle.DEPLOYING:
        return True
    if visit.held is None or visit.state is None:
        return False
    return diff.positions_changed(visit.held, visit.state) or diff.orders_changed(
        visit.held, visit.state
    )


def _snapshot_at(visit: Visit, owed: Iterable[Outlet], this: Round) -> datetime:
    """Return when the account may have the snapshot that it is owed."""
    account = visit.account
    at = account.snapshot_at or this.now
    if _is_urgent(visit):
        return at
    back = [this.back_at[broker.name] for broker in owed if broker.name in this.back_at]
    return max([at, *(moment + _spread(account, moment) for moment in back)])


def _spread(account: Account, back_at: datetime) -> timedelta:
    # Another place in the row each time: with a broker that comes and goes, nobody is always last.
    return timedelta(seconds=schedule.phase(f"{account.uuid} {back_at}", SPREAD_S))


def _published(account: Account) -> AccountState | None:
    try:
        return restored(account.published) if account.published else None
    except BadState as e:
        logger.warning("%s: its record is unreadable, a snapshot mends it: %s", account, e)
        return None


def _publish(broker: Outlet, visits: Iterable[Visit], this: Round) -> None:
    """Hand all messages to one broker, and note with each account what became of its own."""
    visits = [visit for visit in visits if visit.messages]
    if not visits:
        return
    messages = [m for visit in visits for m in visit.messages]
    try:
        answers = iter(broker.publish(messages, PUBLISH_S))
    except PublishError as e:
        logger.warning("%s: nothing confirmed: %s", broker.name, e)
        this.away[broker.name] = str(e)
        this.deaf.add(broker.name)
        answers = iter([str(e)] * len(messages))
    confirmed_at = this.moment()
    for visit in visits:
        failure = next(filter(None, [next(answers) for _ in visit.messages]), "")
        setattr(visit.account, OWED[broker.name], bool(failure))
        if failure:
            visit.errors[broker.name] = failure
        else:
            visit.delivered_at = confirmed_at


def _settle(visit: Visit, this: Round) -> None:
    account = visit.account
    if visit.state is None:
        account.due_at = this.now + UNHEARD
        return
    if visit.plan.kinds:
        for name in this.away:
            visit.worth_recording |= not getattr(account, OWED[name])
            setattr(account, OWED[name], True)
    if visit.delivered_at:
        visit.now_held = diff.applied(visit.held, visit.state, visit.plan.kinds)
        account.published = stored(visit.now_held)
        account.last_published_at = visit.delivered_at
        turns = visit.plan.turns
        account.next_account_at, account.next_update_at = turns.account_at, turns.update_at
        account.next_positions_at, account.next_orders_at = turns.positions_at, turns.orders_at
    if visit.messages:
        _note_refusals(visit, this.now)
    if visit.delivered_at or not visit.plan.kinds:
        account.sent_structure_number = account.structure_number
    _note_errors(visit, this)
    _decide_due(visit, this)


def _note_refusals(visit: Visit, now: datetime) -> None:
    account = visit.account
    if not visit.errors:
        account.refusals, account.snapshot_at = 0, None
        return
    account.refusals = min(account.refusals + 1, 30)
    wait_s = min(LONGEST_REFUSAL_S, 2.0 ** (account.refusals - 1))
    account.snapshot_at = now + timedelta(seconds=wait_s)


def _note_errors(visit: Visit, this: Round) -> None:
    account = visit.account
    reasons = this.away | visit.errors
    error = "; ".join(
        f"{broker.name}: {reason}"
        for broker in this.brokers
        if getattr(account, OWED[broker.name]) and (reason := reasons.get(broker.name, ""))
    )[:ERROR_LENGTH]
    owes = any(getattr(account, OWED[broker.name]) for broker in this.brokers)
    if error or not owes:
        visit.worth_recording |= account.last_error != error
        account.last_error = error


def _decide_due(visit: Visit, this: Round) -> None:
    """Say when the account wants the next visit, for those that are visited only then."""
    account, state = visit.account, visit.state
    assert state is not None
    if visit.messages:
        visit.worth_recording = True
    if account.provider != Account.Provider.PUSH:
        # Asked at every tick.
        return
    if visit.waits_until or visit.errors:
        account.due_at = visit.waits_until or account.snapshot_at
        return
    # Nobody says of these that they are back: the next tick has to look.
    unsaid = this.deaf if this.judges else this.away.keys()
    owes = any(getattr(account, OWED[name]) for name in unsaid)
    if owes or (visit.plan.kinds and not visit.delivered_at):
        account.due_at = None
        return
    turns = [account.next_account_at]
    turns += [account.next_positions_at] if state.positions else []
    turns += [account.next_orders_at] if state.orders else []
    if visit.now_held is not None and diff.changed(visit.now_held, state):
        turns.append(account.next_update_at)
    account.due_at = min((turn for turn in turns if turn), default=None)

"""
One visit: work out what is due, publish, record what was confirmed.

A shard is visited every second by whoever holds its lease; accounts whose terminals push are also
visited by the process that took the push in, the moment something structural changed. So that an
account's messages have one writer at a time, such accounts are claimed, a few at a time; the others
are written by the lease's owner alone.

Every broker that can be reached gets the same messages, so that all consumers hold the same and one
difference serves them all. A broker that is away, or did not confirm, owes its consumers a snapshot
of each account concerned; when it is back, the snapshot goes to everybody, spread over ten seconds.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from accounts.core import diff, schedule
from accounts.core.errors import AccountsError, BadState, PublishError
from accounts.core.lifecycle import Lifecycle, Step
from accounts.core.messages import Message, message
from accounts.core.schedule import Plan, Turns
from accounts.core.state import AccountState, restored, stored
from accounts.models import Account
from accounts.publish.outlet import Outlet
from accounts.services import (
    history,
    lifecycle,
    observe,
    outlets,
    providers,
    relay,
    rows,
    shards,
    watch,
)  # fmt: skip
from accounts.services.observe import Observation
from accounts.services.outlets import OWED
from accounts.services.shards import Lease

logger = logging.getLogger(__name__)

TICK_S = 1.0
# How long a visit waits for one broker's confirms.
PUBLISH_S = 2.0
# So many pushed accounts are claimed at once: whoever wants one of them waits for so many.
CLAIMED_AT_ONCE = 50
# More than publishing them can take.
CLAIM = timedelta(seconds=10)
# After an outage the snapshots of a shard come one after another within this time.
SPREAD_S = 10.0
# A broker that refuses an account's snapshot is asked again after 1, 2, 4 … seconds.
LONGEST_REFUSAL_S = 30.0
# A row says at least so often that its provider was heard, whether or not anything was sent.
FRESH = timedelta(seconds=5)
# Nothing was ever pushed: the first push makes it due.
UNHEARD = timedelta(seconds=30)
# No two clocks of an installation differ by so much.
AHEAD = timedelta(seconds=10)
ERROR_LENGTH = 200

# What publishing records. The columns of `observe` are written by whoever observed.
PUBLISHED = (
    "epoch", "seq", "published", "sent_structure_number", "snapshot_at", "refusals",
    "nats_snapshot_required", "rabbitmq_snapshot_required",
    "next_account_at", "next_update_at", "next_positions_at", "next_orders_at",
    "last_published_at", "last_error",
)  # fmt: skip
# An ingest that came in between has seen something newer: then the account is due at once.
# The second branch is never taken: it tells PostgreSQL the type where the first gives NULL.
_DUE = {
    "due_at": "CASE WHEN COALESCE(last_state_at, created_at) = %s THEN %s"
    " WHEN 1 = 0 THEN due_at ELSE NULL END"
}


@dataclass(frozen=True)
class ShardReport:
    """
    What a visit did.

    `messages` counts by kind what at least one broker confirmed; `events` what all have; `failed`
    the accounts that gave no state or are owed to a broker. `skipped`: another worker is at this
    shard, or took it over, and nothing was recorded. `visited`: the rows that were claimed.
    """

    accounts: int = 0
    messages: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    failed: int = 0
    skipped: bool = False
    visited: AbstractSet[int] = field(default=frozenset(), compare=False)

    def __add__(self, other: ShardReport) -> ShardReport:
        return ShardReport(
            self.accounts + other.accounts,
            Counter(self.messages) + Counter(other.messages),
            self.events + other.events,
            self.failed + other.failed,
            self.skipped or other.skipped,
        )


@dataclass
class _Visit:
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
class _Round:
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


def publish_shard(
    *,
    shard: int,
    now: datetime,
    brokers: Sequence[Outlet] | None = None,
    lease: Lease | None = None,
) -> ShardReport:
    """
    Visit the accounts of one shard.

    Two visits of one shard never overlap: the second returns at once. An account, or a broker, that
    fails is noted and stops none of the others.

    Args:
        lease: The shard's, where the caller keeps it from visit to visit.
    """
    own = lease or shards.claim(shard)
    if own is None or not shards.is_ours(own):
        return ShardReport(skipped=True)
    this = _round(now, outlets.ours() if brokers is None else brokers)
    _note_lost_links(own, this)
    report = _visit_asked(own, this)
    pushed = Account.objects.of_shard(shard).filter(provider=Account.Provider.PUSH)
    if not report.skipped and pushed.exists():
        watch.note_silence(shard=shard, now=now)
        for ids in _pushed_and_due(shard, this):
            if not shards.is_ours(own):
                break
            report += _visit_claimed(ids, this)
        sent, _ = _relay_pushed(pushed, this)
        report += ShardReport(events=sent)
    # After an exception the lease is not given back: what was sent is unknown, and whoever takes
    # the shard over must begin a new epoch.
    took_s = time.monotonic() - this.began
    if not shards.end_visit(own, took_s=took_s, tick_s=TICK_S, keep=lease is not None):
        return ShardReport(skipped=True)
    return report


def publish_pushed(
    *, account_ids: Sequence[int], now: datetime, brokers: Sequence[Outlet] | None = None
) -> tuple[ShardReport, set[int]]:
    """
    Visit these accounts, whose terminals push, at once; return also those that another visit holds.

    What happened to them is left to `relay_pushed`: a queue of events confirms much later than one
    of state, and the next change shall not wait for it.
    """
    this = _round(now, outlets.ours() if brokers is None else brokers, judge=False)
    report = ShardReport()
    missed: set[int] = set()
    for ids in _some_at_once(account_ids):
        visited = _visit_claimed(ids, this)
        report += visited
        missed |= set(ids) - visited.visited
    # Whoever held one of them may have read it before this change, and be done by now.
    due = Account.objects.deployed().filter(structure_number__gt=F("sent_structure_number"))
    return report, set(due.filter(pk__in=missed).values_list("pk", flat=True))


def relay_pushed(
    *, account_ids: Sequence[int], now: datetime, brokers: Sequence[Outlet] | None = None
) -> tuple[int, set[int]]:
    """Send the events of these accounts; return how many, and the accounts that another holds."""
    this = _round(now, outlets.ours() if brokers is None else brokers, judge=False)
    accounts = Account.objects.filter(pk__in=account_ids)
    return _relay_pushed(accounts, this)


def _round(now: datetime, brokers: Sequence[Outlet], *, judge: bool = True) -> _Round:
    away = outlets.away(brokers)
    outlets.NOTES.note(brokers, away, now=now, judge=judge)
    return _Round(now, brokers, away, outlets.back_at(brokers), judge)


def _note_lost_links(lease: Lease, this: _Round) -> None:
    """
    Let every account begin anew whose confirmed messages a broker may have lost.

    What is owed to a broker that was away is due from now on, too.
    """
    accounts = Account.objects.deployed().of_shard(lease.shard)
    resynced_at = lease.resynced_at
    for broker in this.up:
        lost_at, back_at = broker.lost_at(), this.back_at.get(broker.name)
        if lost_at and (resynced_at is None or resynced_at < lost_at):
            lease.resynced_at = max(this.now, lost_at)
            outlets.note_lost_link(broker.name, now=this.now)
            this.back_at[broker.name] = this.now
            with transaction.atomic():
                rows.update(accounts, due_at=None, **{OWED[broker.name]: True})
                # Whoever is writing one of them would record over that.
                rows.update(accounts.exclude(claim=""), **lifecycle.ANEW)
        elif back_at and (resynced_at is None or resynced_at < back_at):
            lease.resynced_at = max(this.now, lease.resynced_at or this.now)
            rows.update(accounts.filter(**{OWED[broker.name]: True}), due_at=None)


def _visit_asked(lease: Lease, this: _Round) -> ShardReport:
    """Visit the accounts whose providers are asked; the lease alone protects them."""
    accounts = (
        Account.objects.deployed()
        .of_shard(lease.shard)
        .exclude(provider=Account.Provider.PUSH)
        .select_related("group")
    )
    if lease.taken_over and not _begin_anew(lease, accounts):
        return ShardReport(skipped=True)
    visits = [_Visit(account, account.epoch) for account in accounts]
    for visit in visits:
        _ask(visit, this.now)
    if not _keep_observations(lease, visits):
        logger.warning("shard %d: another worker took over, nothing recorded", lease.shard)
        return ShardReport(skipped=True)
    _publish_all(visits, this)
    if not _record_asked(lease, visits):
        logger.warning("shard %d: another worker took over, nothing recorded", lease.shard)
        return ShardReport(skipped=True)
    asked = Account.objects.of_shard(lease.shard).exclude(provider=Account.Provider.PUSH)
    return _report(visits, _relay(asked, this), this.now)


def _visit_claimed(account_ids: Sequence[int], this: _Round) -> ShardReport:
    """Visit those of these pushed accounts that nobody else visits now."""
    claim = uuid.uuid4().hex
    wanted = Account.objects.filter(pk__in=account_ids)
    if not _claim(wanted, claim):
        return ShardReport()
    claimed = list(wanted.filter(claim=claim).select_related("group").order_by("id"))
    visits = [_Visit(account, account.epoch) for account in claimed if account.deployed]
    for visit in visits:
        visit.state = observe.held(visit.account)
        visit.worth_recording = True
    _publish_all(visits, this)
    _record_claimed(visits)
    rows.update(wanted.filter(claim=claim), claim="", claimed_until=None)
    return replace(_report(visits, 0, this.now), visited={account.pk for account in claimed})


def _relay_pushed(accounts: QuerySet[Account], this: _Round) -> tuple[int, set[int]]:
    """Send what these accounts owe; return how many, and the accounts that somebody else is at."""
    up = [broker for broker in this.brokers if broker.name not in this.away_for_events]
    sent = 0
    missed: set[int] = set()
    for ids in _some_at_once(sorted(relay.owing(accounts, up))):
        claim = uuid.uuid4().hex
        wanted = Account.objects.filter(pk__in=ids)
        if _claim(wanted, claim) < len(ids):
            missed |= set(wanted.exclude(claim=claim).values_list("pk", flat=True))
        sent += _relay(wanted.filter(claim=claim), this)
        rows.update(wanted.filter(claim=claim), claim="", claimed_until=None)
    return sent, missed


def _claim(wanted: QuerySet[Account], claim: str) -> int:
    """Claim those of these accounts that nobody has; return how many they are."""
    with transaction.atomic():
        list(rows.locked(wanted).values_list("pk"))
        # Its writer ended without a word: what was sent is unknown.
        abandoned = wanted.exclude(claim="").filter(claimed_until__lte=Now())
        abandoned.update(claim="", claimed_until=None, **lifecycle.ANEW)
        return wanted.filter(claim="").update(claim=claim, claimed_until=Now() + CLAIM)


def _pushed_and_due(shard: int, this: _Round) -> Iterable[Sequence[int]]:
    due = Q(due_at__isnull=True) | Q(due_at__lte=this.now)
    due |= Q(structure_number__gt=F("sent_structure_number"))
    # The clock was put back, and what it said before would hold the account up.
    due |= Q(last_published_at__gt=this.now + AHEAD)
    if not this.up:
        # What is noted already need not be noted at each tick.
        owed = {OWED[broker.name]: True for broker in this.brokers}
        due &= ~Q(**owed) | Q(last_error="")
    pushed = Account.objects.of_shard(shard).filter(provider=Account.Provider.PUSH)
    ids = set(pushed.deployed().filter(due).values_list("pk", flat=True))
    yield from _some_at_once(sorted(ids))


def _some_at_once(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    for first in range(0, len(ids), CLAIMED_AT_ONCE):
        yield ids[first : first + CLAIMED_AT_ONCE]


def _relay(accounts: QuerySet[Account], this: _Round) -> int:
    return relay.relay(accounts, this.brokers, away=this.away_for_events, now=this.now)


def _begin_anew(lease: Lease, accounts: QuerySet[Account]) -> bool:
    """Begin a new epoch of each account; return whether the shard is still ours."""
    logger.warning("shard %d: its last worker never finished, new epoch", lease.shard)
    with transaction.atomic():
        if not shards.prolong(lease):
            return False
        # Written before anything is sent: whoever takes over from us must not use it again.
        rows.update(accounts, **lifecycle.ANEW)
    lease.taken_over = False
    return True


def _ask(visit: _Visit, now: datetime) -> None:
    account = visit.account
    try:
        heard = providers.ask(account, now)
        visit.seen = observe.observe(
            account, heard.state, at=now, done=heard.done, trouble=heard.trouble
        )
    except AccountsError as e:
        logger.warning("%s: no state: %s", account, e)
        _note_no_state(visit, str(e), now)
    except Exception as e:
        # A provider is a plugin: a bug in one must not silence the accounts of the others.
        logger.exception("%s: the provider failed", account)
        _note_no_state(visit, f"{type(e).__name__}: {e}", now)
    else:
        visit.state = visit.seen.state
        visit.worth_recording |= visit.seen.worth_recording


def _note_no_state(visit: _Visit, reason: str, now: datetime) -> None:
    visit.seen = watch.lost(visit.account, reason=reason, at=now)
    visit.account.last_error = reason[:ERROR_LENGTH]
    visit.worth_recording = True


def _keep_observations(lease: Lease, visits: Iterable[_Visit]) -> bool:
    """
    Write what happened before anybody is told; return whether the shard is still ours.

    States that only moved an amount are written later, with what was published of them.
    """
    found = [
        visit.seen
        for visit in visits
        if visit.seen and (visit.seen.events or visit.seen.finished is not None)
    ]
    if not found:
        return True
    with transaction.atomic():
        if not shards.prolong(lease):
            return False
        wanted = Account.objects.filter(pk__in=[seen.account.pk for seen in found])
        # An operator may have given it another provider since it was read, or deleted it.
        ours = set(rows.locked(wanted).values_list("pk", "provider"))
        found = [seen for seen in found if (seen.account.pk, seen.account.provider) in ours]
        told = [seen for seen in found if seen.events]
        rows.write([seen.account for seen in told], observe.COLUMNS, guards={})
        relay.add(event for seen in told for event in seen.events)
        history.keep((s.account.pk, s.finished) for s in found if s.finished is not None)
    return True


def _publish_all(visits: Sequence[_Visit], this: _Round) -> None:
    up = this.up
    for visit in visits:
        _prepare(visit, up, this)
    for broker in up:
        _publish(broker, visits, this)
    for visit in visits:
        _settle(visit, this)


def _prepare(visit: _Visit, up: Sequence[Outlet], this: _Round) -> None:
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


def _is_urgent(visit: _Visit) -> bool:
    """Return whether consumers must learn of it at once, whatever else is planned."""
    if visit.account.last_published_at is None or visit.account.lifecycle == Lifecycle.DEPLOYING:
        return True
    if visit.held is None or visit.state is None:
        return False
    return diff.positions_changed(visit.held, visit.state) or diff.orders_changed(
        visit.held, visit.state
    )


def _snapshot_at(visit: _Visit, owed: Iterable[Outlet], this: _Round) -> datetime:
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


def _publish(broker: Outlet, visits: Iterable[_Visit], this: _Round) -> None:
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


def _settle(visit: _Visit, this: _Round) -> None:
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


def _note_refusals(visit: _Visit, now: datetime) -> None:
    account = visit.account
    if not visit.errors:
        account.refusals, account.snapshot_at = 0, None
        return
    account.refusals = min(account.refusals + 1, 30)
    wait_s = min(LONGEST_REFUSAL_S, 2.0 ** (account.refusals - 1))
    account.snapshot_at = now + timedelta(seconds=wait_s)


def _note_errors(visit: _Visit, this: _Round) -> None:
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


def _decide_due(visit: _Visit, this: _Round) -> None:
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


def _record_asked(lease: Lease, visits: Sequence[_Visit]) -> bool:
    """
    Write what the visit learnt; return whether the shard was still ours.

    An account that an operator began anew meanwhile has another epoch, and keeps it. One that has
    another provider by now may have been written by a push.
    """
    worth = [visit for visit in visits if visit.worth_recording or _is_old(visit)]
    with transaction.atomic():
        if not shards.prolong(lease):
            return False
        rows.write(
            [visit.account for visit in worth],
            (*PUBLISHED, *observe.COLUMNS),
            guards={
                "epoch": [visit.came_with_epoch for visit in worth],
                "provider": [visit.account.provider for visit in worth],
            },
        )
    return True


def _is_old(visit: _Visit) -> bool:
    """Return whether the row has not said for a while that its provider was heard."""
    heard_at = visit.account.last_state_at
    if visit.seen is None or visit.seen.heard_before_at is None or heard_at is None:
        return True
    return heard_at - visit.seen.heard_before_at >= FRESH


def _record_claimed(visits: Sequence[_Visit]) -> None:
    rows.write(
        [visit.account for visit in visits],
        PUBLISHED,
        guards={"epoch": [visit.came_with_epoch for visit in visits]},
        instead=_DUE,
        extra=[[v.account.last_state_at or v.account.created_at, v.account.due_at] for v in visits],
    )


def _report(visits: Sequence[_Visit], events: int, now: datetime) -> ShardReport:
    _answer_operator(visits, now)
    return ShardReport(
        accounts=len(visits),
        messages=Counter(m.kind for visit in visits if visit.delivered_at for m in visit.messages),
        events=events,
        failed=sum(1 for visit in visits if visit.account.last_error),
    )


def _answer_operator(visits: Iterable[_Visit], now: datetime) -> None:
    """Say of accounts that were to be deployed whether they are; alike ones together."""
    answers: dict[tuple[Step, str, int], list[int]] = {}
    for visit in visits:
        account = visit.account
        if account.lifecycle != Lifecycle.DEPLOYING:
            continue
        step, reason = _answer(visit)
        if step:
            answers.setdefault((step, reason, account.epoch), []).append(account.pk)
    for (step, reason, epoch), ids in answers.items():
        lifecycle.advance_all(
            account_ids=ids,
            step=step,
            reason=reason,
            now=now,
            seen=Lifecycle.DEPLOYING,
            epoch=epoch,
        )


def _answer(visit: _Visit) -> tuple[Step | None, str]:
    account = visit.account
    if visit.delivered_at:
        return Step.DONE, ""
    if visit.state is None and account.provider == Account.Provider.PUSH:
        # Ready to be pushed to; whether anybody does is the connection's matter.
        return Step.DONE, ""
    if visit.state is None:
        return Step.FAILED, account.last_error
    return None, ""

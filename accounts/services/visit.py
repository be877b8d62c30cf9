"""
One visit: read accounts, send what is due, record what was confirmed.

A shard is visited every second by whoever holds its lease; accounts whose terminals push are also
visited by the process that took the push in, the moment something structural changed. So that an
account's messages have one writer at a time, such accounts are claimed, a few at a time; the others
are written by the lease's owner alone.
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

from accounts.core.errors import AccountsError
from accounts.core.lifecycle import Lifecycle, Step
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
    sending,
    shards,
    watch,
)  # fmt: skip
from accounts.services.outlets import OWED
from accounts.services.sending import Round, Visit
from accounts.services.shards import Lease

logger = logging.getLogger(__name__)

TICK_S = 1.0
# So many pushed accounts are claimed at once: whoever wants one of them waits for so many.
CLAIMED_AT_ONCE = 50
# More than publishing them can take.
CLAIM = timedelta(seconds=10)
# A row says at least so often that its provider was heard, whether or not anything was sent.
FRESH = timedelta(seconds=5)
# No two clocks of an installation differ by so much.
AHEAD = timedelta(seconds=10)
ERROR_LENGTH = 200

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


def _round(now: datetime, brokers: Sequence[Outlet], *, judge: bool = True) -> Round:
    away = outlets.away(brokers)
    outlets.NOTES.note(brokers, away, now=now, judge=judge)
    return Round(now, brokers, away, outlets.back_at(brokers), judge)


def _note_lost_links(lease: Lease, this: Round) -> None:
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


def _visit_asked(lease: Lease, this: Round) -> ShardReport:
    """Visit the accounts whose providers are asked; the lease alone protects them."""
    accounts = (
        Account.objects.deployed()
        .of_shard(lease.shard)
        .exclude(provider=Account.Provider.PUSH)
        .select_related("group")
    )
    if lease.taken_over and not _begin_anew(lease, accounts):
        return ShardReport(skipped=True)
    visits = [Visit(account, account.epoch) for account in accounts]
    for visit in visits:
        _ask(visit, this.now)
    if not _keep_observations(lease, visits):
        logger.warning("shard %d: another worker took over, nothing recorded", lease.shard)
        return ShardReport(skipped=True)
    sending.send(visits, this)
    if not _record_asked(lease, visits):
        logger.warning("shard %d: another worker took over, nothing recorded", lease.shard)
        return ShardReport(skipped=True)
    asked = Account.objects.of_shard(lease.shard).exclude(provider=Account.Provider.PUSH)
    return _report(visits, _relay(asked, this), this.now)


def _visit_claimed(account_ids: Sequence[int], this: Round) -> ShardReport:
    """Visit those of these pushed accounts that nobody else visits now."""
    claim = uuid.uuid4().hex
    wanted = Account.objects.filter(pk__in=account_ids)
    if not _claim(wanted, claim):
        return ShardReport()
    claimed = list(wanted.filter(claim=claim).select_related("group").order_by("id"))
    visits = [Visit(account, account.epoch) for account in claimed if account.deployed]
    for visit in visits:
        visit.state = observe.held(visit.account)
        visit.worth_recording = True
    sending.send(visits, this)
    _record_claimed(visits)
    rows.update(wanted.filter(claim=claim), claim="", claimed_until=None)
    return replace(_report(visits, 0, this.now), visited={account.pk for account in claimed})


def _relay_pushed(accounts: QuerySet[Account], this: Round) -> tuple[int, set[int]]:
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


def _pushed_and_due(shard: int, this: Round) -> Iterable[Sequence[int]]:
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


def _relay(accounts: QuerySet[Account], this: Round) -> int:
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


def _ask(visit: Visit, now: datetime) -> None:
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


def _note_no_state(visit: Visit, reason: str, now: datetime) -> None:
    visit.seen = watch.lost(visit.account, reason=reason, at=now)
    visit.account.last_error = reason[:ERROR_LENGTH]
    visit.worth_recording = True


def _keep_observations(lease: Lease, visits: Iterable[Visit]) -> bool:
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


def _record_asked(lease: Lease, visits: Sequence[Visit]) -> bool:
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
            (*sending.COLUMNS, *observe.COLUMNS),
            guards={
                "epoch": [visit.came_with_epoch for visit in worth],
                "provider": [visit.account.provider for visit in worth],
            },
        )
    return True


def _is_old(visit: Visit) -> bool:
    """Return whether the row has not said for a while that its provider was heard."""
    heard_at = visit.account.last_state_at
    if visit.seen is None or visit.seen.heard_before_at is None or heard_at is None:
        return True
    return heard_at - visit.seen.heard_before_at >= FRESH


def _record_claimed(visits: Sequence[Visit]) -> None:
    rows.write(
        [visit.account for visit in visits],
        sending.COLUMNS,
        guards={"epoch": [visit.came_with_epoch for visit in visits]},
        instead=_DUE,
        extra=[[v.account.last_state_at or v.account.created_at, v.account.due_at] for v in visits],
    )


def _report(visits: Sequence[Visit], events: int, now: datetime) -> ShardReport:
    _answer_operator(visits, now)
    return ShardReport(
        accounts=len(visits),
        messages=Counter(m.kind for visit in visits if visit.delivered_at for m in visit.messages),
        events=events,
        failed=sum(1 for visit in visits if visit.account.last_error),
    )


def _answer_operator(visits: Iterable[Visit], now: datetime) -> None:
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


def _answer(visit: Visit) -> tuple[Step | None, str]:
    account = visit.account
    if visit.delivered_at:
        return Step.DONE, ""
    if visit.state is None and account.provider == Account.Provider.PUSH:
        # Ready to be pushed to; whether anybody does is the connection's matter.
        return Step.DONE, ""
    if visit.state is None:
        return Step.FAILED, account.last_error
    return None, ""

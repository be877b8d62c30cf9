"""
One visit of a shard: ask each provider, work out what is due, publish, record what was confirmed.

Every broker that can be reached gets the same messages, so that all consumers hold the same and one
difference serves them all. A broker that is away, or did not confirm, owes its consumers a snapshot
of each account concerned; when it is back, the snapshot goes to everybody.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from msgspec.structs import replace

from accounts.core import diff, schedule, simulate, state
from accounts.core.errors import AccountsError, BadState, PublishError
from accounts.core.messages import Message, message
from accounts.core.schedule import Intervals, Plan, Turns
from accounts.core.state import AccountState
from accounts.models import Account, ShardLease
from accounts.publish.bus import Bus
from accounts.publish.outlet import Outlet
from accounts.publish.rabbit import Rabbit
from streams import services as streams

logger = logging.getLogger(__name__)

# How long a visit waits for one broker. The other one waits as long, so it is short.
CHECK_S = 1.0
PUBLISH_S = 2.0
# More than a visit can take, and all the silence that a killed worker causes.
LEASE = timedelta(seconds=10)

# The column that says whether a broker is owed a snapshot, by the broker's name.
OWED = {"nats": "nats_snapshot_required", "rabbitmq": "rabbitmq_snapshot_required"}
# What a visit records; the operator's columns are not among them.
RECORDED = (
    "epoch", "seq", "state", "published", "nats_snapshot_required", "rabbitmq_snapshot_required",
    "next_account_at", "next_update_at", "next_positions_at", "next_orders_at",
    "last_state_at", "last_published_at", "last_error",
)  # fmt: skip
ERROR_LENGTH = 200


@dataclass(frozen=True)
class ShardReport:
    """
    What a visit did.

    `messages` counts by kind what at least one broker confirmed; `failed` the accounts that gave no
    state or are owed to a broker. `skipped`: another worker is at this shard, or took it over, and
    nothing was recorded.
    """

    accounts: int = 0
    messages: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    skipped: bool = False


@dataclass
class _Visit:
    """One account on the way from its state to its record. `errors` are by broker."""

    account: Account
    came_with_epoch: int
    state: AccountState | None = None
    held: AccountState | None = None
    plan: Plan = Plan((), Turns())  # noqa: RUF009  frozen
    messages: list[Message] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    delivered: bool = False


def tick(*, now: datetime) -> list[int]:
    """Return the numbers of the shards that hold deployed accounts: each is due at every tick."""
    return Account.objects.deployed().shards()


@cache
def outlets() -> tuple[Outlet, ...]:
    """Return this process's way to each configured broker; they connect on first use."""
    bus = Bus(streams.link())
    return (bus, Rabbit(settings.RABBITMQ_URL)) if settings.RABBITMQ_URL else (bus,)


def publish_shard(
    *,
    shard: int,
    now: datetime,
    brokers: Sequence[Outlet] | None = None,
    intervals: Intervals = Intervals(),  # noqa: B008  frozen
) -> ShardReport:
    """
    Visit the deployed accounts of one shard.

    Two visits of one shard never overlap: the second returns at once. An account, or a broker, that
    fails is noted and stops none of the others.
    """
    lease = _claim(shard, now)
    if lease is None:
        return ShardReport(skipped=True)
    brokers = outlets() if brokers is None else brokers
    away = _away(brokers)
    up = [broker for broker in brokers if broker.name not in away]
    visits = [_Visit(a, a.epoch) for a in Account.objects.deployed().of_shard(shard)]
    _note_what_was_lost(lease, brokers, visits, now)
    for visit in visits:
        _ask(visit, now)
        _prepare(visit, up, now, intervals)
    for broker in up:
        _publish(broker, visits)
    for visit in visits:
        _settle(visit, brokers, away, now)
    # After an exception the lease is not given back: what was sent is unknown, and whoever takes
    # the shard over must begin a new epoch.
    if not _record(lease, visits):
        logger.warning("shard %d: another worker took over, nothing recorded", shard)
        return ShardReport(skipped=True)
    return ShardReport(
        accounts=len(visits),
        messages=Counter(m.kind for visit in visits if visit.delivered for m in visit.messages),
        failed=sum(1 for visit in visits if visit.account.last_error),
    )


@dataclass
class _Lease:
    shard: int
    owner: str
    taken_over: bool
    resynced_at: datetime | None


def _claim(shard: int, now: datetime) -> _Lease | None:
    row, _ = ShardLease.objects.get_or_create(shard=shard)
    owner = uuid.uuid4().hex
    free = Q(owner="") | Q(expires_at__lte=now)
    claimed = (
        ShardLease.objects.filter(free, shard=shard, owner=row.owner)
        .update(owner=owner, expires_at=now + LEASE)
    )  # fmt: skip
    return _Lease(shard, owner, row.owner != "", row.resynced_at) if claimed else None


def _away(brokers: Iterable[Outlet]) -> dict[str, str]:
    """Return why each broker that cannot be reached now cannot, by its name."""
    away: dict[str, str] = {}
    for broker in brokers:
        try:
            broker.check(CHECK_S)
        except PublishError as e:
            away[broker.name] = str(e)
    return away


def _note_what_was_lost(
    lease: _Lease, brokers: Iterable[Outlet], visits: Iterable[_Visit], now: datetime
) -> None:
    """Let everything begin anew that may have been lost together with a worker or a link."""
    if lease.taken_over:
        logger.warning("shard %d: its last worker never finished, new epoch", lease.shard)
        for visit in visits:
            account = visit.account
            account.epoch, account.seq, account.published = account.epoch + 1, 0, ""
            account.nats_snapshot_required = account.rabbitmq_snapshot_required = True
    for broker in brokers:
        lost_at = broker.lost_at()
        if lost_at and (lease.resynced_at is None or lease.resynced_at < lost_at):
            lease.resynced_at = max(now, lost_at)
            for visit in visits:
                setattr(visit.account, OWED[broker.name], True)


def _ask(visit: _Visit, now: datetime) -> None:
    account = visit.account
    try:
        visit.state = PROVIDERS[account.provider](account, now)
    except AccountsError as e:
        logger.warning("%s: no state: %s", account, e)
        account.last_error = str(e)[:ERROR_LENGTH]
    except Exception as e:
        # A provider is a plugin: a bug in one must not silence the accounts of the others.
        logger.exception("%s: the provider failed", account)
        account.last_error = f"{type(e).__name__}: {e}"[:ERROR_LENGTH]
    else:
        account.state, account.last_state_at = state.stored(visit.state), now


def _prepare(visit: _Visit, up: Sequence[Outlet], now: datetime, intervals: Intervals) -> None:
    """Decide what is due and, when somebody will take it, write the messages."""
    account = visit.account
    if visit.state is None:
        return
    owed = any(getattr(account, OWED[broker.name]) for broker in up)
    visit.held = _held(account)
    visit.plan = schedule.plan(
        visit.state,
        None if owed else visit.held,
        account.turns(),
        now=now,
        intervals=intervals,
        key=str(account.uuid),
    )
    if not up:
        return
    sender = account.sender()
    for kind in visit.plan.kinds:
        account.seq += 1
        visit.messages.append(
            message(kind, sender, visit.state, visit.held, seq=account.seq, at=now)
        )


def _held(account: Account) -> AccountState | None:
    try:
        return state.restored(account.published) if account.published else None
    except BadState as e:
        logger.warning("%s: its record is unreadable, a snapshot mends it: %s", account, e)
        return None


def _publish(broker: Outlet, visits: Iterable[_Visit]) -> None:
    """Hand all messages to one broker, and note with each account what became of its own."""
    visits = [visit for visit in visits if visit.messages]
    if not visits:
        return
    messages = [m for visit in visits for m in visit.messages]
    try:
        answers = iter(broker.publish(messages, PUBLISH_S))
    except PublishError as e:
        logger.warning("%s: nothing confirmed: %s", broker.name, e)
        answers = iter([str(e)] * len(messages))
    for visit in visits:
        failure = next(filter(None, [next(answers) for _ in visit.messages]), "")
        setattr(visit.account, OWED[broker.name], bool(failure))
        if failure:
            visit.errors[broker.name] = failure
        else:
            visit.delivered = True


def _settle(visit: _Visit, brokers: Iterable[Outlet], away: dict[str, str], now: datetime) -> None:
    account = visit.account
    if visit.state is None:
        return
    if visit.plan.kinds:
        for name in away:
            setattr(account, OWED[name], True)
    if visit.delivered:
        account.published = state.stored(diff.applied(visit.held, visit.state, visit.plan.kinds))
        account.last_published_at = now
        turns = visit.plan.turns
        account.next_account_at, account.next_update_at = turns.account_at, turns.update_at
        account.next_positions_at, account.next_orders_at = turns.positions_at, turns.orders_at
    reasons = away | visit.errors
    account.last_error = "; ".join(
        f"{broker.name}: {reasons.get(broker.name, '')}"
        for broker in brokers
        if getattr(account, OWED[broker.name])
    )[:ERROR_LENGTH]


def _record(lease: _Lease, visits: Sequence[_Visit]) -> bool:
    """
    Write what the visit learnt and give the lease back, together; return whether it was still ours.

    An account that an operator began anew meanwhile has another epoch, and keeps it.
    """
    table = connection.ops.quote_name(Account._meta.db_table)  # noqa: SLF001  Django's public name
    fields = [f for f in Account._meta.concrete_fields if f.name in RECORDED]  # noqa: SLF001
    columns = ", ".join(f"{connection.ops.quote_name(f.attname)} = %s" for f in fields)
    # One prepared statement for all rows: a hundred times as fast as bulk_update, whose CASE
    # grows with rows times columns.
    statement = f"UPDATE {table} SET {columns} WHERE id = %s AND epoch = %s"  # noqa: S608  no value in it
    rows = [
        [
            *(f.get_db_prep_save(getattr(visit.account, f.attname), connection) for f in fields),
            visit.account.pk,
            visit.came_with_epoch,
        ]
        for visit in visits
    ]
    with transaction.atomic():
        if not ShardLease.objects.filter(shard=lease.shard, owner=lease.owner).update(
            owner="", expires_at=None, resynced_at=lease.resynced_at
        ):
            return False
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(statement, rows)
    return True


def _simulated(account: Account, now: datetime) -> AccountState:
    return replace(
        simulate.state_at(str(account.login), account.server, now, leverage=account.leverage),
        currency=account.currency,
    )


PROVIDERS: Mapping[str, Callable[[Account, datetime], AccountState]] = {
    Account.Provider.SIMULATOR: _simulated,
}

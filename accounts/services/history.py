"""Bars of equity and balance: kept minute by minute, read at any length, and dropped with age."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, models, transaction

from accounts.core import bars as core
from accounts.core.bars import Bar
from accounts.core.errors import BadState
from accounts.models import Account, AccountEvent, AuditEntry, DeadLetter, EquityBar

logger = logging.getLogger(__name__)

# As many as a database deletes in a moment: whoever waits for its lock hardly notices.
BATCH = 2_000
# So many of them in one run: the worker has a tick to do.
MOST_BATCHES = 20


@dataclass(frozen=True)
class Pruned:
    """How many rows were deleted. Not `finished`: more are too old."""

    bars: int
    events: int
    dead_letters: int
    audit_entries: int

    @property
    def finished(self) -> bool:
        return all(number < BATCH * MOST_BATCHES for number in astuple(self))


def keep(bars: Iterable[tuple[int, Bar]]) -> None:
    """
    Add finished bars to what is kept, each with the row of its account.

    A minute that is there already is joined with the new bar: its open stays, the new close wins.
    Bars of an account that is no more are dropped.
    """
    rows: dict[tuple[int, datetime], Bar] = {}
    for account, bar in bars:
        key = (account, bar.at)
        rows[key] = core.joined(rows[key], bar) if key in rows else bar
    if not rows:
        return
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            cursor.executemany(
                _upsert(),
                [
                    (account, _moment(bar.at), *msgspec.structs.astuple(bar)[1:], account)
                    # In one order for everybody, so that two writers never wait for each other.
                    for (account, _), bar in sorted(rows.items(), key=itemgetter(0))
                ],
            )
            stored = cursor.rowcount
        if stored != len(rows):
            _keep_with_other_digits(rows)


def bars(
    *,
    account: Account,
    interval_s: int = core.MINUTE_S,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int = 500,
) -> list[Bar]:
    """
    Return the newest `limit` bars that begin in [start, end), oldest first, each one whole.

    The minute under way is among them. See `core.bars.merged`.

    Raises:
        BadInterval: There are no bars of this length.
    """
    core.check_interval(interval_s)
    if limit < 1:
        return []
    rows = EquityBar.objects.filter(account=account).order_by("-at")
    under_way = _under_way(account)
    if start is not None:
        first = core.beginning(start, interval_s)
        first = first if first == start else core.following(first, interval_s)
        rows = rows.filter(at__gte=first)
        under_way = under_way if under_way and under_way.at >= first else None
    if end is not None:
        last = core.beginning(end, interval_s)
        last = last if last == end else core.following(last, interval_s)
        rows = rows.filter(at__lt=last)
        under_way = under_way if under_way and under_way.at < last else None
    # So many minutes fill `limit` bars. Where some are missing there are more bars than that, and
    # the oldest, which may be cut, is not among the newest.
    newest = rows.values_list(*Bar.__struct_fields__)[: limit * (interval_s // core.MINUTE_S)]
    found = [Bar(*row) for row in reversed(newest)]
    if under_way:
        # Behind what is kept of the same minute, which is older; in its place when clocks differ.
        found.append(under_way)
        found.sort(key=lambda bar: bar.at)
    return core.merged(found, interval_s)[-limit:]


def prune(*, now: datetime) -> Pruned:
    """
    Delete what is older than the settings allow, a batch at a time, as far as one run goes.

    An event that a broker has not confirmed is owed and stays, and so does a dead letter that
    nobody replayed.
    """

    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    event_before = before(settings.EVENT_RETENTION_DAYS)
    pruned = Pruned(
        bars=_delete(EquityBar.objects.filter(at__lt=before(settings.EQUITY_RETENTION_DAYS)), "at"),
        events=_delete(_sent_events().filter(created_at__lt=event_before), "created_at"),
        dead_letters=_delete(
            DeadLetter.objects.filter(replayed_at__lt=event_before), "collected_at"
        ),
        audit_entries=_delete(
            AuditEntry.objects.filter(at__lt=before(settings.AUDIT_RETENTION_DAYS)), "at"
        ),
    )
    logger.info("pruned: %s", pruned)
    return pruned


def _sent_events() -> models.QuerySet[AccountEvent]:
    """Return the events that every broker there is has confirmed."""
    sent = AccountEvent.objects.filter(nats_at__isnull=False)
    return sent.filter(rabbitmq_at__isnull=False) if settings.RABBITMQ_URL else sent


def _delete(rows: models.QuerySet[Any], by: str) -> int:
    """Delete the rows, oldest first, in transactions of their own; return how many."""
    number = 0
    manager = rows.model._default_manager  # noqa: SLF001  Django's public name
    for _ in range(MOST_BATCHES):
        deleted: int = manager.filter(pk__in=rows.order_by(by).values("pk")[:BATCH]).delete()[0]
        number += deleted
        if deleted < BATCH:
            break
    return number


def _under_way(account: Account) -> Bar | None:
    try:
        return core.restored(account.bar)
    except BadState as e:
        logger.warning("%s: its record is unreadable: %s", account, e)
        return None


def _upsert() -> str:
    """Return the statement that adds one bar, or joins it with the one of its minute."""
    quoted = connection.ops.quote_name
    bar, account = (quoted(model._meta.db_table) for model in (EquityBar, Account))  # noqa: SLF001
    greatest, least = ("GREATEST", "LEAST") if _on_postgres() else ("MAX", "MIN")
    sets = [
        f"{name} = {greatest}({bar}.{name}, excluded.{name}),"
        f" {low} = {least}({bar}.{low}, excluded.{low}),"
        f" {close} = excluded.{close}"
        for name, low, close in (
            ("equity_high", "equity_low", "equity_close"),
            ("balance_high", "balance_low", "balance_close"),
        )
    ]
    # The account's row must not go before ours has come.
    lock = "FOR KEY SHARE" if _on_postgres() else ""
    columns = ", ".join(("account_id", *Bar.__struct_fields__))
    values = ", ".join(["%s"] * (1 + len(Bar.__struct_fields__)))
    return (
        f"INSERT INTO {bar} ({columns})"  # noqa: S608  no value in it
        f" SELECT {values} FROM {account} WHERE id = %s {lock}"
        f" ON CONFLICT (account_id, at) DO UPDATE SET {', '.join(sets)}"
        f" WHERE {bar}.digits = excluded.digits"
    )


def _keep_with_other_digits(rows: Mapping[tuple[int, datetime], Bar]) -> None:
    """Join the bars whose minute is kept with other digits than theirs: the rare case."""
    keys = list(rows)
    for first in range(0, len(keys), BATCH):
        batch = keys[first : first + BATCH]
        kept = EquityBar.objects.select_for_update().filter(
            account__in={account for account, _ in batch}, at__in={at for _, at in batch}
        )
        for row in kept:
            bar = rows.get((row.account_id, row.at))
            if bar is None or bar.digits == row.digits:
                continue
            both = core.joined(Bar(*(getattr(row, name) for name in Bar.__struct_fields__)), bar)
            for name in Bar.__struct_fields__:
                setattr(row, name, getattr(both, name))
            row.save()


def _moment(at: datetime) -> Any:
    """Return the moment as the database's driver takes it in a statement of our own."""
    return connection.ops.adapt_datetimefield_value(at)


def _on_postgres() -> bool:
    return connection.vendor == "postgresql"

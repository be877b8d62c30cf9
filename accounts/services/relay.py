"""
The outbox: events on their way from the database to every broker.

An event is sent to a broker until that broker has confirmed it, always with the same id. The caller
holds the accounts (their lease or their claims), so that one account's events leave in order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.core.errors import PublishError
from accounts.core.events import Event
from accounts.models import Account, AccountEvent
from accounts.publish.outlet import Outlet
from accounts.services import outlets

logger = logging.getLogger(__name__)

# After a long outage the backlog leaves in parts, so that no visit outlives its lease.
AT_ONCE = 1000
PUBLISH_S = 2.0
ERROR_LENGTH = 200


def add(events: Iterable[AccountEvent]) -> None:
    """Put events into the outbox, in the caller's transaction."""
    AccountEvent.objects.bulk_create(events, batch_size=500)


def owing(accounts: QuerySet[Account], brokers: Sequence[Outlet]) -> set[int]:
    """Return which of these accounts have events that one of these brokers has not confirmed."""
    return {
        account_id
        for broker in brokers
        for account_id in _owed(accounts, broker).values_list("account_id", flat=True).distinct()
    }


def relay(
    accounts: QuerySet[Account],
    brokers: Sequence[Outlet],
    *,
    away: dict[str, str],
    now: datetime,
) -> int:
    """
    Send what is owed of these accounts; return how many events some broker confirmed now.

    Args:
        away: Brokers that are not asked, and why; one that answers nothing joins them.
    """
    confirmed: set[int] = set()
    for broker in brokers:
        if broker.name not in away:
            confirmed |= _send(broker, _next(accounts, broker), away=away, now=now)
    return len(confirmed)


def _next(accounts: QuerySet[Account], broker: Outlet) -> list[AccountEvent]:
    """Return what this broker is owed, no account's second before every account's first."""
    # Else an account whose events are refused for good would one day take all the places.
    place = Window(RowNumber(), partition_by="account_id", order_by="id")
    owed = _owed(accounts, broker).annotate(place=place).order_by("place", "id")
    places = {pk: place for place, pk in enumerate(owed.values_list("pk", flat=True)[:AT_ONCE])}
    if not places:
        return []
    found = AccountEvent.objects.filter(pk__in=places).select_related("account")
    return sorted(found, key=lambda row: places[row.pk])


def event_of(row: AccountEvent) -> Event:
    account = row.account
    return Event(
        id=str(row.message_id),
        key=account.pk,
        server=account.server,
        login=str(account.login),
        kind=row.kind,
        number=row.number,
        payload=row.payload.encode(),
        subject=row.subject,
    )


def _owed(accounts: QuerySet[Account], broker: Outlet) -> QuerySet[AccountEvent]:
    # For each broker alone: there is an index for each, and the backlog of one delays no other.
    owed = outlets.owed_events([broker.name])
    return AccountEvent.objects.filter(owed, account__in=accounts.order_by()).order_by()


def _send(
    broker: Outlet, rows: Sequence[AccountEvent], *, away: dict[str, str], now: datetime
) -> set[int]:
    if not rows:
        return set()
    try:
        answers = broker.publish_events([event_of(row) for row in rows], PUBLISH_S)
    except PublishError as e:
        logger.warning("%s: no event confirmed: %s", broker.name, e)
        away[broker.name] = str(e)
        answers = [str(e)] * len(rows)
    done = [row.pk for row, answer in zip(rows, answers, strict=True) if not answer]
    AccountEvent.objects.filter(pk__in=done).update(
        last_error="", **{outlets.SENT_AT[broker.name]: now}
    )
    failures: dict[str, list[int]] = {}
    for row, answer in zip(rows, answers, strict=True):
        if answer:
            failures.setdefault(answer[:ERROR_LENGTH], []).append(row.pk)
    for reason, pks in failures.items():
        AccountEvent.objects.filter(pk__in=pks).update(
            attempts=F("attempts") + 1, last_error=reason
        )
    return set(done)

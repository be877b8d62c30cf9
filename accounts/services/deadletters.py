"""Events that consumers refused for good: taken off the broker, kept, sent again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.core.errors import PublishError
from accounts.core.events import Event
from accounts.models import Account, DeadLetter
from accounts.publish import deadletters
from accounts.publish.outlet import Outlet
from accounts.services import audit, outlets

logger = logging.getLogger(__name__)

# What one collection takes, and what one replay sends at a time.
AT_ONCE = 500
PUBLISH_S = 5.0
BROKER = "rabbitmq"


def collect(*, now: datetime, limit: int = AT_ONCE) -> int:
    """
    Take dead letters off the queue into the database; return how many.

    Raises:
        PublishError: RabbitMQ cannot be reached.
    """
    if not settings.RABBITMQ_URL:
        return 0

    def keep(letters: Sequence[deadletters.DeadLetter]) -> None:
        with transaction.atomic():
            DeadLetter.objects.bulk_create(_rows(_unknown(letters), now))

    return deadletters.collect(settings.RABBITMQ_URL, limit, keep)


def replay(*, queryset: QuerySet[DeadLetter], actor: str, broker: Outlet | None = None) -> int:
    """
    Send these dead letters again, each with its old id; return how many were confirmed.

    Raises:
        PublishError: RabbitMQ takes nothing now. What was confirmed before stays noted.
    """
    broker = broker or _rabbitmq()
    broker.check(PUBLISH_S)
    sent = 0
    ids = list(queryset.order_by("id").values_list("pk", flat=True))
    for first in range(0, len(ids), AT_ONCE):
        rows = list(
            DeadLetter.objects.filter(pk__in=ids[first : first + AT_ONCE])
            .select_related("account")
            .order_by("id")
        )
        answers = broker.publish_events([_event(row) for row in rows], PUBLISH_S)
        done = [row for row, answer in zip(rows, answers, strict=True) if not answer]
        sent += len(done)
        _note(done, actor)
    return sent


def _note(rows: Sequence[DeadLetter], actor: str) -> None:
    with transaction.atomic():
        DeadLetter.objects.filter(pk__in=[row.pk for row in rows]).update(
            replayed_at=timezone.now()
        )
        audit.note_all(
            audit.Act(
                actor=actor,
                action="replay",
                account=row.account,
                detail=f"event {row.number} {row.kind} {row.message_id}",
            )
            for row in rows
        )


def _rabbitmq() -> Outlet:
    for broker in outlets.ours():
        if broker.name == BROKER:
            return broker
    raise PublishError("RABBITMQ_URL is not set, so there is no queue to replay into")


def _unknown(letters: Sequence[deadletters.DeadLetter]) -> list[deadletters.DeadLetter]:
    """Leave out those that were kept and not acknowledged, when a process ended in between."""
    kept = DeadLetter.objects.filter(
        message_id__in=[letter.message_id for letter in letters], replayed_at__isnull=True
    )
    known = set(kept.exclude(message_id="").values_list("message_id", flat=True))
    return [letter for letter in letters if letter.message_id not in known]


def _rows(letters: Sequence[deadletters.DeadLetter], now: datetime) -> list[DeadLetter]:
    wanted = {uuid for letter in letters if (uuid := _uuid(letter.account_id))}
    found = Account.objects.filter(uuid__in=wanted).values_list("uuid", "pk")
    accounts = {str(uuid): pk for uuid, pk in found}
    return [
        DeadLetter(
            message_id=letter.message_id[:64],
            account_id=accounts.get(letter.account_id),
            number=letter.number,
            kind=letter.kind[:64],
            # PostgreSQL takes no NUL, and a letter that cannot be kept would come for ever.
            payload=letter.payload.decode("utf-8", "backslashreplace").replace("\0", "\\0"),
            reason=letter.reason[:64],
            deaths=letter.deaths,
            collected_at=now,
        )
        for letter in letters
    ]


def _event(row: DeadLetter) -> Event:
    account = row.account
    return Event(
        id=row.message_id,
        key=account.pk if account else 1,
        server=account.server if account else "unknown",
        login=str(account.login) if account else "0",
        kind=row.kind or "unknown",
        number=row.number or 0,
        payload=row.payload.encode(),
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

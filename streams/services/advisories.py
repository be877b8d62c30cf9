"""
Keeps what JetStream tells of itself: streams made, leaders elected, messages given up.

Advisories are plain messages that nobody repeats. A small stream of our own captures them, and a
task reads it: nothing is lost while no process of ours runs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import Count
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.broker import watching
from streams.core import advisory
from streams.core.definition import NANOSECONDS
from streams.core.errors import ApiRefused, BrokerAway
from streams.models import Advisory
from streams.services import announcing
from streams.services.linked import link

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

STREAM = advisory.STREAM
CONSUMER = "collector"
BATCH = 500
# One visit takes no more of them; the next goes on.
BATCHES = 20

CONFIG: JsonObject = {
    "name": STREAM,
    "description": "Advisories of JetStream, until Tickplane has read them.",
    "subjects": list(advisory.SUBJECTS),
    "retention": "limits",
    # In memory: the audit of each call of the API comes by here, and a disk has better to do.
    "storage": "memory",
    "max_age": 24 * 3600 * NANOSECONDS,
    "max_msgs": 10_000,
    "max_bytes": 16 * 1024 * 1024,
    # A flood of one kind does not wash the others away. All of the API's audit is one subject.
    "max_msgs_per_subject": 1000,
    # An audit holds what was answered; the long ones are lists, which nobody changed anything by.
    "max_msg_size": 65_536,
    "discard": "old",
}
# With three, the death of a leader does not take the news of it along.
REPLICAS = (3, 1)
NO_REPLICAS = frozenset({10074, 10005, 10023})
NAME_IN_USE = 10058

# Nothing is stored, or delivered, until somebody brings servers back.
ALARMING = ("stream_quorum_lost", "consumer_quorum_lost")

# More of one kind in an hour are one message: something is wrong.
MOST_PER_HOUR = 500


def collect(*, now: datetime) -> int:
    """
    Keep the advisories that came since the last time; return how many rows that made.

    Raises:
        BrokerAway, ApiRefused: See `Link.api`. What was not kept comes again.
    """
    made = 0
    for number in range(BATCHES):
        try:
            found = link().run(_next)
        except BrokerAway:
            if number:
                raise
            # There is no such consumer; or NATS is away, which this says better.
            _ensure()
            found = link().run(_next)
        made += keep(payloads=[message.data for message in found])
        link().run(partial(_acknowledge, messages=found))
        if len(found) < BATCH:
            break
    return made


def keep(*, payloads: Sequence[bytes]) -> int:
    """Keep these advisories, each once; return how many were new and worth a row."""
    found = {
        told.id: told
        for told in map(advisory.parse, payloads)
        if told is not None and told.stream != STREAM
    }
    known = set(Advisory.objects.filter(event_id__in=found).values_list("event_id", flat=True))
    fresh = [told for told in found.values() if told.id not in known]
    worth = _within_rate(fresh)
    Advisory.objects.bulk_create(map(_row, worth), ignore_conflicts=True)
    for told in worth:
        if told.kind in ALARMING:
            name = f"{told.stream}/{told.consumer}" if told.consumer else told.stream
            announcing.alert(
                level="critical", type=told.kind, text=f"{name}: {told.text}", name=name
            )
    return len(worth)


def prune() -> int:
    """Delete the oldest rows beyond `ADVISORIES_KEPT`; return how many."""
    kept = Advisory.objects.order_by("-at", "-id").values_list("pk", flat=True)
    last = kept[settings.ADVISORIES_KEPT - 1 : settings.ADVISORIES_KEPT].first()
    if last is None:
        return 0
    edge = Advisory.objects.get(pk=last)
    older = Advisory.objects.filter(at__lt=edge.at) | Advisory.objects.filter(
        at=edge.at, pk__lt=edge.pk
    )
    return older.delete()[0]


async def _next(client: Client) -> list[Msg]:
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}"
    found, _end = await watching.batch(client, subject, {"batch": BATCH, "no_wait": True}, BATCH)
    return found


async def _acknowledge(client: Client, messages: Iterable[Msg]) -> None:
    for message in messages:
        await client.publish(message.reply, b"+ACK")
    await client.flush()


def _ensure() -> None:
    """Make the stream and its consumer where they are missing. What exists is left as it is."""
    for replicas in REPLICAS:
        try:
            link().api(f"STREAM.CREATE.{STREAM}", {**CONFIG, "num_replicas": replicas})
        except ApiRefused as e:
            if e.code in NO_REPLICAS and replicas != REPLICAS[-1]:
                continue
            if e.code != NAME_IN_USE:
                raise
        break
    config = {
        "durable_name": CONSUMER, "ack_policy": "explicit", "ack_wait": 60 * NANOSECONDS,
        "max_ack_pending": 2 * BATCH,
    }  # fmt: skip
    link().api(f"CONSUMER.CREATE.{STREAM}.{CONSUMER}", {"stream_name": STREAM, "config": config})


def _within_rate(fresh: Sequence[advisory.Advisory]) -> list[advisory.Advisory]:
    """Return those that do not make their kind more than so many in the hour that they are of."""
    counts: Counter[tuple[str, datetime]] = Counter()
    for hour in {_hour(told) for told in fresh}:
        rows = Advisory.objects.filter(at__gte=hour, at__lt=hour + timedelta(hours=1))
        for kind, number in rows.order_by().values_list("kind").annotate(Count("pk")):
            counts[kind, hour] = number
    worth = []
    dropped: Counter[str] = Counter()
    for told in sorted(fresh, key=lambda each: each.at):
        place = (told.kind, _hour(told))
        counts[place] += 1
        if counts[place] <= MOST_PER_HOUR:
            worth.append(told)
        else:
            dropped[told.kind] += 1
    for kind, number in dropped.items():
        logger.warning("advisories of kind %s: %d of this hour not kept", kind, number)
    return worth


def _hour(told: advisory.Advisory) -> datetime:
    return told.at.replace(minute=0, second=0, microsecond=0)


def _row(told: advisory.Advisory) -> Advisory:
    return Advisory(
        event_id=told.id,
        at=told.at,
        kind=told.kind,
        stream=told.stream,
        consumer=told.consumer,
        text=told.text,
        data=told.data,
    )

"""How far consumers are, and their being paused, resumed and set back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from streams.core.errors import ApiRefused, BadDefinition
from streams.models import StreamConsumer
from streams.services import audit, guarding, purging
from streams.services.linked import link
from streams.services.live import live_consumers

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]

NO_STREAM = 10059
COUNTS = (
    "num_pending", "num_ack_pending", "num_redelivered", "delivered_seq", "ack_floor_seq",
    "last_active_at", "paused_until", "seen_at", "last_error",
)  # fmt: skip


@dataclass(frozen=True)
class Refreshed:
    """How many rows of consumers were refreshed; `missing` ones are not in NATS."""

    seen: int
    missing: int
    failed: tuple[tuple[str, str], ...] = ()


def refresh_consumers(*, now: datetime) -> Refreshed:
    """
    Write JetStream's counts into the rows of declared consumers: one call per 256 of a stream.

    Raises:
        BrokerAway: NATS cannot be asked at all. A stream that fails alone is in `failed`.
    """
    by_stream: dict[str, list[StreamConsumer]] = {}
    for row in StreamConsumer.objects.select_related("stream"):
        by_stream.setdefault(row.stream.name, []).append(row)
    seen: list[StreamConsumer] = []
    missing = 0
    failed: list[tuple[str, str]] = []
    for stream, rows in by_stream.items():
        try:
            told = {info["name"]: info for info in live_consumers(stream)}
        except ApiRefused as e:
            if e.code == NO_STREAM:
                missing += len(rows)
            else:
                logger.warning("consumers of stream %s not seen: %s", stream, e)
                failed.append((stream, str(e)))
            continue
        for row in rows:
            if info := told.get(row.name):
                _take(row, info, now)
                seen.append(row)
            else:
                missing += 1
    StreamConsumer.objects.bulk_update(seen, COUNTS, batch_size=500)
    return Refreshed(len(seen), missing, tuple(failed))


def pause(*, stream: str, consumer: str, until: datetime, actor: str, now: datetime) -> datetime:
    """
    Let a consumer deliver nothing until then; return until when it is paused.

    Raises:
        Guarded: It is not declared, or its policy is "observe".
        BadDefinition: `until` is not in the future.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    row = guarding.consumer_for(stream, consumer, guarding.TO_CHANGE)
    if until.tzinfo is None:
        raise BadDefinition("until", _("a time needs its offset, for example Z"))
    if until <= now:
        raise BadDefinition("until", _("must be in the future"))
    told = _pause(stream, consumer, {"pause_until": until.astimezone(UTC).isoformat()})
    paused_until = _moment(told.get("pause_until")) or until
    _pauses(row, paused_until, actor, "pause")
    return paused_until


def resume(*, stream: str, consumer: str, actor: str) -> None:
    """
    Let a paused consumer deliver again.

    Raises:
        As `pause`.
    """
    row = guarding.consumer_for(stream, consumer, guarding.TO_CHANGE)
    _pause(stream, consumer, {})
    _pauses(row, None, actor, "resume")


def reset(  # noqa: PLR0913
    *,
    stream: str,
    consumer: str,
    typed_name: str,
    actor: str,
    now: datetime,
    seq: int | None = None,
) -> int:
    """
    Set a consumer's position; return the sequence it goes on from.

    What it steps over, and no other consumer waits for, a stream of retention "interest" deletes:
    of that one a backup is taken first.

    Args:
        seq: The next message it gets; without it, the one after its acknowledged ones.

    Raises:
        Unconfirmed: `typed_name` is not the consumer's.
        Guarded: As `pause`, and "protect".
        BadBackup: The backup failed; the position is as it was.
        BadDefinition, BrokerAway, ApiRefused: As `pause`; older servers than 2.14 refuse.
    """
    guarding.confirm(consumer, typed_name)
    guarding.consumer_for(stream, consumer, guarding.TO_DESTROY)
    if seq is not None and seq < 1:
        raise BadDefinition("seq", _("must be 1 or more"))
    before = link().api(f"CONSUMER.INFO.{stream}.{consumer}")
    steps_over = seq is not None and seq > before["ack_floor"]["stream_seq"] + 1
    backup = purging.back_up_for(stream, consumer, "reset", actor, now) if steps_over else None
    body = {"seq": seq} if seq is not None else {}
    told = link().api(f"CONSUMER.RESET.{stream}.{consumer}", body)
    position = int(told.get("reset_seq") or told["ack_floor"]["stream_seq"] + 1)
    audit.note(
        actor=actor,
        action="reset",
        kind="consumer",
        name=f"{stream}/{consumer}",
        before=_position(before),
        after=_position(told),
        detail=f"backup {backup.file}" if backup else "",
    )
    return position


def _take(row: StreamConsumer, info: JsonObject, now: datetime) -> None:
    row.num_pending = info["num_pending"]
    row.num_ack_pending = info["num_ack_pending"]
    row.num_redelivered = info["num_redelivered"]
    row.delivered_seq = info["delivered"]["stream_seq"]
    row.ack_floor_seq = info["ack_floor"]["stream_seq"]
    active = (info["delivered"].get("last_active"), info["ack_floor"].get("last_active"))
    known = [moment for moment in map(_moment, active) if moment]
    # A new leader has forgotten: what was known before stays.
    row.last_active_at = max(known, default=row.last_active_at)
    row.paused_until = _moment(info["config"].get("pause_until")) if info.get("paused") else None
    row.seen_at, row.last_error = now, ""


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _pause(stream: str, consumer: str, body: JsonObject) -> JsonObject:
    return link().api(f"CONSUMER.PAUSE.{stream}.{consumer}", body)


def _pauses(row: StreamConsumer, until: datetime | None, actor: str, action: str) -> None:
    before, row.paused_until = row.paused_until, until
    row.save(update_fields=["paused_until"])
    audit.note(
        actor=actor,
        action=action,
        kind="consumer",
        name=f"{row.stream.name}/{row.name}",
        before={"paused_until": before.isoformat() if before else None},
        after={"paused_until": until.isoformat() if until else None},
    )


def _position(info: JsonObject) -> JsonObject:
    return {
        "delivered": info["delivered"]["stream_seq"],
        "ack_floor": info["ack_floor"]["stream_seq"],
        "num_pending": info["num_pending"],
    }

"""
Takes things away for good: messages, consumers, streams.

Each needs the policy "manage" and the typed name; what would lose messages is backed up first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from nats.aio.client import Client

from streams.broker import watching
from streams.core import subjects as grammar
from streams.core.errors import ApiRefused, BadDefinition, Guarded
from streams.core.names import check_name
from streams.models import Backup, Standing, Stream, StreamConsumer
from streams.services import audit, backups, guarding
from streams.services.linked import link

JsonObject = dict[str, Any]

MOST_SEQ = 2**63 - 1


@dataclass(frozen=True)
class Purged:
    """What is gone. `before` and `after` count messages; `backup` holds what was there."""

    removed: int
    before: int
    after: int
    backup: Backup | None = None


def would_remove(
    *,
    stream: str,
    subject: str | None = None,
    keep: int | None = None,
    up_to_seq: int | None = None,
) -> int | None:
    """
    Return how many messages such a purge would remove now. Nothing is changed.

    None: up to a sequence, from a stream with holes or of one subject, that is known only of
    streams that allow direct gets.

    Raises:
        As `purge`, but for `Unconfirmed` and `Guarded`.
    """
    check_name(stream)
    _check(subject, keep, up_to_seq)
    info = link().api(f"STREAM.INFO.{stream}")
    if up_to_seq is not None:
        return _up_to(info, subject, up_to_seq)
    held = _held(stream, subject) if subject else info["state"]["messages"]
    return max(0, held - (keep or 0))


def purge(  # noqa: PLR0913  each narrows it in its own way
    *,
    stream: str,
    typed_name: str,
    actor: str,
    now: datetime,
    subject: str | None = None,
    keep: int | None = None,
    up_to_seq: int | None = None,
    skip_backup: bool = False,
) -> Purged:
    """
    Remove messages: all, those of a subject, all but the last `keep`, or those up to a sequence.

    Args:
        keep: How many of the newest stay.
        up_to_seq: The last one that goes; not together with `keep`.
        skip_backup: Without one, what goes is gone. An empty stream needs none.

    Raises:
        Unconfirmed: `typed_name` is not the stream's.
        Guarded: The stream is not declared, or its policy or its configuration forbids it.
        BadDefinition: `keep` or `up_to_seq`; names the field.
        BadSubject: `subject` is no pattern.
        BadBackup: The backup failed; nothing was removed.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    guarding.confirm(stream, typed_name)
    row = guarding.stream_for(stream, guarding.TO_DESTROY)
    _check(subject, keep, up_to_seq)
    before = link().api(f"STREAM.INFO.{stream}")
    _refuse_denied(before, "deny_purge")
    body: JsonObject = {}
    if subject:
        body["filter"] = subject
    if keep is not None:
        body["keep"] = keep
    if up_to_seq is not None:
        body["seq"] = up_to_seq + 1
    backup = _back_up(before, actor, "purge", now, skip_backup=skip_backup)
    removed = link().api(f"STREAM.PURGE.{stream}", body).get("purged", 0)
    after = link().api(f"STREAM.INFO.{stream}")
    _recount(row, after, now)
    audit.note(
        actor=actor,
        action="purge",
        kind="stream",
        name=stream,
        before=_counts(before),
        after=_counts(after),
        detail=_told({**body, "purged": removed}, backup),
    )
    return Purged(removed, before["state"]["messages"], after["state"]["messages"], backup)


def delete_message(  # noqa: PLR0913
    *, stream: str, seq: int, typed_name: str, actor: str, now: datetime, erase: bool = False
) -> None:
    """
    Remove one message; `typed_name` is the stream's.

    Args:
        erase: Overwrite it on the disk too: slower.

    Raises:
        As `purge`; ApiRefused with code 10037 where there is none of this number.
    """
    guarding.confirm(stream, typed_name)
    row = guarding.stream_for(stream, guarding.TO_DESTROY)
    if not 1 <= seq <= MOST_SEQ:
        raise BadDefinition("seq", _("must be 1 or more"))
    before = link().api(f"STREAM.INFO.{stream}")
    _refuse_denied(before, "deny_delete")

    async def look(client: Client) -> watching.Stored | None:
        return await watching.get(client, stream, {"seq": seq})

    found = link().run(look)
    if found is None:
        raise ApiRefused(watching.NO_MESSAGE, "no message found")
    link().api(f"STREAM.MSG.DELETE.{stream}", {"seq": seq, "no_erase": not erase})
    after = link().api(f"STREAM.INFO.{stream}")
    _recount(row, after, now)
    audit.note(
        actor=actor,
        action="delete_message",
        kind="stream",
        name=stream,
        # What it was, but never what was in it.
        before={
            **_counts(before), "seq": seq, "subject": found.subject,
            "at": found.at.isoformat(), "size": len(found.payload),
        },
        after=_counts(after),
        detail=_("overwritten on the disk") if erase else "",
    )  # fmt: skip


def delete_consumer(  # noqa: PLR0913
    *,
    stream: str,
    consumer: str,
    typed_name: str,
    actor: str,
    now: datetime,
    skip_backup: bool = False,
) -> Backup | None:
    """
    Delete a consumer in NATS and thus its position; `typed_name` is the consumer's.

    Its row stays, as "missing". With it a stream of retention "interest" loses the messages that
    no other consumer waits for: of that one a backup is taken, and returned.

    Raises:
        As `purge`; the consumer's policy counts, and the stream's.
    """
    guarding.confirm(consumer, typed_name)
    row = guarding.consumer_for(stream, consumer, guarding.TO_DESTROY)
    before = link().api(f"CONSUMER.INFO.{stream}.{consumer}")
    backup = None if skip_backup else back_up_for(stream, consumer, "delete", actor, now)
    link().api(f"CONSUMER.DELETE.{stream}.{consumer}")
    row.applied = row.applied or before["config"]
    _gone(row, now)
    row.save(update_fields=["applied", "live", "standing", "drift", "seen_at"])
    told = {
        key: before[key]
        for key in ("config", "delivered", "ack_floor", "num_pending", "num_ack_pending")
    }
    audit.note(
        actor=actor, action="delete", kind="consumer", name=f"{stream}/{consumer}", before=told,
        detail=f"backup {backup.file}" if backup else "",
    )  # fmt: skip
    return backup


def back_up_for(
    stream: str, consumer: str, reason: str, actor: str, now: datetime
) -> Backup | None:
    """
    Back a stream up whose messages go with the last consumer that waits for them; None: not so.

    Raises:
        BadBackup, BrokerAway, ApiRefused: See `backups.backup`.
    """
    info = link().api(f"STREAM.INFO.{stream}")
    if info["config"].get("retention") != "interest" or not info["state"]["messages"]:
        return None
    return backups.backup(stream=stream, actor=actor, reason=f"{reason} {consumer}", now=now)


def delete_stream(
    *, stream: str, typed_name: str, actor: str, now: datetime, skip_backup: bool = False
) -> Purged:
    """
    Delete a stream in NATS with its messages and consumers. Its row stays, as "missing".

    Raises:
        As `purge`.
    """
    guarding.confirm(stream, typed_name)
    row = guarding.stream_for(stream, guarding.TO_DESTROY)
    before = link().api(f"STREAM.INFO.{stream}")
    backup = _back_up(before, actor, "delete", now, skip_backup=skip_backup)
    link().api(f"STREAM.DELETE.{stream}")
    # One that was applied once is not made anew by itself.
    row.applied = row.applied or before["config"]
    _gone(row, now)
    row.messages = row.bytes = row.consumer_count = 0
    row.save(
        update_fields=[
            "applied", "live", "standing", "drift", "seen_at", "messages", "bytes",
            "consumer_count",
        ]
    )  # fmt: skip
    for consumer in StreamConsumer.objects.filter(stream=row):
        _gone(consumer, now)
        consumer.save(update_fields=["live", "standing", "drift", "seen_at"])
    audit.note(
        actor=actor,
        action="delete",
        kind="stream",
        name=stream,
        before={**_counts(before), "config": before["config"]},
        detail=_told({}, backup),
    )
    return Purged(before["state"]["messages"], before["state"]["messages"], 0, backup)


def _check(subject: str | None, keep: int | None, up_to_seq: int | None) -> None:
    if subject is not None:
        grammar.check_pattern(subject)
    if keep is not None and up_to_seq is not None:
        raise BadDefinition("keep", _("give it or up_to_seq, not both"))
    # JetStream takes a zero for "not given", and would remove everything.
    if keep is not None and not 1 <= keep <= MOST_SEQ:
        raise BadDefinition("keep", _("must be 1 or more"))
    if up_to_seq is not None and not 1 <= up_to_seq < MOST_SEQ:
        raise BadDefinition("up_to_seq", _("must be 1 or more"))


def _refuse_denied(info: JsonObject, field: str) -> None:
    config = info["config"]
    for each in ("sealed", field):
        if config.get(each):
            raise Guarded(
                _("%(name)s is %(field)s: NATS lets nobody do this")
                % {"name": config["name"], "field": each}
            )


def _back_up(
    info: JsonObject, actor: str, reason: str, now: datetime, *, skip_backup: bool
) -> Backup | None:
    state = info["state"]
    if skip_backup or not (state["messages"] or state["consumer_count"]):
        return None
    name = info["config"]["name"]
    return backups.backup(stream=name, actor=actor, reason=reason, now=now)


def _held(stream: str, subject: str) -> int:
    """Return how many messages the stream holds of these subjects: 100,000 subjects a call."""
    held = offset = 0
    while True:
        told = link().api(f"STREAM.INFO.{stream}", {"subjects_filter": subject, "offset": offset})
        found = told["state"].get("subjects") or {}
        held += sum(int(count) for count in found.values())
        offset += len(found)
        if not found or offset >= int(told.get("total", 0)):
            return held


def _up_to(info: JsonObject, subject: str | None, seq: int) -> int | None:
    state, config = info["state"], info["config"]
    if not config.get("allow_direct"):
        if subject or state.get("num_deleted"):
            return None
        return max(0, min(seq, int(state["last_seq"])) - int(state["first_seq"]) + 1)
    name = config["name"]

    async def look(client: Client) -> int:
        return await watching.count_from(client, name, seq + 1, subject or ">")

    after = link().run(look)
    held = _held(name, subject) if subject else int(state["messages"])
    return max(0, held - after)


def _recount(row: Stream, info: JsonObject, now: datetime) -> None:
    state = info["state"]
    row.messages, row.bytes = state["messages"], state["bytes"]
    row.first_seq, row.last_seq = state["first_seq"], state["last_seq"]
    row.seen_at = now
    row.save(update_fields=["messages", "bytes", "first_seq", "last_seq", "seen_at"])


def _gone(row: Stream | StreamConsumer, now: datetime) -> None:
    row.live, row.standing, row.drift, row.seen_at = None, Standing.MISSING, [], now


def _counts(info: JsonObject) -> JsonObject:
    keys = ("messages", "bytes", "first_seq", "last_seq", "consumer_count")
    return {key: info["state"][key] for key in keys}


def _told(asked: JsonObject, backup: Backup | None) -> str:
    told = [f"{key}={value}" for key, value in asked.items()]
    told.append(f"backup {backup.file}" if backup else _("no backup"))
    return ", ".join(told)

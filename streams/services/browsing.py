"""
Looks at the messages of a stream without touching it.

No consumer is ever made: a work queue keeps its messages, and nobody's position moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client

from streams.broker import watching
from streams.core import subjects as grammar
from streams.core.errors import ApiRefused, BadDefinition
from streams.core.names import check_name
from streams.core.shown import shown
from streams.core.templates import Place
from streams.services import templates
from streams.services.linked import link

JsonObject = dict[str, Any]

MOST = 500
# Beyond this JetStream refuses to look up the last of each.
MOST_SUBJECTS = 1024
TOO_MANY = 413
ALL = ">"
PAGE_S = 20.0
LARGEST_SEQ = 2**63 - 1


@dataclass(frozen=True)
class Row:
    """
    One stored message.

    Attributes:
        size: Bytes of the payload.
        kind: protobuf, json, text, hex or empty: how `shown` came about.
        shown: For protobuf and json what was decoded, else text; cut when `truncated`.
    """

    seq: int
    subject: str
    at: datetime
    size: int
    headers: dict[str, list[str]]
    kind: str
    shown: Any
    truncated: bool = False


@dataclass(frozen=True)
class Page:
    """
    Some messages of one stream, in the order that was asked for.

    Attributes:
        first_seq: Of the stream as it was then; `last_seq` and `messages` likewise.
        next_seq: Where to go on in the same direction; None when there is nothing beyond.
        complete: False when looking was given up because so much had to be stepped over: fewer
            rows than asked for, and more may come from `next_seq`.
    """

    stream: str
    rows: tuple[Row, ...]
    first_seq: int
    last_seq: int
    messages: int
    next_seq: int | None
    complete: bool = True


def messages(  # noqa: PLR0913  each narrows it in its own way
    *,
    stream: str,
    start_seq: int | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    backwards: bool = False,
) -> Page:
    """
    Return one page of messages. Work per page is bounded.

    Args:
        start_seq: The first one to look at, itself included. Without it and `since`: the oldest,
            or with `backwards` the newest.
        subject: Only these; may hold wildcards.
        since: Forwards: from this time on. Backwards: from the last one before it.

    Raises:
        BadDefinition: `limit`, `start_seq` or both of `start_seq` and `since`; names the field.
        BadSubject: `subject` is no pattern.
        BrokerAway, ApiRefused: See `Link.api`; code 10059 where there is no such stream.
    """
    _check(stream, start_seq, since, limit)
    pattern = grammar.check_pattern(subject) if subject else ALL
    state = link().api(f"STREAM.INFO.{stream}")["state"]

    async def look(client: Client) -> watching.Found:
        start = start_seq
        if since is not None:
            start = await _sequence_at(client, stream, since, backwards=backwards)
        if backwards:
            newest = state["last_seq"]
            return await watching.backwards(
                client, stream, start=newest if start is None else min(start, newest),
                floor=max(state["first_seq"], 1), subject=pattern, limit=limit,
                span=_first_span(state, limit),
            )  # fmt: skip
        if start is None:
            start = state["first_seq"]
        return await watching.forwards(client, stream, start=start, subject=pattern, limit=limit)

    found = link().run(look, PAGE_S)
    return _page(stream, state, found.messages, found.next_seq, complete=found.complete)


def message(*, stream: str, seq: int) -> Row:
    """
    Return one message.

    Raises:
        ApiRefused: Code 10037: there is none of this number, or no longer.
        BrokerAway: See `Link.api`.
    """
    check_name(stream)
    _check_seq("seq", seq)

    async def look(client: Client) -> watching.Stored | None:
        return await watching.get(client, stream, {"seq": seq})

    found = link().run(look)
    if found is None:
        raise ApiRefused(watching.NO_MESSAGE, "no message found")
    return _rows([found])[0]


def latest(*, stream: str, subjects: Sequence[str], limit: int = 50) -> Page:
    """
    Return the last message of each subject that one of the patterns matches, oldest first.

    Raises:
        BadDefinition: The stream allows no direct gets, or too many subjects match.
        BadSubject, BrokerAway, ApiRefused: See `messages`.
    """
    _check(stream, None, None, limit)
    patterns = [grammar.check_pattern(subject) for subject in subjects] or [ALL]
    told = link().api(f"STREAM.INFO.{stream}")
    if not told["config"].get("allow_direct"):
        raise BadDefinition("stream", f"{stream} does not allow direct gets (allow_direct)")

    async def look(client: Client) -> tuple[list[watching.Stored], bool]:
        return await watching.latest(client, stream, subjects=patterns, limit=limit)

    try:
        found, complete = link().run(look, PAGE_S)
    except ApiRefused as e:
        if e.code != TOO_MANY:
            raise
        raise BadDefinition("subjects", f"more than {MOST_SUBJECTS} subjects match") from e
    return _page(stream, told["state"], found, None, complete=complete)


def subject_counts(*, stream: str, pattern: str = ALL, limit: int = 1000) -> list[tuple[str, int]]:
    """
    Return which subjects the stream holds, and how many messages of each; at most `limit`.

    Raises:
        BadSubject, BrokerAway, ApiRefused: See `messages`.
    """
    check_name(stream)
    told = link().api(f"STREAM.INFO.{stream}", {"subjects_filter": grammar.check_pattern(pattern)})
    return sorted((told["state"].get("subjects") or {}).items())[:limit]


def _check(stream: str, start_seq: int | None, since: datetime | None, limit: int) -> None:
    check_name(stream)
    if not 1 <= limit <= MOST:
        raise BadDefinition("limit", f"must be from 1 to {MOST}")
    if start_seq is not None and since is not None:
        raise BadDefinition("since", "give it or start_seq, not both")
    if start_seq is not None:
        _check_seq("start_seq", start_seq)
    if since is not None and since.tzinfo is None:
        raise BadDefinition("since", "a time needs its offset, for example Z")


def _check_seq(field: str, seq: int) -> None:
    if not 1 <= seq <= LARGEST_SEQ:
        raise BadDefinition(field, f"must be from 1 to {LARGEST_SEQ}")


async def _sequence_at(
    client: Client, stream: str, since: datetime, *, backwards: bool
) -> int | None:
    """Return where to start; None backwards: nothing is as new as that, so at the end."""
    # JetStream reads years of four digits and UTC.
    asked = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
    found = await watching.get(client, stream, {"start_time": asked, "next_by_subj": ALL})
    if backwards:
        return found.seq - 1 if found else None
    return found.seq if found else LARGEST_SEQ


def _first_span(state: JsonObject, limit: int) -> int:
    """Return how many sequences are looked at first: no more than fit into a page."""
    size = max(int(state["bytes"]) // max(int(state["messages"]), 1), 1)
    return max(1, min(limit + 1, watching.PAGE_BYTES // size))


def _page(
    stream: str,
    state: JsonObject,
    found: Iterable[watching.Stored],
    next_seq: int | None,
    *,
    complete: bool,
) -> Page:
    return Page(
        stream=stream,
        rows=tuple(_rows(found)),
        first_seq=state["first_seq"],
        last_seq=state["last_seq"],
        messages=state["messages"],
        next_seq=next_seq,
        complete=complete,
    )


def _rows(found: Iterable[watching.Stored]) -> list[Row]:
    active = templates.active_or_standard()
    return [_row(stored, active.parse(stored.subject)) for stored in found]


def _row(stored: watching.Stored, place: Place | None) -> Row:
    seen = shown(stored.payload, place.data_type if place else None)
    return Row(
        seq=stored.seq,
        subject=stored.subject,
        at=stored.at,
        size=len(stored.payload),
        headers=stored.headers,
        kind=seen.kind,
        shown=seen.value,
        truncated=seen.truncated,
    )

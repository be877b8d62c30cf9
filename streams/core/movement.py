"""What a change of a field means in NATS: whether it can be made, taken back, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from streams.core import subjects
from streams.core.field import Field
from streams.core.values import nanoseconds

Config: TypeAlias = Mapping[str, Any]
Way = Literal["change", "one_way", "refused"]


def way(field: Field | None, before: Any, after: Any) -> Way:
    """Return whether the server takes this change. Both sides as `values.amounts_to` has them."""
    if field is None:
        return "change"  # Of a field from the future we know nothing: the server decides.
    if field.name == "deliver_subject":
        # Another subject is fine; no subject would make it another sort of consumer.
        return "change" if before and after else "refused"
    if field.change == "mutable" or (before, after) in field.moves:
        return "change"
    if field.change == "one_way" and _set_for_good(field, before, after):
        return "one_way"
    return "refused"


def _set_for_good(field: Field, before: Any, after: Any) -> bool:
    # A mirror goes the other way: it may be removed and never set.
    return after is None if field.kind == "struct" else (before, after) == (False, True)


def losses(info: Mapping[str, Any], body: Config) -> dict[str, str]:
    """
    Return by field which stored or future messages a stream would lose by an update to `body`.

    Only what was stored when `info` was asked for is known; where it does not tell enough (how
    many messages each subject has) the answer is the worse one.

    Args:
        info: JetStream's STREAM.INFO.
    """
    live, state = info.get("config") or {}, info.get("state") or {}
    found: dict[str, str] = {}
    if state.get("messages"):
        found |= _limited(live, state, body)
        if reason := _too_old(info, live, body):
            found["max_age"] = reason
        if (live.get("retention"), body.get("retention")) == ("limits", "interest"):
            found["retention"] = "deletes the messages that no consumer waits for"
    return found | _not_stored(live, body)


def _limited(live: Config, state: Mapping[str, Any], body: Config) -> dict[str, str]:
    if body.get("discard", "old") != "old":
        return {}  # A full stream refuses new messages and keeps those that it has.
    discards_anew = live.get("discard", "old") != "old"
    found: dict[str, str] = {}
    messages, subject_count = state["messages"], state.get("num_subjects") or 1
    for field, stored in (
        ("max_msgs", messages),
        ("max_bytes", state.get("bytes") or 0),
        # As many as one subject can have when all the others have one.
        ("max_msgs_per_subject", messages - subject_count + 1),
    ):
        limit, was = body.get(field) or 0, live.get(field) or 0
        lowered = limit > 0 and (was <= 0 or limit < was or discards_anew)
        if lowered and stored > limit:
            found[field] = _deletes(field, stored, limit)
    return found


def _deletes(field: str, stored: int, limit: int) -> str:
    if field == "max_bytes":
        return f"deletes the oldest messages: {limit} of {stored} bytes are kept"
    if field == "max_msgs":
        return f"deletes the oldest messages: {limit} of {stored} are kept"
    return f"may delete the oldest messages of a subject: {limit} of each are kept"


def _too_old(info: Mapping[str, Any], live: Config, body: Config) -> str:
    age_ns, was_ns = body.get("max_age") or 0, live.get("max_age") or 0
    if not age_ns or (was_ns and age_ns >= was_ns):
        return ""
    try:
        now_ns = nanoseconds(info["ts"])
        oldest_ns = now_ns - nanoseconds(info["state"]["first_ts"])
    except (KeyError, TypeError, ValueError):
        oldest_ns = age_ns + 1  # An older server does not tell the time.
    return "deletes the messages that are older" if oldest_ns > age_ns else ""


def _not_stored(live: Config, body: Config) -> dict[str, str]:
    found: dict[str, str] = {}
    kept = body.get("subjects") or ()
    gone = [
        one
        for one in live.get("subjects") or ()
        if not any(subjects.covers(wide, one) for wide in kept)
    ]
    if gone:
        found["subjects"] = f"messages of {', '.join(gone)} are no longer stored"
    sources = [one.get("name") for one in body.get("sources") or ()]
    left = [one.get("name") for one in live.get("sources") or () if one.get("name") not in sources]
    if left:
        found["sources"] = f"messages of {', '.join(left)} are no longer copied"
    return found


def consumer_losses(stream: Config, live: Config, body: Config) -> dict[str, str]:
    """Return by field what the stream of a consumer would lose by its update."""
    if stream.get("retention") != "interest":
        return {}
    before, after = _filters(live), _filters(body)
    gone = [one for one in before if not any(subjects.covers(wide, one) for wide in after)]
    if not gone:
        return {}
    field = "filter_subjects" if body.get("filter_subjects") else "filter_subject"
    return {field: f"messages of {', '.join(gone)} that no consumer waits for are deleted"}


def _filters(config: Config) -> list[str]:
    one = config.get("filter_subject")
    return list(config.get("filter_subjects") or ()) or [one or ">"]

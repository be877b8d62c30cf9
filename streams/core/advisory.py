"""
What JetStream tells of itself, as one line and as bounded data.

The audit of its API is told for changes only: who looked is noise, and most of it is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

JsonObject = dict[str, Any]

# The stream of ours that captures them. Nobody declares it, and nobody's messages are in it.
STREAM = "TICKPLANE_ADVISORIES"
# MSG_NAKED is not among them: there is one for each message that a consumer hands back.
SUBJECTS = (
    "$JS.EVENT.ADVISORY.STREAM.>",
    *(
        f"$JS.EVENT.ADVISORY.CONSUMER.{each}.>"
        for each in (
            "CREATED", "DELETED", "PAUSE", "PINNED", "UNPINNED", "LEADER_ELECTED", "QUORUM_LOST",
            "MAX_DELIVERIES", "MSG_TERMINATED",
        )
    ),
    "$JS.EVENT.ADVISORY.DOMAIN.>",
    "$JS.EVENT.ADVISORY.SERVER.>",
    "$JS.EVENT.ADVISORY.API",
    "$JS.EVENT.ADVISORY.API.>",
)  # fmt: skip

AUDIT = "api_audit"
# How the calls begin that change something, without "$JS.API.".
CHANGES = (
    "STREAM.CREATE.", "STREAM.UPDATE.", "STREAM.DELETE.", "STREAM.PURGE.", "STREAM.RESTORE.",
    "STREAM.MSG.DELETE.", "STREAM.LEADER.STEPDOWN.", "STREAM.PEER.REMOVE.",
    "CONSUMER.CREATE.", "CONSUMER.DURABLE.CREATE.", "CONSUMER.DELETE.", "CONSUMER.PAUSE.",
    "CONSUMER.RESET.", "CONSUMER.UNPIN.", "CONSUMER.LEADER.STEPDOWN.",
    "META.LEADER.STEPDOWN", "SERVER.REMOVE", "ACCOUNT.",
)  # fmt: skip
# Of a client. Its other fields are of no use here, or tell how it signed in.
OF_CLIENT = ("user", "name", "host", "acc", "lang", "ver", "kind")

LONGEST_ID, LONGEST_KIND, LONGEST_NAME, LONGEST_TEXT = 64, 64, 255, 300
LONGEST_DATA = 8192
DEEPEST = 16
# Other years are a stranger's, and at their ends a moment cannot be told in another zone.
YEARS = range(2000, 9000)
# PostgreSQL keeps no such character, and no server of NATS writes it.
NUL = b"\\u0000"


class Advisory(msgspec.Struct, frozen=True):
    """One event, fit for its row."""

    id: str
    at: datetime
    kind: str
    stream: str
    consumer: str
    text: str
    data: JsonObject


def parse(payload: bytes) -> Advisory | None:
    """Return what an advisory says; None for what is none, and for who only looked."""
    if NUL in payload:
        return None
    try:
        told = msgspec.json.decode(payload, type=JsonObject)
        at = datetime.fromisoformat(told["timestamp"])
        kind = str(told["type"]).rpartition(".")[2]
        found = _audit(told) if kind == AUDIT else _event(kind, told)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, *_SHAPELESS):
        return None
    if found is None or at.tzinfo is None or at.year not in YEARS or not told.get("id"):
        return None
    stream, consumer, text, data = found
    return Advisory(
        id=str(told["id"])[:LONGEST_ID],
        at=at,
        kind=kind[:LONGEST_KIND],
        stream=stream[:LONGEST_NAME],
        consumer=consumer[:LONGEST_NAME],
        text=text[:LONGEST_TEXT],
        data=_bounded(data),
    )


# A stranger can publish here too, whatever he likes.
_SHAPELESS = (KeyError, TypeError, ValueError, AttributeError)

_Found = tuple[str, str, str, JsonObject]


def _event(kind: str, told: JsonObject) -> _Found:
    say = _LINES.get(kind)
    data = {key: value for key, value in told.items() if key not in ("type", "id", "timestamp")}
    if "client" in data:
        data["client"] = _client(data["client"])
    text = say(told) if say else ""
    return str(told.get("stream", "")), str(told.get("consumer", "")), text, data


def _audit(told: JsonObject) -> _Found | None:
    verb = _verb(told["subject"])
    if not verb.startswith(CHANGES):
        return None
    client = _client(told.get("client"))
    error = _error(told.get("response"))
    who = " ".join(str(client[key]) for key in ("user", "name", "host") if client.get(key))
    text = f"{verb} by {who or 'somebody'}" + (f": refused: {error}" if error else "")
    stream, consumer = _names(verb)
    data = {"call": verb, "client": client, "request": str(told.get("request", ""))[:2000]}
    return stream, consumer, text, {**data, "error": error} if error else data


def _verb(subject: str) -> str:
    # $JS.API.… and, in a domain, $JS.{domain}.API.…
    return subject.partition(".API.")[2]


def _names(verb: str) -> tuple[str, str]:
    """Return the stream and the consumer that a call is about, as far as its subject says."""
    start = next(start for start in CHANGES if verb.startswith(start))
    parts = verb[len(start) :].split(".") if start.startswith(("STREAM.", "CONSUMER.")) else []
    stream, consumer, *_ = (*parts, "", "")
    return stream, consumer if start.startswith("CONSUMER.") else ""


def _client(told: Any) -> JsonObject:
    return {key: told[key] for key in OF_CLIENT if told.get(key)} if told else {}


def _error(response: Any) -> str:
    try:
        answer = msgspec.json.decode(response or "{}", type=JsonObject)
        return str((answer.get("error") or {}).get("description", ""))
    except (msgspec.MsgspecError, *_SHAPELESS):
        return ""  # Its end is missing where it was long; refusals are short.


def _peers(told: Mapping[str, Any]) -> str:
    return ", ".join(str(peer.get("name")) for peer in told.get("replicas") or ())


def _leader(told: JsonObject) -> str:
    return f"leader {told.get('leader') or 'none'} among {_peers(told) or 'itself'}"


def _quorum(told: JsonObject) -> str:
    return f"no quorum among {_peers(told)}"


def _action(told: JsonObject) -> str:
    return str(told.get("action", ""))


def _given_up(told: JsonObject) -> str:
    return f"message {told.get('stream_seq')} given up after {told.get('deliveries')} deliveries"


def _terminated(told: JsonObject) -> str:
    return f"message {told.get('stream_seq')} terminated: {told.get('reason') or 'no reason given'}"


def _took(told: JsonObject) -> str:
    ended, began = (datetime.fromisoformat(told[key]) for key in ("end", "start"))
    error = told.get("error")
    return f"{(ended - began).total_seconds():.3f} s" + (f": {error}" if error else "")


def _paused(told: JsonObject) -> str:
    return f"paused until {told.get('pause_until')}" if told.get("paused") else "resumed"


def _group(told: JsonObject) -> str:
    return f"group {told.get('group')} {told.get('pinned_id') or told.get('reason') or ''}".strip()


def _reason(told: JsonObject) -> str:
    return str(told.get("reason", ""))


def _server(told: JsonObject) -> str:
    return f"server {told.get('server')}"


_LINES: Mapping[str, Callable[[JsonObject], str]] = {
    "stream_action": _action,
    "consumer_action": _action,
    "consumer_pause": _paused,
    "max_deliver": _given_up,
    "terminated": _terminated,
    "snapshot_complete": _took,
    "restore_complete": _took,
    "domain_leader_elected": _leader,
    "stream_leader_elected": _leader,
    "consumer_leader_elected": _leader,
    "stream_quorum_lost": _quorum,
    "consumer_quorum_lost": _quorum,
    "stream_batch_abandoned": _reason,
    "consumer_group_pinned": _group,
    "consumer_group_unpinned": _group,
    "server_out_of_space": _server,
    "server_removed": _server,
    "meta_rescue": _server,
    "api_limit_reached": _server,
}


def _bounded(data: JsonObject) -> JsonObject:
    if len(msgspec.json.encode(data)) <= LONGEST_DATA and _is_shallow(data, DEEPEST):
        return data
    return dict(_short(data.items()))


def _is_shallow(value: Any, deeper: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return deeper > 0 and all(_is_shallow(part, deeper - 1) for part in parts)


def _short(items: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    # What is no list, object or long text; of those at most a handful.
    for key, value in list(items)[:50]:
        if isinstance(value, str):
            yield key[:64], value[:100]
        elif value is None or isinstance(value, bool | int | float):
            yield key[:64], value

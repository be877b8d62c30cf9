"""
What cannot stand together in one stream. nats-server would refuse each of these, most of them
without naming the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from streams.core import subjects
from streams.core.errors import BadSubject

Config: TypeAlias = Mapping[str, Any]
Reasons: TypeAlias = Iterator[tuple[str, str]]

# The server's own subjects; a stream of them that answered would answer itself.
OWN = ("$JS.>", "$JSC.>", "$NRG.>", "$SYS.>")
OWN_BUT_FREE = ("$JS.EVENT.>", "$SYS.ACCOUNT.>")
NOT_IN_NAMES = frozenset(".*>/\\ \t\r\n\f")


def broken(config: Config) -> Reasons:
    """Yield (field, reason) for values that are right by themselves."""
    for rule in (_name, _window, _purging, _counter, _full, _schedules, _async, _own, _republish):
        yield from rule(config)
    yield from _sealed(config)
    yield from _mirror(config)
    for index, source in enumerate(config.get("sources") or ()):
        for reason in _source(source):
            yield "sources", f"{index + 1}: {reason}"


def bad_name(name: str) -> str:
    """Return why a stream or consumer cannot be called so; empty when it can."""
    if not name:
        return "cannot be empty"
    if NOT_IN_NAMES.intersection(name) or not name.isprintable():
        return "cannot hold . * > / \\ or white space"
    return ""


def _name(config: Config) -> Reasons:
    if "name" in config and (reason := bad_name(config["name"])):
        yield "name", reason


def _window(config: Config) -> Reasons:
    age_ns, window_ns = config.get("max_age") or 0, config.get("duplicate_window") or 0
    if age_ns and window_ns > age_ns:
        yield "duplicate_window", "cannot be longer than max_age"


def _purging(config: Config) -> Reasons:
    if not config.get("deny_purge"):
        return
    for field in ("allow_rollup_hdrs", "subject_delete_marker_ttl", "allow_msg_schedules"):
        if config.get(field):
            yield field, "needs what deny_purge forbids"


def _counter(config: Config) -> Reasons:
    if not config.get("allow_msg_counter"):
        return
    if config.get("discard") == "new":
        yield "discard", "a stream of counters discards old messages"
    if config.get("retention", "limits") != "limits":
        yield "retention", "a stream of counters keeps messages until a limit"
    for field in ("allow_msg_ttl", "allow_msg_schedules"):
        if config.get(field):
            yield field, "not in a stream of counters"


def _full(config: Config) -> Reasons:
    if not config.get("discard_new_per_subject"):
        return
    if config.get("discard") != "new":
        yield "discard_new_per_subject", "needs discard: new"
    elif (config.get("max_msgs_per_subject") or 0) <= 0:
        yield "discard_new_per_subject", "needs max_msgs_per_subject"


def _schedules(config: Config) -> Reasons:
    # Where the server would silently switch on what was declared to be off, it is refused.
    if config.get("subject_delete_marker_ttl"):
        for field in ("allow_msg_ttl", "allow_rollup_hdrs"):
            if config.get(field) is False:
                yield field, "is switched on by subject_delete_marker_ttl"
    if not config.get("allow_msg_schedules"):
        return
    if config.get("allow_rollup_hdrs") is False:
        yield "allow_rollup_hdrs", "is switched on by allow_msg_schedules"
    if config.get("discard") == "new":
        yield "discard", "a stream with schedules discards old messages"
    if config.get("sources"):
        yield "allow_msg_schedules", "not in a stream with sources"


def _async(config: Config) -> Reasons:
    if config.get("persist_mode") != "async":
        return
    if config.get("storage") == "memory":
        yield "persist_mode", "async is for storage: file"
    if (config.get("num_replicas") or 1) > 1:
        yield "persist_mode", "async is for one replica"
    if config.get("allow_atomic"):
        yield "allow_atomic", "not with persist_mode: async"


def _own(config: Config) -> Reasons:
    if config.get("no_ack"):
        return
    for subject in config.get("subjects") or ():
        if subject == ">":
            yield "subjects", "a stream of > needs no_ack"
        elif any(subjects.overlap(subject, own) for own in OWN) and not any(
            subjects.covers(free, subject) for free in OWN_BUT_FREE
        ):
            yield "subjects", f"{subject!r} overlaps with the server's own subjects: needs no_ack"


def _republish(config: Config) -> Reasons:
    dest = (config.get("republish") or {}).get("dest") or ""
    try:
        subjects.check_pattern(dest)
    except BadSubject:
        return  # With a {{transform}} in it, which the server checks.
    if any(subjects.overlap(dest, subject) for subject in config.get("subjects") or ()):
        yield "republish", "dest: would come back into this stream"


def _sealed(config: Config) -> Reasons:
    if not config.get("sealed"):
        return
    # What the server makes of a sealed stream; declared otherwise it would differ for ever.
    for field, made in (
        ("max_age", 0),
        ("discard", "new"),
        ("deny_delete", True),
        ("deny_purge", True),
        ("allow_rollup_hdrs", False),
    ):
        if field in config and config[field] != made:
            yield field, f"a sealed stream has {made}"


def _mirror(config: Config) -> Reasons:
    mirror = config.get("mirror")
    if not mirror:
        if config.get("mirror_direct"):
            yield "mirror_direct", "in a mirror only"
        return
    for field in (
        "subjects",
        "sources",
        "first_seq",
        "allow_msg_counter",
        "allow_atomic",
        "allow_batched",
        "allow_msg_schedules",
        "subject_delete_marker_ttl",
    ):
        if config.get(field):
            yield field, "not in a mirror"
    for reason in _source(mirror):
        yield "mirror", reason


def _source(source: Config) -> Iterator[str]:
    if "name" in source and (reason := bad_name(source["name"])):
        yield f"name: {reason}"
    if source.get("filter_subject") and source.get("subject_transforms"):
        yield "either filter_subject or subject_transforms"
    if not source.get("consumer"):
        return
    for field in ("opt_start_seq", "opt_start_time", "filter_subject"):
        if source.get(field):
            yield f"{field}: not with a consumer of one's own"

"""What cannot stand together in one durable consumer, and in one of this stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from streams.core.stream_rules import bad_name

Config: TypeAlias = Mapping[str, Any]
Reasons: TypeAlias = Iterator[tuple[str, str]]

SECOND_NS = 1_000_000_000
_GROUP = re.compile(r"[a-zA-Z0-9/_=-]{1,16}")
_PERCENT = re.compile(r"\d{1,3}%?", re.ASCII)
_START = {"by_start_sequence": "opt_start_seq", "by_start_time": "opt_start_time"}
_STOCK = {"pull": ("max_waiting",), "push": ("rate_limit_bps", "idle_heartbeat", "flow_control")}


def broken(config: Config) -> Reasons:
    """Yield (field, reason) for values that are right by themselves."""
    for rule in (_names, _filters, _start, _sides, _acks, _flow, _backoff, _priority):
        yield from rule(config)


def broken_within(config: Config, stream: Config) -> Reasons:
    """Yield (field, reason) for what this stream's configuration does not allow."""
    replicas, most = config.get("num_replicas") or 0, stream.get("num_replicas") or 1
    if replicas > most:
        yield "num_replicas", f"its stream has {most}"
    elif replicas and replicas != most and stream.get("retention", "limits") != "limits":
        yield "num_replicas", f"must be its stream's ({most}), whose retention asks for that"
    if stream.get("retention") == "workqueue" and config.get("ack_policy") != "explicit":
        yield "ack_policy", "a consumer of a work queue acknowledges each message: explicit"
    limits = stream.get("consumer_limits") or {}
    for field in ("max_ack_pending", "inactive_threshold"):
        limit = limits.get(field) or 0
        if 0 < limit < (config.get(field) or 0):
            yield field, f"the consumer_limits of its stream allow {limit}"


def _names(config: Config) -> Reasons:
    for field in ("durable_name", "name"):
        if config.get(field) and (reason := bad_name(config[field])):
            yield field, reason
    durable, name = config.get("durable_name"), config.get("name")
    if durable and name and durable != name:
        yield "name", "must be the durable_name"
    if config.get("direct"):
        yield "direct", "never of a durable consumer"


def _filters(config: Config) -> Reasons:
    if config.get("filter_subject") and config.get("filter_subjects"):
        yield "filter_subjects", "either these or filter_subject"


def _start(config: Config) -> Reasons:
    policy = config.get("deliver_policy", "all")
    for needs, field in _START.items():
        if policy == needs and not config.get(field):
            yield field, f"is needed by deliver_policy: {policy}"
        elif policy != needs and config.get(field):
            yield field, f"needs deliver_policy: {needs}"
    filtered = config.get("filter_subject") or config.get("filter_subjects")
    if policy == "last_per_subject" and not filtered:
        yield "filter_subject", "is needed by deliver_policy: last_per_subject"


def _sides(config: Config) -> Reasons:
    pushes = bool(config.get("deliver_subject"))
    for field in _STOCK["pull" if pushes else "push"]:
        if config.get(field):
            yield field, "pull only" if pushes else "needs deliver_subject"
    if config.get("deliver_group") and not pushes:
        yield "deliver_group", "needs deliver_subject"


def _acks(config: Config) -> Reasons:
    pending, acks = config.get("max_ack_pending") or 0, config.get("ack_policy", "none")
    if config.get("deliver_subject") and acks == "none" and pending > 0:
        yield "max_ack_pending", "needs an ack_policy"
    if (frequency := config.get("sample_freq")) and not _PERCENT.fullmatch(frequency):
        yield "sample_freq", "must be a number of percent, such as 50%"


def _flow(config: Config) -> Reasons:
    if config.get("flow_control") and not config.get("idle_heartbeat"):
        yield "idle_heartbeat", "is needed by flow_control"
    if config.get("ack_policy") != "flow_control":
        return
    if not config.get("deliver_subject"):
        yield "deliver_subject", "is needed by ack_policy: flow_control"
    if config.get("flow_control") is False:
        yield "flow_control", "is switched on by ack_policy: flow_control"
    if (config.get("idle_heartbeat") or SECOND_NS) != SECOND_NS:
        yield "idle_heartbeat", "is 1 s with ack_policy: flow_control"
    if (config.get("max_ack_pending") or 0) < 0:
        yield "max_ack_pending", "needs a limit with ack_policy: flow_control"
    for field in ("ack_wait", "backoff"):
        if config.get(field):
            yield field, "not with ack_policy: flow_control"
    if (config.get("max_deliver") or 0) > 0:
        yield "max_deliver", "not with ack_policy: flow_control"


def _backoff(config: Config) -> Reasons:
    backoff = config.get("backoff") or ()
    if not backoff:
        return
    if 0 < (config.get("max_deliver") or 0) < len(backoff):
        yield "max_deliver", "must be at least as many as backoff has"
    if (config.get("ack_wait") or backoff[0]) != backoff[0]:
        yield "ack_wait", "is the first of backoff"


def _priority(config: Config) -> Reasons:
    groups = config.get("priority_groups") or ()
    if config.get("priority_policy", "none") == "none":
        if groups:
            yield "priority_groups", "need a priority_policy"
        if config.get("priority_timeout"):
            yield "priority_timeout", "needs a priority_policy"
        return
    if config.get("deliver_subject"):
        yield "priority_policy", "pull only"
    if not groups:
        yield "priority_groups", "are needed by a priority_policy"
    if any(not _GROUP.fullmatch(group) for group in groups):
        yield "priority_groups", "have 1 to 16 letters, digits or / _ = -"

"""
What the broker does now: messages per second, the time of a round trip, what is stored of whom.

Everything is counted by nats-server; nothing is extrapolated. Each process remembers it for a
second, so that many askers cost the server no more than one. (Not in Django's cache: that may be
Redis, and a Redis that is away would be no reason to say nothing of NATS.)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from streams.broker import server
from streams.core import report
from streams.core.errors import BrokerAway, BrokerError
from streams.core.subjects import overlap
from streams.core.templates import Templates
from streams.services.linked import link
from streams.services.live import live_consumers

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]
T = TypeVar("T")

REMEMBERED_S = 1.0
# Two looks at the counters that are closer or further apart say nothing of now.
NEAR_S = 0.9
FAR_S = 60.0
# Who asks for the first time waits so long for a second look.
FIRST_S = 0.25
# A page of JetStream's counts by subject holds 100,000; more than this is not added up.
MOST_SUBJECTS = 300_000

# What was found, and until when it is taken for now. A handful of keys.
_memory: dict[str, tuple[float, Any]] = {}


def throughput() -> Mapping[str, float] | None:
    """
    Return messages and bytes per second of the last seconds, by two looks at the counters.

    None when the server does not answer.
    """
    try:
        after = _look()
        known: tuple[report.Look, Mapping[str, float]] | None = _recalled("look")
        before, rates = known or (None, None)
        if before is None or not _comparable(before, after):
            before, rates = after, None
            time.sleep(FIRST_S)
            after = _look()
            # A server that was started anew between the looks counts from 0 again.
            if after.server_id != before.server_id:
                return None
        elif rates is not None and (after.at - before.at).total_seconds() < NEAR_S:
            return rates
    except (BrokerAway, msgspec.ValidationError) as e:
        logger.warning("throughput not measured: %s", e)
        return None
    rates = report.rates(before, after)
    _keep("look", (after, rates), FAR_S)
    return rates


def account() -> tuple[JsonObject, float]:
    """
    Return what JetStream says of our account, and the milliseconds until it had answered.

    Raises:
        BrokerError: It does not answer.
    """
    began = time.perf_counter()
    found = link().api("INFO")
    return found, round((time.perf_counter() - began) * 1000, 3)


def consumers(streams: Sequence[Mapping[str, Any]]) -> list[JsonObject]:
    """
    Return JetStream's info of every consumer of these streams.

    Raises:
        BrokerError: It does not answer.
    """
    names = [s["config"]["name"] for s in streams if s["state"]["consumer_count"]]
    return _remembered("consumers", lambda: [c for name in names for c in live_consumers(name)])


def collection(
    streams: Sequence[Mapping[str, Any]], templates: Templates
) -> dict[str, dict[str, int]]:
    """
    Return how many messages are stored, by exchange and type of data.

    Raises:
        BrokerError: JetStream does not answer.
    """
    return _remembered(
        "collection", lambda: report.collected(_counts(streams, templates), templates)
    )


def _look() -> report.Look:
    return report.look(server.monitor(settings.NATS_MONITOR_URL, "/varz"))


def _comparable(before: report.Look, after: report.Look) -> bool:
    apart_s = (after.at - before.at).total_seconds()
    return before.server_id == after.server_id and 0 < apart_s < FAR_S


def _remembered(name: str, ask: Callable[[], T]) -> T:
    # A tuple around it: what was found may be empty.
    known: tuple[T] | None = _recalled(name)
    if known is None:
        known = (ask(),)
        _keep(name, known, REMEMBERED_S)
    return known[0]


def _recalled(name: str) -> Any:
    ends_s, found = _memory.get(_key(name), (0.0, None))
    return found if time.monotonic() < ends_s else None


def _keep(name: str, found: Any, for_s: float) -> None:
    _memory[_key(name)] = (time.monotonic() + for_s, found)


def _key(name: str) -> str:
    return f"{name} {settings.NATS_URL} {settings.NATS_MONITOR_URL} {settings.SUBJECT_SCHEME}"


def _counts(
    streams: Sequence[Mapping[str, Any]], templates: Templates
) -> Iterator[tuple[str, int]]:
    patterns = tuple(templates.patterns.values())
    room = MOST_SUBJECTS
    for stream in streams:
        config, state = stream["config"], stream["state"]
        # What only mirrors or collects from others has no subjects: it was counted there.
        subjects = config.get("subjects") or ()
        if not any(overlap(own, pattern) for own in subjects for pattern in patterns):
            continue
        room -= state.get("num_subjects", 0)
        if room < 0:
            logger.warning("%s has too many subjects to be added up by exchange", config["name"])
            continue
        yield from _counts_of(config["name"], templates)


def _counts_of(stream: str, templates: Templates) -> Iterator[tuple[str, int]]:
    roots = templates.roots
    wanted = f"{next(iter(roots))}.>" if len(roots) == 1 else ">"
    found = 0
    while found < MOST_SUBJECTS:
        body = {"subjects_filter": wanted, "offset": found}
        try:
            page = link().api(f"STREAM.INFO.{stream}", body)
        except BrokerError as e:
            if isinstance(e, BrokerAway):
                raise
            logger.warning("%s not added up: %s", stream, e)  # It was deleted since.
            return
        counts = page["state"].get("subjects") or {}
        yield from counts.items()
        found += len(counts)
        if not counts or found >= page.get("total", 0):
            return

"""What the sources of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

from pipeline import receive
from pipeline.core.ratelimit import Bucket, minutely
from pipeline.core.spec import SourceSpec
from pipeline.core.venues.venue import Limits, Venue
from pipeline.flow import Publisher, Stages
from pipeline.supervise.desk import Desk, Get
from pipeline.supervise.gather import RESTS_S, Gather
from pipeline.supervise.slot import Patience
from pipeline.supervise.table import Table
from pipeline.supervise.turnstile import Turnstile

_MINUTE_S = 60.0

Open: TypeAlias = Callable[[SourceSpec, Publisher, Callable[[], int]], Stages]
Lingering: TypeAlias = Callable[[float], Publisher]


class Voice(Protocol):
    """Who tells others on NATS; see `streams.broker.voice`."""

    def alert(self, level: str, type: str, text: str, **details: Any) -> None: ...  # noqa: A002

    def event(self, name: str, **details: Any) -> None: ...


class Means:
    """
    Attributes:
        ssl: One for all: a context per source costs a megabyte each.
        clock_ns, dice: The time of day, and a random number from 0 to 1.
        patience: How long links are given.
        stages: What the frames of a new source go through.
        gather: Notes the frames of sources that linger; None where the loop must not rest.
    """

    def __init__(  # noqa: PLR0913
        self,
        publisher: Publisher,
        *,
        tasks: asyncio.TaskGroup,
        get: Get,
        voice: Voice,
        clock_ns: Callable[[], int],
        dice: Callable[[], float],
        ssl: SSLContext | None,
        kinds: Mapping[str, receive.Hold],
        patience: Patience,
        stages: Open,
        lingering: Lingering | None,
        gather: Gather | None,
    ) -> None:
        """
        Args:
            lingering: Returns the publisher of records that may wait so many seconds.
        """
        self.publisher = publisher
        self.voice = voice
        self.clock_ns = clock_ns
        self.dice = dice
        self.ssl = ssl
        self.kinds = kinds
        self.patience = patience
        self.stages = stages
        self.gather = gather
        self._lingering = lingering
        self._tasks = tasks
        self._get = get
        self._desks: dict[tuple[str, Limits], Desk] = {}
        self._paces: dict[tuple[str, Limits], Turnstile] = {}
        self._gates: dict[tuple[str, Limits], Turnstile] = {}
        self._tables: dict[tuple[str, str], Table] = {}

    def publisher_of(self, spec: SourceSpec) -> Publisher:
        linger_s = spec.linger_ms / 1000 - RESTS_S[spec.linger_ms]
        if linger_s <= 0 or self._lingering is None:
            return self.publisher
        # The rest of its patience is over before a frame is read.
        return self._lingering(linger_s)

    def desk(self, rest_endpoint: str, limits: Limits) -> Desk:
        """
        Return the desk of an address.

        Limits are counted by host, whoever asks, and by venue: one host may stand before several.
        """
        key = rest_endpoint, limits
        if key not in self._desks:
            pace = self._paces.setdefault(
                (urlsplit(rest_endpoint).netloc, limits),
                Turnstile(minutely(limits.weight_per_minute)),
            )
            self._desks[key] = Desk(
                rest_endpoint, pace, get=self._get, tasks=self._tasks, dice=self.dice
            )
        return self._desks[key]

    def gate(self, endpoint: str, limits: Limits) -> Turnstile:
        """Return what stands before new links to a host."""
        key = urlsplit(endpoint).netloc, limits
        if key not in self._gates:
            at_once, per_minute = limits.connects_at_once, float(limits.connects_per_minute)
            if not at_once:
                # Half at once: a worker begins with many. The other half as the minute goes by.
                at_once = max(limits.connects_per_minute // 2, 1)
                per_minute /= 2
            self._gates[key] = Turnstile(Bucket(at_once, per_minute / _MINUTE_S))
        return self._gates[key]

    def table(self, spec: SourceSpec, venue: Venue) -> Table:
        key = spec.rest_endpoint, venue.name
        if key not in self._tables:
            desk = self.desk(spec.rest_endpoint, venue.limits)
            self._tables[key] = Table(venue.name, venue, desk)
        return self._tables[key]

    def close(self) -> None:
        """Drop what is under way for nobody's sake."""
        for desk in self._desks.values():
            desk.close()

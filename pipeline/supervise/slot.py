"""
One place for a link: opened, lost, tried again, and renewed before the venue closes it.

A renewal is make-before-break: the new link must have subscribed and spoken before the old one is
closed; what it says until then is held back, see `line`. What both say is told once, by the
normaliser.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from pipeline.core import backoff, renewal
from pipeline.core.errors import ReceiveError
from pipeline.core.spec import SourceSpec
from pipeline.core.status import State
from pipeline.core.venues.venue import Channel, Limits
from pipeline.supervise.link import Link

logger = logging.getLogger(__name__)

# Frames that were held back are handed on in slices: other sources want to go on.
SLICE = 200


class Patience(msgspec.Struct, frozen=True):
    """
    Attributes:
        healthy_s: Only a link that held for so long ends the growth of the pauses: a source that
            accepts us, says one word and hangs up is not healthy.
        overlap_s: For so long both links must have been ready when one replaces the other.
        quiet_s: A market may be quiet: then a new link replaces the old one without having spoken.
        ready_s: A new link that is not ready by then is given up; the old one still works.
    """

    healthy_s: float = 60.0
    overlap_s: float = 1.0
    quiet_s: float = 10.0
    ready_s: float = 60.0


class Owner(Protocol):
    """
    What a slot needs of its source.

    Attributes:
        proven: Whether data have come with these settings: then a refusal is a passing one.
    """

    proven: bool

    def open(self, slot: Slot, *, holds: bool) -> Link: ...

    def lost(self, slot: Slot, link: Link, error: ReceiveError) -> None: ...

    def retire(self, link: Link) -> None: ...


class Slot:
    """
    Attributes:
        url: Where its links lead. named: What that address subscribes to by itself.
        channels: What its links subscribe to.
        degraded: More failures in a row than the operator allows, and not healthy since.
    """

    def __init__(  # noqa: PLR0913
        self,
        owner: Owner,
        spec: SourceSpec,
        limits: Limits,
        url: str,
        named: Sequence[Channel],
        *,
        clock_ns: Callable[[], int],
        dice: Callable[[], float],
        patience: Patience,
    ) -> None:
        self.url = url
        self.named = named
        self.channels: Sequence[Channel] = ()
        self.degraded = False
        self._owner = owner
        self._spec = spec
        self._limits = limits
        self._clock_ns = clock_ns
        self._dice = dice
        self._patience = patience
        self._link: Link | None = None
        self._next: Link | None = None
        self._next_until_s = math.inf
        self._failures = 0
        self._failed_renewals = 0
        # The link that has been told to go, and how many have been in a row, each soon.
        self._told: Link | None = None
        self._farewells = 0
        self._try_s = 0.0
        self._renew_s = math.inf

    @property
    def links(self) -> list[Link]:
        """The one there is and the one that is to replace it, as far as there are any."""
        return [link for link in (self._link, self._next) if link is not None]

    @property
    def state(self) -> State:
        if self._link is not None and self._link.line.heard:
            return State.RUNNING
        if self.degraded:
            return State.DEGRADED
        return State.RECONNECTING if self._failures else State.CONNECTING

    def want(self, channels: Sequence[Channel]) -> None:
        self.channels = channels
        for link in self.links:
            link.line.want(channels)

    def renew(self, channels: Sequence[Channel]) -> None:
        """Take channels anew, on the link there is."""
        if self._link is not None:
            self._link.line.renew(channels)

    def step(self, now_s: float) -> float:
        """
        Do what is due; return when to come again at the latest.

        Raises:
            ReceiveError: Permanent: the source does not want us.
            Exception: A bug in a receiver or behind it.
        """
        for link in self.links:
            link.look(now_s)
        self._bury(now_s)
        handing_on = self._let_go(now_s)
        self._replace(now_s)
        if self._link is None and now_s >= self._try_s:
            self._begin(now_s)
        self._renew(now_s)
        self._calm(now_s)
        return now_s if handing_on else self._due_s(now_s)

    def end(self) -> None:
        for link in self.links:
            self._owner.retire(link)
        self._link = self._next = None

    def _begin(self, now_s: float) -> None:
        self._link = self._owner.open(self, holds=False)
        self._plan(now_s)

    def _plan(self, now_s: float) -> None:
        self._renew_s = now_s + renewal.due_in_s(
            link_life_s=self._spec.link_life_s,
            renew_at=self._spec.renew_at,
            venue_life_s=self._limits.link_life_s,
            now_ns=self._clock_ns(),
            luck=self._dice(),
        )

    def _bury(self, now_s: float) -> None:
        """Take note of links that have ended."""
        if self._next is not None and self._next.task.done():
            self._put_off(self._next.error(), now_s)
            self._next = None
        if self._link is not None and self._link.task.done():
            link, error = self._link, self._link.error()
            self._heed(error)
            successor, self._next = self._next, None
            self._link = successor
            if successor is not None and successor.ready_s is not None:
                self._plan(now_s)
                return  # Nothing is missing: it speaks already.
            self._owner.lost(self, link, error)
            if successor is None:
                self._lose(link, error, now_s)
            else:
                self._plan(now_s)

    def _heed(self, error: ReceiveError) -> None:
        # Firewalls of venues say 403 to whoever came too often, for minutes.
        if error.permanent and not self._owner.proven:
            raise error

    def _put_off(self, error: ReceiveError, now_s: float) -> None:
        self._heed(error)
        self._failed_renewals += 1
        delay_s = backoff.delay_s(self._failed_renewals, self._dice())
        self._renew_s = now_s + max(delay_s, 1.0)
        logger.warning("%s: not renewed: %s", self._spec.source_id, error)

    def _lose(self, link: Link, error: ReceiveError, now_s: float) -> None:
        self._failures = 1 if self._is_healthy(link, now_s) else self._failures + 1
        self.degraded = self._failures > self._spec.max_reconnect_attempts
        cap_s = backoff.CAP_S
        if not self.degraded:
            cap_s = min(self._spec.reconnect_interval, cap_s)
        delay_s = backoff.delay_s(self._failures, self._dice(), cap_s)
        self._try_s = now_s + delay_s
        logger.warning(
            "%s: %s; attempt %d in %.1f s", self._spec.source_id, error, self._failures, delay_s
        )

    def _replace(self, now_s: float) -> None:
        """Let the new link take over once it speaks."""
        if self._next is None or self._link is None:
            return
        if self._is_time(self._next, now_s) and not self._next.line.holds:
            self._owner.retire(self._link)
            self._link, self._next = self._next, None
            self._failed_renewals = 0
            self._plan(now_s)
            logger.info("%s: renewed", self._spec.source_id)
        elif self._next.ready_s is None and now_s >= self._next_until_s:
            self._owner.retire(self._next)
            self._next = None
            self._renew_s = now_s + self._patience.ready_s

    def _is_time(self, link: Link, now_s: float) -> bool:
        if link.ready_s is None:
            return False
        passed_s = now_s - link.ready_s
        spoken = link.line.spoke and passed_s >= self._patience.overlap_s
        return spoken or passed_s >= self._patience.quiet_s

    def _let_go(self, now_s: float) -> bool:
        """Hand on what must not be held back any longer; return whether some is left."""
        for link in self.links:
            # With no room left, a gap that is none is the lesser evil.
            due = link is self._link or link.line.full or self._is_time(link, now_s)
            if link.line.holds and due:
                return not link.line.release(SLICE)
        return False

    def _renew(self, now_s: float) -> None:
        if self._link is None or self._next is not None:
            return
        farewell = self._link.line.talk.farewell
        if farewell and self._told is not self._link:
            self._told = self._link
            self._leave(self._link, now_s)
        if now_s >= self._renew_s:
            logger.info("%s: renewing%s", self._spec.source_id, farewell and f": {farewell}")
            self._next = self._owner.open(self, holds=True)
            self._next_until_s = now_s + self._patience.ready_s

    def _leave(self, link: Link, now_s: float) -> None:
        """Plan to be gone soon: at once, unless every new link is told to go as well."""
        self._farewells = 1 if self._is_healthy(link, now_s) else self._farewells + 1
        delay_s = 0.0
        if self._farewells > 1:
            delay_s = backoff.delay_s(self._farewells - 1, self._dice())
        self._renew_s = min(self._renew_s, now_s + delay_s)

    def _calm(self, now_s: float) -> None:
        if self._failures and self._link is not None and self._is_healthy(self._link, now_s):
            self._failures = 0
            self.degraded = False

    def _is_healthy(self, link: Link, now_s: float) -> bool:
        return link.heard_s is not None and now_s - link.heard_s >= self._patience.healthy_s

    def _due_s(self, now_s: float) -> float:
        if self._link is None:
            return self._try_s
        due_s = self._renew_s
        if self._next is not None:
            due_s = self._next_due_s(self._next, now_s)
        if self._failures and self._link.heard_s is not None:
            due_s = min(due_s, self._link.heard_s + self._patience.healthy_s)
        return due_s

    def _next_due_s(self, link: Link, now_s: float) -> float:
        if link.ready_s is None:
            return self._next_until_s
        overlap_s = link.ready_s + self._patience.overlap_s
        # Once it is over, `on_news` tells when the new link speaks.
        return overlap_s if now_s < overlap_s else link.ready_s + self._patience.quiet_s

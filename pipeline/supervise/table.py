"""The symbols of one venue, fetched again from time to time, for all sources that name patterns."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipeline.core.venues.venue import Instrument, Venue
from pipeline.supervise.desk import Desk, Order

logger = logging.getLogger(__name__)

FRESH_S = 600.0
# The longest lists of symbols that venues give are of some ten megabytes.
MAX_BODY = 32 * 1024 * 1024
# More than any venue has. A list so long might be made up, to have us open hundreds of links.
MAX_SYMBOLS = 20_000


class Table:
    """
    Attributes:
        instruments: Empty until they were fetched once.
        trouble: Why they could not be, the last time.
        listeners: Called when they have been, by the source that listens.
    """

    def __init__(self, name: str, venue: Venue, desk: Desk) -> None:
        self.instruments: tuple[Instrument, ...] = ()
        self.trouble = ""
        self.listeners: dict[str, Callable[[], None]] = {}
        self._name = name
        self._venue = venue
        self._desk = desk
        self._parts: dict[int, list[Instrument]] = {}
        self._asked_s: float | None = None

    def refresh(self, now_s: float, older_than_s: float = FRESH_S) -> None:
        """Have it fetched again if it is older; what is under way is not asked for twice."""
        if self._asked_s is not None and now_s - self._asked_s < older_than_s:
            return
        self._asked_s = now_s
        self._parts.clear()
        calls = self._venue.instruments_calls()
        for number, call in enumerate(calls):

            def take(body: bytes, number: int = number) -> None:
                self._take(number, body, len(calls))

            # Nobody's: a source may be called like a venue, and drops what is its own.
            key = ("", "instruments", self._name, str(number))
            self._desk.order(Order(key, call, take, self._fail, max_bytes=MAX_BODY))

    def _fail(self, reason: str) -> None:
        self.trouble = reason

    def _take(self, number: int, body: bytes, of: int) -> None:
        self._parts[number] = self._venue.instruments(body)
        if len(self._parts) < of:
            return
        found = tuple(one for part in self._parts.values() for one in part)
        self._parts.clear()
        self.trouble = ""
        if self.instruments and not found:
            # Nobody delists everything at once: rather an old list than none.
            logger.warning("%s: the venue's list of symbols came empty and is not used", self._name)
            return
        if len(found) > MAX_SYMBOLS:
            logger.error("%s: a list of %d symbols is not used", self._name, len(found))
            return
        self.instruments = found
        for listener in list(self.listeners.values()):
            listener()

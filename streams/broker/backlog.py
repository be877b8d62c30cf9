"""What waits to be announced: a bounded queue between any threads and the one that carries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from streams.core.announcements import AnnounceCounters, Announcement


class Backlog:
    """
    Takes at most so many announcements, those that are not answered yet included.

    What finds no place is dropped and counted.
    """

    def __init__(self, *, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        # One that lets its own thread in again: a signal handler or a finaliser may log in the
        # middle of an announcement.
        self._lock = threading.RLock()
        self._waiting: deque[Announcement] = deque()
        self._under_way = self._bytes = 0
        self._on_news: Callable[[], None] | None = None
        self._announced = self._stored = self._unstored = self._refused = 0
        self._dropped = self._told_dropped = 0

    def put(self, announcement: Announcement) -> bool:
        """Return whether there was room for it."""
        size = len(announcement[1])
        with self._lock:
            self._announced += 1
            if (
                len(self._waiting) + self._under_way >= self._max_waiting
                or self._bytes + size > self._max_bytes
            ):
                self._dropped += 1
                return False
            self._waiting.append(announcement)
            self._bytes += size
            if self._on_news is not None:
                self._on_news()
            return True

    def drop(self) -> None:
        """Count one that could not even be put."""
        with self._lock:
            self._announced += 1
            self._dropped += 1

    def take(self) -> Announcement | None:
        """Return the oldest one that waits. It takes up room until it is settled."""
        with self._lock:
            if not self._waiting:
                return None
            self._under_way += 1
            return self._waiting.popleft()

    def settle(
        self, announcement: Announcement, *, stored: int = 0, unstored: int = 0, refused: int = 0
    ) -> None:
        with self._lock:
            self._under_way -= 1
            self._bytes -= len(announcement[1])
            self._stored += stored
            self._unstored += unstored
            self._refused += refused

    def newly_dropped(self) -> int:
        """Return how many were dropped since this was asked last."""
        with self._lock:
            count = self._dropped - self._told_dropped
            self._told_dropped = self._dropped
            return count

    def call_on_news(self, call: Callable[[], None] | None) -> None:
        """Have somebody called, in the thread that puts, whenever something is put."""
        with self._lock:
            self._on_news = call

    @property
    def is_empty(self) -> bool:
        with self._lock:
            return not self._waiting and not self._under_way

    @property
    def is_waiting(self) -> bool:
        with self._lock:
            return bool(self._waiting)

    def counters(self) -> AnnounceCounters:
        with self._lock:
            return AnnounceCounters(
                announced=self._announced,
                stored=self._stored,
                unstored=self._unstored,
                refused=self._refused,
                dropped=self._dropped,
                waiting=len(self._waiting) + self._under_way,
            )

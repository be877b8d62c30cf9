"""
Log records, events, health and alerts of this process, onto NATS: from any thread, without a wait.

What is announced is put into a bounded queue; a daemon thread with a connection of its own carries
it to NATS. While NATS is away, or when too much comes at once, what finds no place is dropped and
counted, and a summary goes out afterwards. Nothing is connected before the first announcement, and
a process that forks leaves thread, connection and queue to its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streams.broker.backlog import Backlog
from streams.core import announcements
from streams.core.announcements import AnnounceCounters, Announcement, Sender
from streams.core.errors import StreamsError

if TYPE_CHECKING:
    from streams.broker.carrier import Carrier

logger = logging.getLogger(__name__)

MAX_WAITING = 1_000
MAX_BYTES = 4 * 1024 * 1024
HEALTH_S = 30.0
CLOSE_S = 1.0
# Beyond its deadline, for the thread to close its socket.
END_S = 0.5

HEALTHY, DEGRADED = "healthy", "degraded"

Details = Callable[[], Mapping[str, Any]]

_all: weakref.WeakSet[Announcer] = weakref.WeakSet()


class Announcer:
    """The voice of one service. Every method but `close` returns at once, and none raises."""

    def __init__(
        self,
        url: str,
        service: str,
        *,
        max_waiting: int = MAX_WAITING,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            max_waiting, max_bytes: Of what is kept while it cannot be sent.
        """
        self._url = url
        self._service = service
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._clock = clock
        self._began_s = time.monotonic()
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._sender = Sender(self._service, socket.gethostname(), os.getpid())
        self._backlog = Backlog(max_waiting=self._max_waiting, max_bytes=self._max_bytes)
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._carrier: Carrier | None = None
        self._health: tuple[float, Details | None] | None = None
        self._close_s: float | None = None

    def after_fork(self) -> None:
        """Begin anew in a child: thread, connection, queue and health are its parent's."""
        self._begin()

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is what carries announcements: what it says shall not be carried."""
        return self._thread is threading.current_thread()

    def counters(self) -> AnnounceCounters:
        return self._backlog.counters()

    def log(self, *, level: str, logger: str, message: str, traceback: str = "") -> bool:
        return self._say(
            lambda: announcements.log(
                self._sender,
                at=self._clock(),
                level=level,
                logger=logger,
                message=message,
                traceback=traceback,
            )
        )

    def event(self, event: str, **details: Any) -> bool:
        """Announce something in the life of this service: `started`, `stopping`, …"""
        return self._say(
            lambda: announcements.event(self._sender, event, at=self._clock(), details=details)
        )

    def alert(self, level: str, type: str, text: str, **details: Any) -> bool:  # noqa: A002 - as the subject names it
        """
        Announce that somebody should look.

        Args:
            level: `info`, `warning` or `critical`.
        """
        return self._say(
            lambda: announcements.alert(
                self._sender, at=self._clock(), level=level, type=type, text=text, details=details
            )
        )

    def announce(self, subject: str, payload: bytes) -> bool:
        """Take one message; return whether there was room for it."""
        if not self._start():
            self._backlog.drop()
            return False
        return self._backlog.put((subject, payload))

    def keep_healthy(self, *, every_s: float = HEALTH_S, details: Details | None = None) -> None:
        """
        Announce this process's health now and from now on, while NATS is there.

        Args:
            details: Called in the announcer's thread, so it must not wait. Its `status` replaces
                `healthy`; when it raises, the process is `degraded`.
        """
        with self._lock:
            self._health = (every_s, details)
            if self._start():
                self._tell_carrier()

    def close(self, within_s: float = CLOSE_S) -> bool:
        """Send what is waiting, as far as that is possible in time; return whether all was sent."""
        with self._lock:
            thread, self._close_s = self._thread, within_s
            self._tell_carrier()
        if thread is not None and thread.is_alive() and not self.is_own_thread:
            thread.join(within_s + END_S)
        return self._backlog.is_empty

    def _say(self, make: Callable[[], Announcement]) -> bool:
        try:
            subject, payload = make()
        except (StreamsError, TypeError, ValueError, RecursionError) as e:
            # Whoever announces has better to do than to look after what cannot be said.
            self._backlog.drop()
            logger.debug("an announcement could not be written: %s", e)
            return False
        return self.announce(subject, payload)

    def _start(self) -> bool:
        """Return whether there is a thread that carries."""
        with self._lock:
            if self._close_s is not None:
                return False
            if self._thread is None:
                thread = threading.Thread(
                    target=self._carry, name=f"announcer-{self._service}", daemon=True
                )
                self._thread = thread
                try:
                    thread.start()
                except RuntimeError:  # The interpreter is ending, or no thread is left.
                    self._thread = None
                    return False
            return True

    def _carry(self) -> None:
        try:
            asyncio.run(self._keep_carrying())
        except StreamsError as e:
            # From now on all of them find their place taken, and the counter says so.
            logger.error("announcements of %s have ended: %s", self._service, e)

    async def _keep_carrying(self) -> None:
        # A tenth of a second, mostly for nats-py: here, so that no process starts later for it.
        from streams.broker.carrier import Carrier  # noqa: PLC0415

        name = f"{self._service}-announcer"
        carrier = Carrier(self._url, name, self._backlog, self._summary)
        with self._lock:
            self._loop, self._carrier = asyncio.get_running_loop(), carrier
            self._tell_carrier()
        self._backlog.call_on_news(lambda: self._call(carrier.note_news))
        try:
            await carrier.run()
        finally:
            self._backlog.call_on_news(None)
            with self._lock:
                self._loop = self._carrier = None

    def _tell_carrier(self) -> None:
        """Hand on what was asked of us, now or before it was there. With the lock held."""
        carrier = self._carrier
        if carrier is None:
            return
        if self._health is not None:
            every_s, _ = self._health
            self._call(carrier.keep_healthy, every_s, self._health_now)
        if self._close_s is not None:
            self._call(carrier.close, self._close_s)

    def _call(self, call: Callable[..., None], *args: Any) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # It has just ended.
                loop.call_soon_threadsafe(call, *args)

    def _summary(self, count: int) -> Announcement:
        return announcements.log(
            self._sender,
            at=self._clock(),
            level="WARNING",
            logger=__name__,
            message=f"{count} records dropped: NATS was away, or too many came at once",
            details={"dropped": count},
        )

    def _health_now(self) -> Announcement:
        every_s, ask = self._health or (HEALTH_S, None)
        status, details = HEALTHY, dict[str, Any]()
        try:
            details.update(ask() if ask is not None else {})
            status = str(details.pop("status", HEALTHY))
        except Exception as e:  # noqa: BLE001 - whatever it is, the process is not well
            status, details = DEGRADED, {"error": f"{type(e).__name__}: {e}"}
        counters = self.counters()
        return announcements.health(
            self._sender,
            at=self._clock(),
            status=status,
            uptime_s=time.monotonic() - self._began_s,
            every_s=every_s,
            details={**details, "dropped": counters.dropped, "refused": counters.refused},
        )


def _after_fork() -> None:
    for announcer in list(_all):
        announcer.after_fork()


os.register_at_fork(after_in_child=_after_fork)

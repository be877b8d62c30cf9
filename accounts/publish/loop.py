"""
One connection to RabbitMQ and the thread that runs it, for as long as the process lives.

It comes back for ever after a loss, declares its queue on a channel of its own, watches it, and
publishes on another. State and events have a link each: RabbitMQ stops reading a connection whose
messages a queue does not take in, and events must not hold back state.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pika
import pika.exceptions
from pika.adapters.select_connection import IOLoop, SelectConnection

from accounts.core.errors import BadAddress, BrokerAway
from accounts.publish.errands import Errands
from accounts.publish.lane import Lane
from accounts.publish.outlet import Counts
from accounts.publish.topology import Found, Part, declared, watched
from accounts.publish.window import Job, Parcel

logger = logging.getLogger(__name__)

HEARTBEAT_S = 30
BLOCKED_S = 300
# The contract asks for five attempts, three seconds apart. We do not stop after five, and wait a
# random time up to a bound that doubles, so that many processes do not come back in one moment. It
# ends at five seconds: consumers are to be up to date within thirty.
ATTEMPT_S = 3.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0
WATCH_S = 10.0
# A queue that differs is mended by a person; each time we look, the broker logs a refusal.
DIFFERS_S = 60.0
CLOSE_S = 5.0
GOODBYE_S = 2.0
# Between two looks for a queue that took nothing, when the first did not help.
AGAIN_S = 1.0
# The deadline is kept by the link's thread. Should that be stuck, its caller is not.
GRACE_S = 1.0


class Loop:
    """
    Every method that begins with `_on` or `_do` runs on the thread; the others may be called from
    any.

    Raises:
        BadAddress: The URL is none that pika understands.
    """

    def __init__(self, url: str, exchange: str, part: Part, *, watch_s: float = WATCH_S) -> None:
        self._part = part
        self._watch_s = watch_s
        self._parameters = parameters(url)
        self._ioloop = IOLoop()
        self._connection: SelectConnection | None = None
        self._errands: Errands | None = None
        self._lane = Lane(
            exchange,
            finished=self._do_finish,
            returned=self._on_return,
            broken=self._on_broken,
        )
        # Set once the first attempt to connect has ended, well or not: only that one is waited for.
        self._settled = threading.Event()
        self._established = self._ready = False
        self._closing = False
        self._blocked = ""
        self._returned = self._looks_for_returned = False
        # Why the link is given up, and why there is none.
        self._verdict = ""
        self._trouble = "RabbitMQ did not answer in time"
        self._failures = 0
        self._declared_at = 0.0
        self.warning = ""
        self.lost_at: datetime | None = None
        self._ioloop.add_callback_threadsafe(self._do_connect)
        self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
        self._thread.start()

    def counts(self) -> Counts:
        return self._lane.counts()

    def check(self, within_s: float) -> None:
        """
        Raises:
            BrokerAway: Not connected, or the broker takes nothing.
        """
        self._settled.wait(within_s)
        if not self._ready:
            raise BrokerAway(self._trouble)
        if self._blocked:
            raise BrokerAway(_blocked(self._blocked))

    def publish(self, parcels: Sequence[Parcel], within_s: float) -> list[str]:
        """
        Return, for each parcel, "" once it is confirmed, or why it is not.

        Raises:
            BrokerAway: As `check`. Nothing was sent.
        """
        ends_at = time.monotonic() + within_s
        self.check(within_s)
        if not parcels:
            return []
        job = Job(parcels)
        self._ioloop.add_callback_threadsafe(lambda: self._do_take(job, ends_at))
        job.done.wait(max(0.0, ends_at - time.monotonic()) + GRACE_S)
        return [
            "no answer from the link's thread" if answer is None else answer
            for answer in job.answers
        ]

    def close(self) -> None:
        self._closing = True
        self._ioloop.add_callback_threadsafe(self._do_close)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            while not self._runs_to_its_end():
                self._begin_anew()
        finally:
            self._ioloop.close()

    def _runs_to_its_end(self) -> bool:
        try:
            self._ioloop.start()
        except Exception:
            # A bug in one callback. Never in silence, and never the end: everybody would wait for
            # a thread that is gone.
            logger.exception("rabbitmq: an internal error; the link begins anew")
            return False
        return True

    def _begin_anew(self) -> None:
        self._ready = False
        self._trouble = self._verdict = "an internal error; see the log"
        self._settled.set()
        if self._connection and self._connection.is_open:
            self._do_drop()
        elif self._connection is None or self._connection.is_closed:
            self._ioloop.call_later(ATTEMPT_S, self._do_connect)

    def _do_connect(self) -> None:
        if self._closing:
            return
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
            custom_ioloop=self._ioloop,
        )
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)

    def _do_close(self) -> None:
        if self._connection and self._connection.is_open:
            self._do_drop()
        elif self._connection is None or self._connection.is_closed:
            self._ioloop.stop()

    def _do_give_up(self, verdict: str) -> None:
        self._ready = False
        self._verdict = verdict
        self._do_drop()

    def _do_drop(self) -> None:
        """End the connection; `_on_end` follows."""
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        connection.close()
        self._ioloop.call_later(GOODBYE_S, lambda: self._do_cut(connection))

    def _do_cut(self, connection: SelectConnection) -> None:
        # A broker that has stopped reading, because a queue takes nothing in, reads no farewell
        # either, and still sends heartbeats: politely, this would never end. pika has no public
        # way to say so.
        if not connection.is_closed:
            connection._terminate_stream(BrokerAway("no farewell"))  # type: ignore[attr-defined]  # noqa: SLF001

    def _do_take(self, job: Job, ends_at: float) -> None:
        wait_s = max(0.0, ends_at - time.monotonic())
        job.timer = self._ioloop.call_later(wait_s, lambda: self._do_expire(job))
        if not self._ready:
            self._lane.refuse(job, "the link was lost")
        elif self._blocked:
            self._lane.refuse(job, _blocked(self._blocked))
        else:
            self._lane.take(job)

    def _do_expire(self, job: Job) -> None:
        if self._lane.expire(job) and self._ready and not self._blocked:
            # What was sent would never make room again.
            self._do_give_up(f"RabbitMQ confirms nothing of {self._part.queue}")

    def _do_finish(self, job: Job) -> None:
        self._ioloop.remove_timeout(job.timer)
        job.done.set()

    def _on_open(self, connection: Any) -> None:
        errands = self._errands = Errands(self._ioloop, connection)
        self._lane.open(connection, lambda: errands.run(declared(self._part), self._on_declared))

    def _on_declared(self, found: Found) -> None:
        logger.info("rabbitmq: connected, %s is ready", self._part.queue)
        self._declared_at = time.monotonic()
        self._warn(found.warning)
        self._trouble = "RabbitMQ's link was lost"
        self._failures = 0
        self._established = self._ready = True
        self._settled.set()
        if self._errands:
            self._ioloop.call_later(self._watch_s, self._watch_of(self._errands))

    def _watch_of(self, errands: Errands) -> Callable[[], None]:
        """Return what looks again and again, for as long as these errands are the link's."""

        def look() -> None:
            if errands is self._errands:
                self._do_watch(errands)
                self._ioloop.call_later(self._watch_s, look)

        return look

    def _do_watch(self, errands: Errands) -> None:
        if errands.busy or errands is not self._errands:
            return
        self._looks_for_returned, self._returned = self._returned, False
        again = bool(self.warning) and time.monotonic() - self._declared_at > DIFFERS_S
        if again:
            self._declared_at = time.monotonic()
        errands.run(
            watched(self._part, again=again), lambda found: self._on_watched(errands, found)
        )

    def _on_watched(self, errands: Errands, found: Found) -> None:
        if found.lost:
            logger.warning("rabbitmq: %s was gone and is declared again", self._part.queue)
        if found.lost or self._looks_for_returned:
            # Set now and not before: what follows from it must find the queue.
            self.lost_at = datetime.now(UTC)
        self._warn(found.warning)
        if self._returned:
            self._ioloop.call_later(AGAIN_S, lambda: self._do_watch(errands))

    def _warn(self, warning: str | None) -> None:
        if warning is None:
            return
        if warning and warning != self.warning:
            logger.warning("rabbitmq: %s", warning)
        self.warning = warning

    def _on_return(self) -> None:
        # Somebody deleted the queue, or its binding; do not wait for the next look. Whoever
        # declares a deleted queue before us does so without its binding.
        self._returned = True
        if self._errands:
            self._do_watch(self._errands)

    def _on_broken(self, reason: Exception) -> None:
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            self._do_give_up(f"RabbitMQ closed the channel: {reason.reply_text}")

    def _on_blocked(self, connection: Any, frame: Any) -> None:
        self._blocked = frame.method.reason or "no reason given"
        logger.warning("rabbitmq: blocked: %s", self._blocked)
        self._lane.shed(_blocked(self._blocked))

    def _on_unblocked(self, connection: Any, frame: Any) -> None:
        self._blocked = ""
        logger.info("rabbitmq: no longer blocked")

    def _on_end(self, connection: Any, reason: Any) -> None:
        if self._established:
            self.lost_at = datetime.now(UTC)
        self._established = self._ready = False
        self._errands = None
        self._blocked = ""
        self._lane.lose("the link was lost")
        if self._closing:
            self._ioloop.stop()
            return
        trouble = self._verdict or f"RabbitMQ cannot be reached: {_cause(reason)}"
        # The same refusal at every attempt, for as long as the broker is away, is one event.
        if trouble != self._trouble:
            logger.warning("rabbitmq: %s", trouble)
        self._trouble, self._verdict = trouble, ""
        self._settled.set()
        bound_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        self._failures += 1
        self._ioloop.call_later(random.uniform(0, bound_s), self._do_connect)  # noqa: S311


def parameters(url: str) -> pika.URLParameters:
    """
    Return how to connect, as the contract asks.

    Raises:
        BadAddress: The URL is none that pika understands.
    """
    try:
        asked = pika.URLParameters(url)
    except (ValueError, SyntaxError, TypeError, OSError):
        # Not chained: what pika says may quote the URL.
        raise BadAddress("RABBITMQ_URL holds an option that cannot be used") from None
    asked.heartbeat = HEARTBEAT_S
    asked.blocked_connection_timeout = BLOCKED_S
    # We reconnect by our own clock; pika's attempts would run inside one of ours.
    asked.connection_attempts = 1
    asked.socket_timeout = ATTEMPT_S
    asked.stack_timeout = 2 * ATTEMPT_S
    asked.client_properties = {"connection_name": f"tickplane accounts {os.getpid()}"}
    return asked


def _blocked(reason: str) -> str:
    return f"RabbitMQ accepts nothing now: {reason}"


def _cause(reason: Any) -> str:
    """Return the innermost reason: pika wraps a refused connection three times."""
    while inner := _within(reason):
        reason = inner
    return str(reason) or type(reason).__name__


def _within(reason: Any) -> BaseException | None:
    found = (
        getattr(reason, "exception", None)
        or next(reversed(getattr(reason, "exceptions", None) or ()), None)
        or next(iter(getattr(reason, "args", None) or ()), None)
    )
    return found if isinstance(found, BaseException) else None

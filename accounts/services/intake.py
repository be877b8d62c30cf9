"""
The way of a push through the web process: taken in together with its neighbours, then published.

One thread takes pushes in, as many at a time as have come meanwhile: one transaction for all of
them. Another publishes what is urgent, so that a broker that is away keeps nobody waiting, and a
third sends the events, which are confirmed much later than state.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cache, partial
from typing import NamedTuple, TypeVar

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from accounts.services.ingest import Answer, Delivery, Refused, ingest
from accounts.services.visit import publish_pushed, relay_pushed

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# So many pushes share a transaction, and so many may wait for one.
AT_ONCE = 200
MOST_WAITING = 5_000
# An account that a visit holds is tried again; after a while the next tick does it.
RETRY_S = 0.02
PATIENCE_S = 2.0
# Sending ten accounts' events costs little more than sending one's.
GATHER_S = 0.1
# A process that ends waits so long for what it is publishing: else nobody knew what was sent.
GOODBYE_S = 5.0
# The database is away, or chose us as the one to wait: trying each push alone would not help.
_AWAY = (OperationalError, InterfaceError)


class Full(Exception):
    """More pushes are waiting than can be taken in soon."""


class _Waiting(NamedTuple):
    deliveries: Sequence[Delivery]
    answers: Future[list[Answer]]


class Intake:
    """
    Pushes in, answers out, from any thread.

    Args:
        urgent: Called with the rows of accounts that consumers must hear of at once.
        take: Takes pushes in, all or none.
    """

    def __init__(
        self,
        urgent: Callable[[Sequence[int]], None],
        take: Callable[[Sequence[Delivery]], list[Answer]],
    ) -> None:
        self._urgent = urgent
        self._take_in = take
        self._waiting: queue.Queue[_Waiting] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._run, name="intake", daemon=True).start()

    def submit(self, deliveries: Sequence[Delivery]) -> Future[list[Answer]]:
        """
        Return the answers-to-be, one for each delivery.

        Raises:
            Full: Too many are waiting.
        """
        answers: Future[list[Answer]] = Future()
        try:
            self._waiting.put_nowait(_Waiting(deliveries, answers))
        except queue.Full:
            raise Full from None
        return answers

    def _run(self) -> None:
        while True:
            try:
                self._take(self._next())
            except Exception:
                # Never the end: every terminal would wait for a thread that is gone.
                logger.exception("an internal error of the intake")

    def _next(self) -> list[_Waiting]:
        """Return what waits, without those that gave up: what they say by now is newer."""
        taken: list[_Waiting] = []
        count = 0
        while count < AT_ONCE:
            try:
                one = self._waiting.get(block=not taken)
            except queue.Empty:
                break
            # From here on nobody can give up any more.
            if one.answers.set_running_or_notify_cancel():
                taken.append(one)
                count += len(one.deliveries)
        return taken

    def _take(self, taken: Sequence[_Waiting]) -> None:
        try:
            answers = self._answers([delivery for one in taken for delivery in one.deliveries])
        except _AWAY as e:
            logger.exception("%d pushes were not taken in", len(taken))
            for one in taken:
                one.answers.set_exception(e)
            return
        # Before the terminals are answered: they may wait, consumers may not.
        self._urgent([answer.key for answer in answers if answer.urgent])
        place = 0
        for one in taken:
            one.answers.set_result(answers[place : place + len(one.deliveries)])
            place += len(one.deliveries)

    def _answers(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """Take these in; one that cannot be, for a reason nobody foresaw, is refused alone."""
        try:
            return _with_database(partial(self._take_in, deliveries))
        except _AWAY:
            raise
        except Exception:
            if len(deliveries) == 1:
                name = str(deliveries[0].account_id or "")
                logger.exception("account %s: its push was not taken in", name)
                reason = "it could not be taken in; the server's log says why"
                return [Answer(name, Refused.FAILED, reason)]
        half = len(deliveries) // 2
        return self._answers(deliveries[:half]) + self._answers(deliveries[half:])


class Express:
    """
    Publishes accounts at once, instead of at the next tick. What it cannot, the tick does.

    Args:
        publish: Publishes these accounts and returns those that somebody else is publishing.
        then: Called with those that were published.
        gather_s: So long others may join before they are published together.
    """

    def __init__(
        self,
        publish: Callable[[Sequence[int]], set[int]],
        then: Callable[[Sequence[int]], None] = lambda _: None,
        gather_s: float = 0.0,
    ) -> None:
        self._gather_s = gather_s
        self._publish = publish
        self._then = then
        self._wanted: dict[int, float] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="express", daemon=True)
        self._thread.start()

    def wake(self, account_ids: Sequence[int]) -> None:
        if not account_ids:
            return
        with self._changed:
            self._wanted |= dict.fromkeys(account_ids, time.monotonic())
            self._changed.notify()

    def close(self) -> None:
        """Finish what is being published, and begin nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(GOODBYE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._gather_s:
                    self._changed.wait_for(lambda: self._closing, self._gather_s)
                if self._closing:
                    return
                wanted, self._wanted = self._wanted, {}
            try:
                busy = _with_database(partial(self._publish, sorted(wanted)))
            except Exception:
                logger.exception("%d accounts wait for the next tick", len(wanted))
                continue
            self._then([pk for pk in wanted if pk not in busy])
            self._again({pk: since for pk, since in wanted.items() if pk in busy})

    def _again(self, busy: dict[int, float]) -> None:
        soon = time.monotonic() - PATIENCE_S
        patient = {pk: since for pk, since in busy.items() if since > soon}
        if not patient:
            return
        with self._changed:
            # New ones end the wait early; they are published together.
            self._changed.wait_for(lambda: self._wanted or self._closing, timeout=RETRY_S)
            self._wanted = patient | self._wanted


@cache
def ours() -> Intake:
    """Return this process's intake; its threads begin with the first push."""
    events = Express(_told, gather_s=GATHER_S)
    express = Express(_published, then=events.wake)
    atexit.register(events.close)
    atexit.register(express.close)
    return Intake(express.wake, _taken_in)


def _taken_in(deliveries: Sequence[Delivery]) -> list[Answer]:
    return ingest(deliveries=deliveries, now=timezone.now())


def _published(account_ids: Sequence[int]) -> set[int]:
    _, busy = publish_pushed(account_ids=account_ids, now=timezone.now())
    return busy


def _told(account_ids: Sequence[int]) -> set[int]:
    _, busy = relay_pushed(account_ids=account_ids, now=timezone.now())
    return busy


def _with_database(work: Callable[[], _T]) -> _T:
    """Return what the work does; a connection that broke is made anew for the next one."""
    try:
        return work()
    except _AWAY:
        connection.close()
        raise

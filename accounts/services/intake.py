"""
The way of a push through the web process: taken in together with its neighbours, then published.

One thread takes pushes in, as many at a time as have come meanwhile: one transaction for all of
them. Another publishes what is urgent, so that a broker that is away keeps nobody waiting.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cache, partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from accounts.services.ingest import Answer, Delivery, ingest
from accounts.services.visit import publish_pushed

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# So many pushes share a transaction, and so many may wait for one.
AT_ONCE = 200
MOST_WAITING = 5_000
# An account that a visit holds is tried again; after a while the next tick does it.
RETRY_S = 0.02
PATIENCE_S = 2.0


class Full(Exception):
    """More pushes are waiting than can be taken in soon."""


class Intake:
    """
    Pushes in, answers out, from any thread.

    Args:
        urgent: Called with the rows of accounts that consumers must hear of at once.
    """

    def __init__(self, urgent: Callable[[Sequence[int]], None]) -> None:
        self._urgent = urgent
        self._waiting: queue.Queue[tuple[Sequence[Delivery], Future[list[Answer]]]] = queue.Queue(
            MOST_WAITING
        )
        threading.Thread(target=self._run, name="intake", daemon=True).start()

    def submit(self, deliveries: Sequence[Delivery]) -> Future[list[Answer]]:
        """
        Return the answers-to-be, one for each delivery.

        Raises:
            Full: Too many are waiting.
        """
        answers: Future[list[Answer]] = Future()
        try:
            self._waiting.put_nowait((deliveries, answers))
        except queue.Full:
            raise Full from None
        return answers

    def _run(self) -> None:
        while True:
            taken = [self._waiting.get()]
            count = len(taken[0][0])
            while count < AT_ONCE:
                try:
                    taken.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
                count += len(taken[-1][0])
            self._take(taken)

    def _take(self, taken: Sequence[tuple[Sequence[Delivery], Future[list[Answer]]]]) -> None:
        try:
            answers = _with_database(
                lambda: ingest(
                    deliveries=[delivery for deliveries, _ in taken for delivery in deliveries],
                    now=timezone.now(),
                )
            )
        except Exception as e:
            logger.exception("%d pushes were not taken in", len(taken))
            for _, future in taken:
                future.set_exception(e)
            return
        # Before the terminals are answered: they may wait, consumers may not.
        self._urgent([answer.key for answer in answers if answer.urgent])
        place = 0
        for deliveries, future in taken:
            future.set_result(answers[place : place + len(deliveries)])
            place += len(deliveries)


class Express:
    """Publishes accounts at once, instead of at the next tick. What it cannot, the tick does."""

    def __init__(self) -> None:
        self._wanted: dict[int, float] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="express", daemon=True).start()

    def wake(self, account_ids: Sequence[int]) -> None:
        if not account_ids:
            return
        with self._changed:
            self._wanted |= dict.fromkeys(account_ids, time.monotonic())
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted)
                wanted, self._wanted = self._wanted, {}
            try:
                busy = _with_database(partial(_publish, sorted(wanted)))
            except Exception:
                logger.exception("%d accounts wait for the next tick", len(wanted))
                continue
            self._again({pk: since for pk, since in wanted.items() if pk in busy})

    def _again(self, busy: dict[int, float]) -> None:
        soon = time.monotonic() - PATIENCE_S
        patient = {pk: since for pk, since in busy.items() if since > soon}
        if not patient:
            return
        with self._changed:
            # New ones end the wait early; they are published together.
            self._changed.wait_for(lambda: self._wanted, timeout=RETRY_S)
            self._wanted = patient | self._wanted


@cache
def intake() -> Intake:
    """Return this process's intake; its threads begin with the first push."""
    return Intake(Express().wake)


def _publish(account_ids: Sequence[int]) -> set[int]:
    _, busy = publish_pushed(account_ids=account_ids, now=timezone.now())
    return busy


def _with_database(work: Callable[[], _T]) -> _T:
    """Return what the work does; a connection that broke is made anew for the next one."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        connection.close()
        raise

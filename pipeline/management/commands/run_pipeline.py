from __future__ import annotations

import logging
import random
import signal
import time
from queue import Empty, SimpleQueue
from typing import Any

from django import db
from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from pipeline import services
from pipeline.core import backoff
from pipeline.core.spec import SourceSpec
from pipeline.core.status import SourceStatus, WorkerSettings, WorkerStatus
from pipeline.management.child import Ended, Event, Stop, WorkerProcess
from streams.core.errors import BadDefinition
from streams.services import announcing

logger = logging.getLogger(__name__)

POLL_S = 1.0
WRITE_S = 2.0
# That nothing changed is written more rarely; see services.collection.SEEN_FOR.
SEEN_S = 10.0
# A worker that has said nothing for so long will say nothing any more.
HUNG_S = 30.0
# After so long a worker's end counts as the first one again.
STEADY_S = 60.0


class Command(BaseCommand):
    help = "Receive market data from every enabled source and publish them to NATS."
    # Not the URLs': this process serves none, and their views cost it 20 MB.
    requires_system_checks = [Tags.models, Tags.database]

    def handle(self, *args: Any, **options: Any) -> None:
        events: SimpleQueue[Event] = SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            # SimpleQueue.put may be called by a signal handler, whatever it interrupted.
            signal.signal(number, lambda *_: events.put(Stop()))
        try:
            services.record_stop(now=timezone.now())
        except db.Error as e:
            raise CommandError(
                _("The database cannot be used: %s. Has it been migrated?") % e, returncode=2
            ) from e
        with announcing.announced(service="pipeline"):
            Keeper(events).run()


class Keeper:
    """Keeps one worker running and its sources as the rows say."""

    def __init__(self, events: SimpleQueue[Event]) -> None:
        self._events = events
        self._settings = WorkerSettings(
            nats_url=settings.NATS_URL,
            log_level=settings.LOG_LEVEL,
            nats_log_level=settings.NATS_LOG_LEVEL,
            nats_events=settings.NATS_EVENTS,
            buffer_bytes=settings.PIPELINE_BUFFER_MB * 1024 * 1024,
        )
        self._worker: WorkerProcess | None = None
        self._failures = 0
        self._start_s = 0.0
        self._began_s = 0.0
        self._heard_s = 0.0
        self._sent: list[SourceSpec] | None = None  # None to a worker that has just begun.
        self._refused = ""
        self._latest: WorkerStatus | None = None
        self._recorded: dict[str, SourceStatus] = {}
        self._write_s = 0.0
        self._seen_s = 0.0

    def run(self) -> None:
        """Return when told to stop, and the worker has ended."""
        try:
            while not self._stopped():
                now_s = time.monotonic()
                if self._worker is None and now_s >= self._start_s:
                    self._start(now_s)
                self._kill_if_hung(now_s)
                try:
                    self._send_orders()
                    self._record(now_s)
                except db.Error as e:
                    # The data flow on; the rows catch up when the database is back.
                    logger.warning("the database cannot be used: %s", e)
                    db.close_old_connections()
        finally:
            self._end()

    def _stopped(self) -> bool:
        """Take in what happened within a second; return whether to stop."""
        until_s = time.monotonic() + POLL_S
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left_s)
            except Empty:
                return False
            match event:
                case Stop():
                    return True
                case Ended():
                    self._note_end(event)
                    return False
                case WorkerStatus():
                    self._heard_s = time.monotonic()
                    self._latest = event
        return False

    def _start(self, now_s: float) -> None:
        self._worker = WorkerProcess(self._settings, self._events, settings.BASE_DIR)
        self._began_s = self._heard_s = now_s
        self._sent = None
        logger.info("worker %d started", self._worker.pid)

    def _note_end(self, event: Ended) -> None:
        now_s = time.monotonic()
        self._worker = None
        self._latest = WorkerStatus()  # No source runs now.
        self._failures = 1 if now_s - self._began_s >= STEADY_S else self._failures + 1
        delay_s = backoff.delay_s(self._failures, random.random())  # noqa: S311
        self._start_s = now_s + delay_s
        logger.error(
            "the worker ended with code %d; another one in %.1f s", event.returncode, delay_s
        )

    def _kill_if_hung(self, now_s: float) -> None:
        if self._worker is not None and now_s - self._heard_s > HUNG_S:
            logger.error("the worker said nothing for %g s and is killed", HUNG_S)
            self._heard_s = now_s
            self._worker.kill()

    def _send_orders(self) -> None:
        if self._worker is None:
            return
        try:
            specs = services.orders(sent=self._sent or (), now=timezone.now())
        except BadDefinition as e:
            if str(e) != self._refused:  # Asked for again each second; said once.
                logger.error("no changed source is started: subject template of %s", e)
            self._refused = str(e)
            return
        self._refused = ""
        if specs != self._sent:
            self._worker.send(specs)
            self._sent = specs
            names = [spec.source_id for spec in specs]
            services.record_begun(names=names, now=timezone.now())

    def _record(self, now_s: float) -> None:
        if self._latest is None or now_s < self._write_s:
            return
        self._write_s = now_s + WRITE_S
        found = {source.source_id: source for source in self._latest.sources}
        if found and now_s >= self._seen_s:
            self._seen_s = now_s + SEEN_S
            services.record_seen(names=found, now=timezone.now())
        if found != self._recorded:
            services.record_status(
                sources=self._latest.sources, before=self._recorded, now=timezone.now()
            )
            self._recorded = found

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        while not self._events.empty():
            if isinstance(event := self._events.get(), WorkerStatus):
                self._latest = event
        try:
            self._write_s = 0.0
            self._record(0.0)
            services.record_stop(now=timezone.now())
        except db.Error as e:
            logger.warning("the database cannot be used: %s", e)

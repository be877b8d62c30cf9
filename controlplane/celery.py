"""
The Celery application: `celery -A controlplane worker`, `celery -A controlplane beat`.

`worker --with-beat` is both in one process, for `standalone`: a beat of its own costs 60 MB.
"""

from __future__ import annotations

import gc
import logging
import os
from pathlib import Path
from threading import Thread
from typing import Any

import click
from celery import Celery, bootsteps
from celery.beat import Service
from celery.signals import (
    beat_init,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from celery.worker import state
from django.conf import settings

# Not by way of `streams.services`: beat loads no application.
from streams.broker import voice

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

logger = logging.getLogger(__name__)

app = Celery("tickplane")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

JOIN_S = 2.0


class Beat(bootsteps.StartStopStep):
    """
    Beat in a thread of the worker.

    A thread that ends by an error ends the worker: whoever keeps the worker starts both anew,
    and no tick is missed in silence. The worker's pool must not fork.
    """

    def __init__(self, parent: Any, with_beat: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002
        super().__init__(parent, **options)
        self.enabled = with_beat

    def create(self, parent: Any) -> None:
        beat_init.disconnect(announce_beat)  # It is the worker who speaks.
        # It looks up once a second whether it shall end.
        self._service = Service(parent.app, max_interval=1, remote_control=False)  # type: ignore[call-arg]
        self._thread = Thread(target=self._run, name="beat", daemon=True)

    def start(self, parent: Any) -> None:
        self._thread.start()

    def stop(self, parent: Any) -> None:
        self._service.stop()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            self._service.start()
        except Exception:
            logger.exception("beat failed, and its worker ends with it")
            state.should_stop = os.EX_SOFTWARE  # type: ignore[assignment]


app.steps["worker"].add(Beat)
app.user_options["worker"].add(
    click.Option(["--with-beat"], is_flag=True, help="Be beat, too, in a thread.")
)


@worker_process_init.connect
def collect_garbage_seldom(**_: object) -> None:
    """
    What was loaded before the fork lives for ever; a visit makes thousands of objects that do not.

    Looking through the former again and again while making the latter cost 7 % of a visit.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@worker_init.connect
def speak_as_the_worker(**_: object) -> None:
    """Before the fork, so that its children speak too."""
    speak("worker")


@worker_ready.connect
def announce_the_worker(**_: object) -> None:
    voice.started()


@worker_shutdown.connect
@worker_process_shutdown.connect
def end_speaking(**_: object) -> None:
    voice.end()


@beat_init.connect
def announce_beat(**_: object) -> None:
    speak("beat")
    voice.started()


def speak(service: str) -> None:
    voice.begin(
        url=settings.NATS_URL,
        service=service,
        log_level=settings.NATS_LOG_LEVEL,
        events=settings.NATS_EVENTS,
    )


@app.on_after_configure.connect
def make_room_for_the_schedule(**_: object) -> None:
    """Beat keeps its clock in a file, and ends when the folder is not there."""
    schedule = Path(settings.CELERY_BEAT_SCHEDULE_FILENAME)
    schedule.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

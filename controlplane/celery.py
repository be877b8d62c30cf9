"""The Celery application: `celery -A controlplane worker`, `celery -A controlplane beat`."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from celery import Celery
from celery.signals import (
    beat_init,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)
from django.conf import settings

# Not by way of `streams.services`: beat loads no application.
from streams.broker import voice

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

app = Celery("tickplane")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


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

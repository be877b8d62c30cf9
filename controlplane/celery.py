"""The Celery application: `celery -A controlplane worker`, `celery -A controlplane beat`."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

app = Celery("tickplane")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_room_for_the_schedule(**_: object) -> None:
    """Beat keeps its clock in a file, and ends when the folder is not there."""
    schedule = Path(settings.CELERY_BEAT_SCHEDULE_FILENAME)
    schedule.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

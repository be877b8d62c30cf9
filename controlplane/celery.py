"""The Celery application: `celery -A controlplane worker`, `celery -A controlplane beat`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

app = Celery("tickplane")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

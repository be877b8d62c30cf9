"""
The project's settings, read from an environment that belongs to the tests.

pytest-django reads the settings before any conftest is imported, so the environment is made here:
no test touches the operator's data directory, or meets the servers that the environment names.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile

KEPT = {"TICKPLANE_RECORDED_DATA"}
SERVERS = {"DATABASE_URL", "NATS_URL", "NATS_MONITOR_URL", "RABBITMQ_URL", "REDIS_URL"}

_home = tempfile.mkdtemp(prefix="tickplane-tests-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)

for _name in list(os.environ):
    if _name in SERVERS or (_name.startswith("TICKPLANE_") and _name not in KEPT):
        del os.environ[_name]
os.environ["TICKPLANE_HOME"] = _home
os.environ["TICKPLANE_SECRET_KEY"] = secrets.token_urlsafe(48)
os.environ["TICKPLANE_ACCOUNT_KEYS"] = secrets.token_urlsafe(32)
# Commands that tests start in processes of their own read the project's settings, not these.
os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"

from controlplane.settings import *  # noqa: E402, F403

# A command that a test calls in this process shall not look for a NATS that is not the test's.
NATS_EVENTS, NATS_LOG_LEVEL = False, "OFF"

"""A real web process: uvicorn, Channels, sessions in a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.servers.process import Server, free_port, listens

PEOPLE = """
import json, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
import django
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
cookies = {}
for name, is_staff in (("reader", False), ("operator", True)):
    user = User.objects.create_user(name, is_staff=is_staff)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    cookies[name] = session.session_key
print(json.dumps(cookies))
"""


class WebServer(Server):
    """`cookies` holds a session key for `reader` (no staff) and one for `operator` (staff)."""

    name = "the web process"

    def __init__(self, folder: Path, nats_url: str) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.nats_url = nats_url
        self.cookies: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        return os.environ | {"TICKPLANE_HOME": str(self.folder), "NATS_URL": self.nats_url}

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "uvicorn", "controlplane.asgi:application"),
            *("--app-dir", str(Path.cwd()), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--ws", "websockets-sansio", "--ws-per-message-deflate", "false"),
            *("--ws-max-size", "65536", "--loop", "uvloop", "--no-access-log"),
        ]

    def answers(self) -> bool:
        return listens(self.port)

    def start(self) -> None:
        made = subprocess.run(
            [sys.executable, "-c", PEOPLE],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        self.cookies = json.loads(made.stdout)
        super().start()

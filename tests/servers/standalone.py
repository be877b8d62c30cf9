"""The whole product, as the operator starts it: `manage.py standalone` in a data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.servers.process import Server, free_port

ROOT = Path(__file__).resolve().parent.parent.parent


class Tickplane(Server):
    name = "Tickplane"
    start_s = 60.0
    stop_s = 30.0
    stop_signal = signal.SIGINT
    death_signal = signal.SIGTERM  # It stops what it started, in order.

    def __init__(self, folder: Path, *flags: str, **environment: str) -> None:
        """
        Args:
            flags: Further flags of `standalone`.
            environment: Further settings.
        """
        super().__init__(folder)
        self.cwd = ROOT
        self.port = free_port()
        self.home = folder / "home"
        self.flags = flags
        self.settings = environment

    @property
    def url(self) -> str:
        """Where the web server is, without a closing slash."""
        return self.running_values()["WEB_URL"].rstrip("/")

    @property
    def nats_url(self) -> str:
        """Where its NATS is; holds a password."""
        return self.running_values()["NATS_URL"]

    def sign_in_url(self) -> str:
        """Return a link that signs the administrator in, once; signing in ends all others."""
        made = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "sign_in_link"],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.strip()

    def running_values(self) -> dict[str, str]:
        """Return what the command wrote about itself; empty before it is ready."""
        try:
            lines = (self.home / "running.env").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def command(self) -> list[str]:
        flags = ["--port", str(self.port), *self.flags]
        return [sys.executable, str(ROOT / "manage.py"), "standalone", *flags]

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TICKPLANE_")}
        return kept | {"TICKPLANE_HOME": str(self.home)} | self.settings

    def answers(self) -> bool:
        if "SIGN_IN_URL" not in self.running_values():
            return False
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

"""The Chromium of this machine, under Playwright."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

from tests.servers.process import ServerMissing

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Debian's Chromium looks for updates and peers by itself; a test measures our traffic only.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """
    Return a browser of the system, else the one that Playwright installed.

    Raises:
        ServerMissing: There is neither.
    """
    installed = (found for name in NAMES if (found := shutil.which(name)))
    program = next(installed, playwright.chromium.executable_path)
    if not Path(program).exists():
        raise ServerMissing("none of " + ", ".join(NAMES) + " is installed")
    return playwright.chromium.launch(executable_path=program, args=FLAGS)

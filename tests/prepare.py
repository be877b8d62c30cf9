"""
Gets what the tests need onto this machine, and says in one line each what it found.

    python3 tests/prepare.py

With the standard library only: it runs before any package is installed. Packages of this project go
into `.venv`. Servers come from apt where we are root on Debian or Ubuntu, otherwise from what is
there, otherwise as container images. Nothing is left running.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker" / "compose.test.yaml"
POLICY = Path("/usr/sbin/policy-rc.d")
PYTHON = ROOT / ".venv" / "bin" / "python"
SHOWN_LINES = 15


class Need(NamedTuple):
    """One thing that is no Python package."""

    name: str
    programs: tuple[str, ...]  # any one of them will do
    packages: tuple[str, ...]
    folders: tuple[str, ...] = ()  # searched besides PATH
    service: str = ""  # its name in COMPOSE

    def found(self) -> str:
        """Return the path of its program; empty when it is not here."""
        folders = [str(f) for pattern in self.folders for f in Path("/").glob(pattern.lstrip("/"))]
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *folders])
        return next((p for name in self.programs if (p := shutil.which(name, path=path))), "")


CHROMIUM = Need(
    "Chromium",
    ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    ("chromium",),
    (f"{Path.home()}/.cache/ms-playwright/chromium-*/chrome-linux*",),
)
NEEDS = (
    Need(
        "RabbitMQ", ("rabbitmq-server",), ("rabbitmq-server",),
        ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"), "rabbitmq",
    ),
    Need("Redis", ("redis-server",), ("redis-server",), service="redis"),
    Need("PostgreSQL", ("initdb",), ("postgresql",), ("/usr/lib/postgresql/*/bin",), "postgres"),
    CHROMIUM,
    Need("gettext", ("msgfmt",), ("gettext",)),
)  # fmt: skip


class StepFailed(Exception):
    """A program ended with an error; holds its last lines."""


def say(text: str) -> None:
    print(f"prepare: {text}", file=sys.stderr, flush=True)  # noqa: T201


def run(*command: str, **environment: str) -> None:
    """
    Run quietly.

    Raises:
        StepFailed: It could not be run, or ended with an error.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            done = subprocess.run(
                command,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as e:
            raise StepFailed(f"{command[0]}: {e.strerror}") from e
        if done.returncode:
            log.seek(0)
            last = "\n".join(log.read().strip().splitlines()[-SHOWN_LINES:])
            raise StepFailed(f"{' '.join(command)} ended with code {done.returncode}:\n{last}")


def works(*command: str) -> bool:
    try:
        run(*command)
    except StepFailed:
        return False
    return True


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep Debian's packages from starting the daemons that they bring."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def install_with_apt(needs: list[Need]) -> None:
    """
    Raises:
        StepFailed: apt-get did not install them.
    """
    packages = [package for need in needs for package in need.packages]
    say(f"installing {', '.join(packages)} with apt-get …")
    run("apt-get", "update", "-qq")
    # Ubuntu has no package of Chromium, and one unknown name would stop them all.
    known = [package for package in packages if works("apt-cache", "show", package)]
    with no_service_starts():
        run(
            "apt-get", "install", "-y", "-qq", "--no-install-recommends",
            "-o", "DPkg::Lock::Timeout=120", *known,
            DEBIAN_FRONTEND="noninteractive",
        )  # fmt: skip


def install_browser() -> None:
    """
    Raises:
        StepFailed: Playwright could not fetch its Chromium.
    """
    say("no package of Chromium here; fetching Playwright's …")
    run(str(PYTHON), "-m", "playwright", "install", "--with-deps", "chromium")


def succeeded(install: Callable[[], None]) -> bool:
    """Call `install`; tell its failure and go on: the tests decide what a lack means."""
    try:
        install()
    except StepFailed as e:
        say(str(e))
        return False
    return True


def images(needs: list[Need]) -> list[Need]:
    """Return those of `needs` whose container image is here, after fetching what is missing."""
    wanted = [need for need in needs if need.service]
    if not wanted or not works("docker", "compose", "version") or not works("docker", "info"):
        return []
    say("fetching container images …")
    pull = ("docker", "compose", "-f", str(COMPOSE), "pull", "--quiet")
    return [need for need in wanted if succeeded(partial(run, *pull, need.service, TEST_PORT="0"))]


def missing() -> list[Need]:
    return [need for need in NEEDS if not need.found()]


def main() -> int:
    bootstrap = str(ROOT / "controlplane" / "bootstrap.py")
    if code := subprocess.call([sys.executable, bootstrap, "prepare", "--dev"]):
        return code
    is_apt_root = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if is_apt_root and missing():
        succeeded(partial(install_with_apt, missing()))
        if CHROMIUM in missing():
            succeeded(install_browser)
    in_containers = images(missing())
    for need in NEEDS:
        if path := need.found():
            say(f"{need.name}: {path}")
        elif need in in_containers:
            say(f"{need.name}: in a container")
        else:
            outcome = "fail" if os.environ.get("CI") == "true" else "are skipped"
            say(f"{need.name}: not here ({' '.join(need.packages)}); its tests {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

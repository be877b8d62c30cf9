"""The data directory: where it is, its secrets, and what the running instance wrote there."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SECRETS = "secrets.env"
RUNNING = "running.env"
LOCK = "lock"
# Bytes of chance in each.
OWN_SECRETS = {
    "TICKPLANE_SECRET_KEY": 48,
    "TICKPLANE_NATS_PASSWORD": 24,
    "TICKPLANE_ACCOUNT_KEYS": 32,  # a Fernet key has exactly so many
}


class HomeUnusable(Exception):
    """The data directory cannot be made, read or written. The text names it."""


def prepare(home: Path) -> None:
    """
    Make the data directory, readable by its owner only.

    Raises:
        HomeUnusable: It cannot be made or written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # another thread may have been as far
    except OSError as e:
        raise HomeUnusable(
            f"the data directory {home} (TICKPLANE_HOME) cannot be written: {e.strerror}."
        ) from e


def read(home: Path, name: str) -> dict[str, str]:
    """
    Return the NAME=value lines of a file of ours; empty when there is none.

    Raises:
        HomeUnusable: It is there and cannot be read.
    """
    try:
        text = (home / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no text"
        raise HomeUnusable(
            f"{home / name}, in the data directory (TICKPLANE_HOME), cannot be read: {why}."
        ) from e
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def running(home: Path) -> dict[str, str]:
    """
    Return what a running `standalone` wrote about itself; nothing when none runs.

    One that was killed leaves its file behind: it must not send the next command to servers that
    are gone, or to somebody else's on the same port.

    Raises:
        HomeUnusable: See `read`.
    """
    return read(home, RUNNING) if _is_held(home / LOCK) else {}


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def write(home: Path, name: str, values: Mapping[str, str]) -> None:
    """Replace the file in one step, with mode 0600 from its first byte."""
    target = home / name
    draft = home / f".{name}-{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in values.items())
    draft.replace(target)


def own_secrets(home: Path) -> dict[str, str]:
    """
    Return this installation's secrets; each is made when it is missing, then kept.

    Raises:
        HomeUnusable: See `prepare` and `read`.
    """
    found = read(home, SECRETS)
    if all(found.get(name) for name in OWN_SECRETS):
        return found
    prepare(home)
    with _alone(home):
        # Somebody else may have made them while we waited, and may have used them since.
        found = read(home, SECRETS)
        made = found | {
            name: secrets.token_urlsafe(size)
            for name, size in OWN_SECRETS.items()
            if not found.get(name)
        }
        write(home, SECRETS, made)
    return made


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one process at a time make secrets: the loser's would be lost, with what it sealed."""
    folder = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)

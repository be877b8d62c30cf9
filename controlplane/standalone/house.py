"""The data directory of a standalone system: checked before anything is changed, used by one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane import home

FREE_BYTES = 200 * 1024 * 1024
FOLDERS = ("log", "nats", "celery/queue", "celery/control", "celery/tmp")


class HouseUnusable(Exception):
    """The data directory cannot serve; one sentence that says why."""


def prepare(folder: Path) -> None:
    """
    Make the data directory and its folders.

    Raises:
        HouseUnusable: It cannot be written, or its disk is full.
    """
    try:
        home.prepare(folder)
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except home.HomeUnusable as e:
        raise HouseUnusable(str(e)) from e
    except OSError as e:
        raise HouseUnusable(f"{e.filename} cannot be made: {e.strerror}.") from e
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise HouseUnusable(f"{folder} has {free // 2**20} MB left; at least 200 MB are needed.")


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """
    Hold the data directory for this process.

    Raises:
        HouseUnusable: Another process holds it.
    """
    with (folder / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            lock.seek(0)
            raise HouseUnusable(
                f"process {lock.read().strip() or '?'} runs in {folder} already; "
                "stop it, or set TICKPLANE_HOME to another folder."
            ) from e
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield

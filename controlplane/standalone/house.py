"""The data directory of a standalone system: checked before anything is changed, used by one."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from controlplane import home

FREE_BYTES = 200 * 1024 * 1024
TRIES, AGAIN_S = 5, 0.05
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


def _hold(lock: TextIO) -> bool:
    # Another command may just be looking whether somebody holds it.
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(AGAIN_S)
        else:
            return True
    return False


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """
    Hold the data directory for this process.

    Raises:
        HouseUnusable: Another process holds it.
    """
    with (folder / home.LOCK).open("a+", encoding="ascii") as lock:
        if not _hold(lock):
            lock.seek(0)
            raise HouseUnusable(
                f"process {lock.read().strip() or '?'} runs in {folder} already; "
                "stop it, or set TICKPLANE_HOME to another folder."
            )
        # Left by one that was killed.
        (folder / home.RUNNING).unlink(missing_ok=True)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield

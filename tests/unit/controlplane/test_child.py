"""A child of `standalone`, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

from controlplane.standalone.child import Child


@asynccontextmanager
async def kept(log_folder, program="import signal; signal.pause()", **options):
    log_folder.mkdir()
    command = [sys.executable, "-u", "-c", program]
    child = Child("sleeper", command, os.environ, log_folder, **options)
    child.start()
    keeping = asyncio.create_task(child.keep())
    try:
        yield child
    finally:
        child.stop()
        await child.ended()
        await keeping


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_child_that_was_killed_is_started_again(tmp_path):
    async with kept(tmp_path / "log") as child:
        first = child.pid
        os.kill(first, signal.SIGKILL)

        await until(lambda: child.pid not in (None, first))

        assert child.restarts == 1


async def test_a_child_that_cannot_be_started_is_tried_again_until_it_can(tmp_path, caplog):
    folder = tmp_path / "log"
    async with kept(folder) as child:
        folder.rename(tmp_path / "elsewhere")
        os.kill(child.pid, signal.SIGKILL)
        await until(lambda: "sleeper cannot be started" in caplog.text)

        folder.mkdir()

        await until(lambda: child.pid is not None)
        assert child.restarts == 1


CHATTY = """
import os, time
while True:
    os.write(1, b"x" * 99 + b"\\n")
    time.sleep(0.001)
"""


async def test_a_long_log_begins_anew_while_the_program_runs(tmp_path):
    log = tmp_path / "log" / "sleeper.log"
    told = log.with_suffix(".log.1")

    async with kept(tmp_path / "log", CHATTY, log_bytes=10_000):
        await until(told.exists)
        await until(lambda: 0 < log.stat().st_size < told.stat().st_size)

        # A hole would read as zeros.
        assert set(log.read_bytes()) == set(b"x\n")

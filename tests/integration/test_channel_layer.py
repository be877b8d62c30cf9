from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.arch.sources import ROOT

pytestmark = pytest.mark.integration

LISTEN = """
async def main(layer):
    name = await layer.new_channel()
    await layer.group_add("tests", name)
    print("ready", flush=True)
    async with asyncio.timeout(20):
        print((await layer.receive(name))["text"], flush=True)
"""
TELL = """
async def main(layer):
    await layer.group_send("tests", {"type": "told", "text": "over the wall"})
"""
FRAME = """
import asyncio, django
django.setup()
from channels.layers import get_channel_layer
from django.core.cache import cache
{body}
asyncio.run(main(get_channel_layer()))
"""


@pytest.fixture
def start(redis_server, tmp_path):
    """Start a program in a process that has the project's settings with this Redis."""
    started = []

    def start(body):
        process = subprocess.Popen(
            [sys.executable, "-c", FRAME.format(body=body)],
            cwd=ROOT,
            env=os.environ | {"TICKPLANE_HOME": str(tmp_path), "REDIS_URL": redis_server.url},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_group_message_reaches_another_process(start):
    listener = start(LISTEN)
    assert listener.stdout.readline() == "ready\n"

    teller = start(TELL)

    assert teller.wait(30) == 0
    assert listener.stdout.readline() == "over the wall\n"
    assert listener.wait(30) == 0


def test_the_cache_is_shared_between_processes(start):
    writer = start('async def main(_): cache.set("tests", "kept", 60)')
    assert writer.wait(30) == 0

    reader = start('async def main(_): print(cache.get("tests"))')

    assert reader.communicate(timeout=30)[0] == "kept\n"

from __future__ import annotations

import subprocess
import sys


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def test_the_client_comes_without_aiohttp_and_everybody_else_finds_it():
    program = (
        "import sys, streams.broker, nats; loaded = 'aiohttp' in sys.modules\n"
        "import aiohttp; print(loaded, bool(aiohttp.ClientSession))"
    )

    assert run(program) == "False True"


def test_who_has_aiohttp_already_keeps_it():
    assert run("import aiohttp, streams.broker, nats; print(bool(aiohttp.ClientSession))") == "True"


def test_nothing_of_the_client_is_loaded_before_it_is_asked_for():
    assert run("import sys, streams.broker; print('nats' in sys.modules)") == "False"

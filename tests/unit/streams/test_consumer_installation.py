"""What happens where another distribution has overwritten the NATS client."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from streams.broker import installation
from tests.arch.sources import ROOT

METADATA = "Metadata-Version: 2.1\nName: asyncio-nats-client\nVersion: 0.11.5\n"
CONNECT = """
import asyncio, sys
from streams.broker.connect import connect
from streams.core.errors import WrongClient
try:
    asyncio.run(connect("nats://127.0.0.1:9", name="test"))
except WrongClient as e:
    sys.exit(str(e))
"""
LIFESPAN = """
import asyncio, sys
from controlplane.asgi import application

async def send(message):
    sys.exit(message["type"] + " " + message["message"])

async def receive():
    return {"type": "lifespan.startup"}

asyncio.run(application({"type": "lifespan"}, receive, send))
"""


@pytest.fixture
def overwritten(tmp_path):
    """The environment of a process that finds the other distribution installed."""
    folder = tmp_path / "site" / "asyncio_nats_client-0.11.5.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(METADATA)
    known = {name: value for name, value in os.environ.items() if name != "TICKPLANE_ROLE"}
    return known | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)]),
        "TICKPLANE_HOME": str(tmp_path / "home"),
        "TICKPLANE_SECRET_KEY": "only-for-this-test",
    }


def said(environment, *command, given=None):
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, input=given,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.mark.parametrize(
    ("command", "given"),
    [
        (["manage.py", "check"], None),
        (["manage.py", "run_pipeline"], None),
        (["manage.py", "run_nats"], None),
        (["-c", CONNECT], None),
        (["-c", LIFESPAN], None),
        (
            ["-m", "pipeline.worker"],
            msgspec.json.encode({"nats_url": "nats://127.0.0.1:9"}).decode() + "\n",
        ),
    ],
    ids=["check", "run_pipeline", "run_nats", "connect", "web", "worker"],
)
def test_nothing_starts_and_each_says_what_to_do(overwritten, command, given):
    told = said(overwritten, *command, given=given)

    assert "asyncio-nats-client 0.11.5 is installed" in told
    assert "pip uninstall --yes asyncio-nats-client" in told
    assert "pip install --force-reinstall --no-deps nats-py" in told
    if command[0] == "manage.py":
        assert "streams.E001" in told


def test_the_right_client_is_no_reason_to_refuse():
    installation.refuse_intruder.cache_clear()

    installation.refuse_intruder()

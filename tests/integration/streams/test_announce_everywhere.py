"""Every process of the product says on NATS that it started, and that it lives."""

from __future__ import annotations

import msgspec
import pytest

from streams.broker import voice
from streams.broker.link import Link
from tests.servers.process import wait_until

pytestmark = pytest.mark.integration

PROCESSES = {"standalone", "web", "worker", "pipeline", "pipeline-worker"}


@pytest.fixture
def link(tickplane):
    link = Link(tickplane.nats_url, "test")
    yield link
    link.close()


def spoken(link, pattern):
    """Return the last message of each subject under a pattern."""

    subjects = link.api("STREAM.INFO.SYSTEM_EVENTS", {"subjects_filter": pattern})["state"].get(
        "subjects", {}
    )
    found = {}
    for subject in subjects:
        message = link.api("STREAM.MSG.GET.SYSTEM_EVENTS", {"last_by_subj": subject})["message"]
        data = msgspec.json.decode(f'"{message["data"]}"', type=bytes)
        found[subject] = msgspec.json.decode(data)
    return found


def test_every_process_has_started_and_is_healthy(link):
    def all_spoke():
        started, healthy = spoken(link, "system.service.*.started"), spoken(link, "system.health.*")
        return len(started) >= len(PROCESSES) and len(healthy) >= len(PROCESSES)

    wait_until(all_spoke, 30, "each has spoken")

    started, healthy = spoken(link, "system.service.*.started"), spoken(link, "system.health.*")
    assert {body["service"] for body in started.values()} >= PROCESSES
    assert {body["service"]: body["status"] for body in healthy.values()}.items() >= (
        dict.fromkeys(PROCESSES, "healthy").items()
    )
    pids = {body["pid"] for body in started.values()}
    assert len(pids) == len(started)  # Each spoke for itself.


def test_a_process_that_is_to_say_nothing_has_no_announcer():
    voice.begin(url="nats://127.0.0.1:9", service="x", log_level=voice.OFF, events=False)

    assert voice._voices == []

"""The one announcer of a process: what it sends from its first word to its last."""

from __future__ import annotations

import logging

import msgspec
import pytest
from django.test import override_settings

from streams.broker import voice
from streams.broker.link import Link
from streams.services import announcing
from tests.servers.process import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def told(own_nats):
    """Return a function that lists (subject, body) of all that was announced so far."""
    link = Link(own_nats.url, "test")
    link.api("STREAM.CREATE.ALL", {"name": "ALL", "subjects": ["system.>", "service.>"]})

    def found():
        count = link.api("STREAM.INFO.ALL")["state"]["last_seq"]
        messages = [
            link.api("STREAM.MSG.GET.ALL", {"seq": seq})["message"] for seq in range(1, count + 1)
        ]
        return [
            (message["subject"], msgspec.json.decode(msgspec.json.decode(
                f'"{message["data"]}"', type=bytes
            )))
            for message in messages
        ]  # fmt: skip

    yield found
    voice.end()
    link.close()


def test_a_service_speaks_from_its_start_to_its_end(own_nats, told):
    root = logging.getLogger()
    before = list(root.handlers)
    with (
        override_settings(NATS_URL=own_nats.url, NATS_LOG_LEVEL="WARNING", NATS_EVENTS=True),
        announcing.announced(service="testing", details=lambda: {"sources": 2}),
    ):
        logging.getLogger("tests.voice").error("broken")
        logging.getLogger("tests.voice").info("fine")
        announcing.announce(event="reloaded", nodes=1)
        announcing.alert(level="critical", type="disk", text="The disk is full.", free=0)
        wait_until(lambda: "system.health.testing" in dict(told()), 10, "health is told")
    logging.getLogger("tests.voice").error("afterwards")

    said = dict(told())
    assert root.handlers == before
    assert set(said) == {
        "system.service.testing.started",
        "system.health.testing",
        "service.testing.log.error",
        "system.service.testing.reloaded",
        "system.alert.critical.disk",
        "system.service.testing.stopping",
    }
    assert said["system.health.testing"]["sources"] == 2
    assert said["service.testing.log.error"]["message"] == "broken"
    assert said["system.alert.critical.disk"]["free"] == 0


@pytest.mark.parametrize(
    ("level", "events", "subjects"),
    [
        ("OFF", True, {"system.service.testing.started", "system.service.testing.stopping"}),
        ("ERROR", False, {"service.testing.log.error"}),
        ("OFF", False, set()),
    ],
)
def test_logs_and_events_can_be_switched_off_each(own_nats, told, level, events, subjects):
    with (
        override_settings(NATS_URL=own_nats.url, NATS_LOG_LEVEL=level, NATS_EVENTS=events),
        announcing.announced(service="testing"),
    ):
        logging.getLogger("tests.voice").warning("not so bad")
        logging.getLogger("tests.voice").error("broken")

    assert {subject for subject, _ in told()} - {"system.health.testing"} == subjects


def test_a_second_beginning_changes_nothing(own_nats, told):
    for service in ("first", "second"):
        voice.begin(url=own_nats.url, service=service, log_level=voice.OFF)
    voice.event("heard")
    voice.end()
    voice.end()

    assert [subject for subject, _ in told()] == [
        "system.service.first.heard", "system.service.first.stopping",
    ]  # fmt: skip

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import announcements, subjects
from streams.core.announcements import Sender

AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
SENDER = Sender("pipeline", "host-1", 42)
OWN = {"service": "pipeline", "timestamp": "2026-01-02T03:04:05.678Z", "host": "host-1", "pid": 42}
CANARY = "hunter2canary"


def decoded(announcement):
    subject, payload = announcement
    return subject, msgspec.json.decode(payload)


def test_a_log_record_goes_to_its_level():
    subject, body = decoded(
        announcements.log(
            SENDER, at=AT, level="WARNING", logger="pipeline.flow", message="slow", traceback="t"
        )
    )

    assert subject == "service.pipeline.log.warning"
    assert body == OWN | {
        "level": "WARNING", "logger": "pipeline.flow", "message": "slow", "traceback": "t",
    }  # fmt: skip


def test_the_others_go_where_the_contract_says():
    event = announcements.event(SENDER, "started", at=AT, details={"version": "1"})
    health = announcements.health(SENDER, at=AT, status="healthy", uptime_s=7.4, every_s=30)
    alert = announcements.alert(SENDER, at=AT, level="critical", type="nats_down", text="gone")

    assert decoded(event) == (
        "system.service.pipeline.started",
        OWN | {"type": "service", "event": "started", "version": "1"},
    )
    assert decoded(health) == (
        "system.health.pipeline",
        OWN | {"type": "health", "status": "healthy", "uptime_seconds": 7, "interval_seconds": 30},
    )
    assert decoded(alert) == (
        "system.alert.critical.nats_down",
        OWN | {"type": "alert", "alert": "gone", "severity": "critical", "alertType": "nats_down"},
    )


def test_a_time_is_told_in_utc():
    at = AT.astimezone(timezone(timedelta(hours=2)))

    assert announcements.stamp(at) == "2026-01-02T03:04:05.678Z"


def test_details_cannot_pass_for_what_is_said_of_itself():
    details = {"service": "web", "type": "health", "kept": True}
    _, body = decoded(announcements.event(SENDER, "started", at=AT, details=details))

    assert (body["service"], body["type"], body["kept"]) == ("pipeline", "service", True)


def test_details_that_are_too_long_are_left_out():
    details = {"list": ["x" * 1_000] * 100}
    _, body = decoded(announcements.event(SENDER, "started", at=AT, details=details))

    assert body == OWN | {"type": "service", "event": "started", "details": "left out: too long"}


@pytest.mark.parametrize("before", [0, 7_990, 15_995, 31_990])
def test_no_secret_survives_wherever_the_text_is_cut(before):
    text = "x" * before + f" nats://user:{CANARY}@host "
    told = [
        announcements.log(
            SENDER, at=AT, level="ERROR", logger="x", message=text, traceback=text + "y" * 9_000
        ),
        announcements.alert(SENDER, at=AT, level="x", type="y", text=text),
        announcements.event(SENDER, "failed", at=AT, details={"why": text}),
    ]

    assert CANARY[3:-3] not in str(told)


def test_a_long_traceback_keeps_its_beginning_and_its_end():
    traceback = "first\n" + "middle\n" * 10_000 + "ValueError: last"
    _, payload = announcements.log(
        SENDER, at=AT, level="ERROR", logger="x", message="y" * 100_000, traceback=traceback
    )
    body = msgspec.json.decode(payload)

    assert body["traceback"].startswith("first\n")
    assert body["traceback"].endswith("ValueError: last")
    assert "characters left out" in body["traceback"]
    assert len(payload) < 25_000


@given(st.text(min_size=1), st.text(), st.dictionaries(st.text(), st.text() | st.floats()))
def test_whatever_is_said_is_one_json_object_on_one_subject(name, text, details):
    for subject, payload in (
        announcements.log(SENDER, at=AT, level="INFO", logger=name, message=text),
        announcements.event(Sender(name, "h", 1), name, at=AT, details=details),
        announcements.alert(SENDER, at=AT, level=name, type=name, text=text, details=details),
    ):
        assert 3 <= len(subjects.tokens(subject)) <= 4
        assert isinstance(msgspec.json.decode(payload), dict)


def test_half_a_character_does_not_keep_the_rest_from_being_told():
    _, body = decoded(
        announcements.log(SENDER, at=AT, level="INFO", logger="x", message="file \udcff.txt")
    )

    assert body["message"] == "file ?.txt"


def test_what_json_does_not_know_is_told_in_its_own_words():
    _, body = decoded(announcements.event(SENDER, "x", at=AT, details={"at": {1}, "o": object}))

    assert (body["at"], body["o"]) == ([1], "<class 'object'>")

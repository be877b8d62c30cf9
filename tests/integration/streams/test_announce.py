"""Announcements against a real server: what arrives, what is dropped, and who never waits."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from streams.broker.announce import Announcer
from streams.broker.link import Link
from streams.broker.loghandler import NatsHandler
from streams.core.errors import BrokerAway
from tests.servers.process import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(own_nats):
    """A server with the streams that take announcements."""
    link = Link(own_nats.url, "test")
    for name, subject in (("SYSTEM_EVENTS", "system.>"), ("SERVICE_LOGS", "service.>")):
        link.api(f"STREAM.CREATE.{name}", {"name": name, "subjects": [subject]})
    own_nats.link = link
    yield own_nats
    link.close()


@pytest.fixture
def announcers():
    """Makes announcers that end with the test."""
    made: list[Announcer] = []

    def make(url, service="testing", **options):
        made.append(Announcer(url, service, **options))
        return made[-1]

    yield make
    for announcer in made:
        announcer.close(0.1)


@pytest.fixture
def announcer(broker, announcers):
    return announcers(broker.url)


@pytest.fixture
def log(announcer):
    """A logger whose warnings go to NATS."""
    handler = NatsHandler(announcer)
    logger = logging.getLogger("tests.announced")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def stored(broker, stream):
    """Return (subject, body) of every message of a stream."""
    state = broker.link.api(f"STREAM.INFO.{stream}")["state"]
    found = []
    for seq in range(max(1, state["first_seq"]), state["last_seq"] + 1):
        message = broker.link.api(f"STREAM.MSG.GET.{stream}", {"seq": seq})["message"]
        found.append((message["subject"], msgspec.json.decode(decoded(message["data"]))))
    return found


def start_again(broker):
    """Start the server; return when the test's own link is back."""

    def answers():
        try:
            return broker.link.api("INFO", within_s=1)
        except BrokerAway:
            return None

    broker.start()
    wait_until(answers, 15, "the test's own link")


def decoded(text):
    return msgspec.json.decode(f'"{text}"', type=bytes)


def settled(announcer):
    wait_until(lambda: not announcer.counters().waiting, 10, "everything is answered")
    return announcer.counters()


def test_records_events_and_alerts_are_stored(broker, announcer, log):
    log.warning("link to %s lost: nats://u:%s@h", "okx", "hunter2canary")
    try:
        int("token=hunter2canary")
    except ValueError:
        log.exception("failed")
    log.info("not worth it")
    announcer.event("started", version="1")
    announcer.alert("critical", "nats_down", "It is down.")

    counters = settled(announcer)

    assert (counters.announced, counters.stored, counters.dropped) == (4, 4, 0)
    (warned, lost), (failed, error) = stored(broker, "SERVICE_LOGS")
    assert (warned, failed) == ("service.testing.log.warning", "service.testing.log.error")
    assert lost["message"] == "link to okx lost: nats://u:***@h"
    assert lost["logger"] == "tests.announced"
    assert error["traceback"].startswith("Traceback")
    assert error["traceback"].endswith("'token=***")
    (started, _), (down, _) = stored(broker, "SYSTEM_EVENTS")
    assert (started, down) == ("system.service.testing.started", "system.alert.critical.nats_down")


def test_health_is_told_at_once_and_again(broker, announcer):
    answers = iter([{"sources": 3}, {"status": "degraded", "why": "slow"}])
    announcer.keep_healthy(every_s=0.1, details=lambda: next(answers))

    wait_until(lambda: len(stored(broker, "SYSTEM_EVENTS")) >= 3, 10, "three times")

    told = stored(broker, "SYSTEM_EVENTS")[:3]
    assert {subject for subject, _ in told} == {"system.health.testing"}
    bodies = [body for _, body in told]
    assert [body["status"] for body in bodies] == ["healthy", "degraded", "degraded"]
    assert (bodies[0]["sources"], bodies[1]["why"]) == (3, "slow")
    assert bodies[2]["error"].startswith("StopIteration")
    assert bodies[0]["interval_seconds"] == 0.1


def test_what_a_plain_subscriber_or_nobody_takes_is_not_lost_for_good(own_nats, announcers):
    announcer = announcers(own_nats.url)
    announcer.event("started")

    counters = settled(announcer)

    assert (counters.stored, counters.unstored, counters.dropped) == (0, 1, 0)
    assert announcer.close()


def test_a_stream_that_refuses_is_counted(broker, announcer):
    config = broker.link.api("STREAM.INFO.SYSTEM_EVENTS")["config"]
    broker.link.api("STREAM.UPDATE.SYSTEM_EVENTS", config | {"max_msg_size": 10})

    announcer.event("started")

    assert settled(announcer).refused == 1


def test_while_nats_is_away_nobody_waits_and_what_was_dropped_is_told_afterwards(
    broker, announcers, log
):
    announcer = announcers(broker.url, max_waiting=50)
    log.handlers[0].announcer = announcer
    log.warning("before")
    settled(announcer)
    broker.kill()

    slowest_s = 0.0
    for number in range(1_000):
        began = time.perf_counter()
        log.warning("away %d", number)
        slowest_s = max(slowest_s, time.perf_counter() - began)
    away = announcer.counters()
    start_again(broker)
    wait_until(lambda: announcer.counters().stored == 51, 15, "the rest is stored")
    wait_until(lambda: len(stored(broker, "SERVICE_LOGS")) == 52, 10, "and the summary")

    assert away.dropped == 950
    assert slowest_s < 0.2
    messages = [body["message"] for _, body in stored(broker, "SERVICE_LOGS")]
    assert messages[:51] == ["before", *(f"away {number}" for number in range(50))]
    assert messages[51].startswith("950 records dropped")
    assert stored(broker, "SERVICE_LOGS")[51][1]["dropped"] == 950
    assert announcer.close()


def test_what_was_under_way_when_the_server_died_is_stored_once(broker, announcers):
    announcer = announcers(broker.url, max_waiting=100_000)
    for number in range(3_000):
        announcer.event("counted", number=number)
        if number == 1_000:
            wait_until(lambda: announcer.counters().stored > 200, 10, "some are stored")
            broker.kill()
            start_again(broker)

    settled(announcer)

    numbers = [body["number"] for _, body in stored(broker, "SYSTEM_EVENTS")]
    assert sorted(numbers) == list(range(3_000))
    assert announcer.counters().dropped == 0
    assert announcer.close()


def test_records_of_the_carrying_itself_beget_no_others(broker, announcer, log):
    for name in ("nats", "nats.aio.client", "streams.broker.carrier", "streams.broker.announce"):
        log.handlers[0].handle(logging.LogRecord(name, 50, "f", 1, "about itself", (), None))
    own = threading.Thread(target=lambda: log.warning("from within"))
    announcer._thread = own
    own.start()
    own.join()
    announcer._thread = None

    log.warning("from outside")

    assert settled(announcer).announced == 1


def test_a_record_that_cannot_be_formatted_ends_nothing(broker, announcer, log, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)

    log.warning("%d", "no number")
    log.warning("goes on")

    assert settled(announcer).stored == 1


def test_closing_sends_what_is_left_or_gives_up_in_time(broker, announcers):
    reached, away = announcers(broker.url, "a"), announcers("nats://127.0.0.1:9", "b")
    for announcer in (reached, away):
        announcer.event("stopping")

    assert reached.close(5)
    began = time.monotonic()
    assert not away.close(0.3)

    assert time.monotonic() - began < 2
    assert not away.event("late")
    assert not any("announcer" in thread.name for thread in threading.enumerate())
    assert stored(broker, "SYSTEM_EVENTS")[0][0] == "system.service.a.stopping"


def test_an_announcer_that_was_never_used_costs_no_thread_and_no_connection(broker, announcers):
    announcer = announcers(broker.url)

    assert announcer.close()
    assert not any("announcer" in thread.name for thread in threading.enumerate())


FORK = """
import os, sys, time
from streams.broker.announce import Announcer

announcer = Announcer(sys.argv[1], "forked")
announcer.keep_healthy(every_s=3600)
announcer.event("parent-before")
while announcer.counters().waiting:
    time.sleep(0.01)
announcer._backlog.call_on_news(None)
announcer.event("parents-own")  # Waits in the parent while it forks; it is not the child's.
assert "nats" in sys.modules
if not (child := os.fork()):
    assert announcer.counters().announced == 0
    announcer.event("child")
    os._exit(0 if announcer.close(5) else 1)
_, status = os.waitpid(child, 0)
announcer.event("parent-after")
sys.exit(status or not announcer.close(5))
"""


def test_a_forked_child_speaks_for_itself(broker):
    done = subprocess.run(
        [sys.executable, "-c", FORK, broker.url], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    told = [
        (subject.rpartition(".")[2], body["pid"])
        for subject, body in stored(broker, "SYSTEM_EVENTS")
        if body["type"] == "service"
    ]
    assert sorted(name for name, _ in told) == [
        "child", "parent-after", "parent-before", "parents-own",
    ]  # fmt: skip
    pids = dict(told)
    assert pids["child"] != pids["parent-after"] == pids["parent-before"] == pids["parents-own"]


IMPORTS = """
import sys
from streams.broker.announce import Announcer
from streams.broker.loghandler import NatsHandler
from streams.core.errors import BrokerAway
NatsHandler(Announcer("nats://127.0.0.1:9", "x"))
print(sorted({"nats", "django"} & set(sys.modules)))
"""


def test_getting_ready_to_announce_loads_neither_client_nor_django():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "[]"

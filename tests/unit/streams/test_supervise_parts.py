"""The parts of the supervisor, each without a server."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from streams.core.serverconf import NodeConfiguration, Routes
from streams.supervise import AlreadySupervised, leaving
from streams.supervise.attempts import BACKOFF_S, STEADY_S, Attempts
from streams.supervise.folder import Folder
from streams.supervise.process import Process
from streams.supervise.standing import Monitored
from streams.supervise.words import Words


class Clock:
    now_s = 1_000.0

    def __call__(self):
        return self.now_s


class Told(Process):
    """A process that only notes what it is told."""

    def __init__(self):
        super().__init__("nats-server", {}, ends_with_us=False)
        self.signals: list[signal.Signals] = []

    def signal(self, number):
        self.signals.append(number)


def configuration(**more):
    given: dict[str, Any] = {
        "name": "n1",
        "port": 4222,
        "http_port": 8222,
        "store_folder": "store",
        "pid_file": "nats.pid",
        "system_hash": "$2a$10$secret",
    }
    return NodeConfiguration(**(given | more))


def test_each_failure_makes_the_next_start_later_until_it_has_run_for_long():
    clock = Clock()
    attempts = Attempts(clock)
    for delay_s in BACKOFF_S:
        attempts.note_failure()
        assert attempts.is_due() == (delay_s == 0)
        clock.now_s += delay_s
        assert attempts.is_due()
    assert attempts.have_failed()

    attempts.note_start()
    attempts.note_running()
    assert attempts.have_failed()
    assert attempts.is_young()

    clock.now_s += STEADY_S + 1
    attempts.note_running()
    assert not attempts.have_failed()
    assert not attempts.is_young()


def test_a_wish_starts_it_at_once():
    attempts = Attempts(Clock())
    for _ in BACKOFF_S:
        attempts.note_failure()
    assert not attempts.is_due()

    attempts.begin_anew()

    assert attempts.is_due()
    assert not attempts.have_failed()


@pytest.mark.parametrize(
    ("routes", "first", "patience_s"),
    [
        (None, signal.SIGTERM, 0.0),
        (Routes("C", "127.0.0.1", 1, ()), signal.SIGUSR2, 40.0),
    ],
)
def test_a_server_that_does_not_go_is_told_again_and_then_killed(routes, first, patience_s):
    process, c = Told(), configuration(routes=routes, lame_duck_s=30)

    found = leaving.begin(process, c, 100.0)
    leaving.press_on(process, found, 100.0)
    assert (process.signals, found.end_s) == ([first], 100.0 + patience_s)

    leaving.press_on(process, found, found.end_s + 1)
    leaving.press_on(process, found, found.kill_s + 1)
    assert process.signals == [first, signal.SIGTERM, signal.SIGKILL]


def test_a_folder_has_one_holder_and_remembers_what_was_placed(tmp_path):
    folder, c = Folder(tmp_path), configuration()
    assert (folder.kept(), folder.text(), folder.pid()) == (None, None, None)

    folder.place(c, "text")

    assert (folder.kept(), folder.text()) == (c, "text")
    assert folder.conf.stat().st_mode & 0o777 == 0o600
    with pytest.raises(AlreadySupervised):
        Folder(tmp_path)
    folder.close()
    Folder(tmp_path).close()


def test_the_last_error_is_told_without_folder_and_hash_whatever_was_logged_before(tmp_path):
    folder, log = Folder(tmp_path), tmp_path / "nats.log"
    words, c = Words(folder), configuration(log_file=str(log))
    log.write_text("[1] [ERR] old\n")
    length = words.length(c)
    assert words.last_error(c, length) == ""

    with log.open("a") as file:
        file.write(f"[1] [ERR] {folder.draft}: {tmp_path}: $2a$10$abc is wrong\n[1] [INF] bye\n")

    assert words.last_error(c, length) == "nats.conf: …: … is wrong"
    folder.close()


@pytest.mark.parametrize(
    ("varz", "health", "known", "state", "reason"),
    [
        ("n2", "ok", {}, "unhealthy", "another server answers on port 8222"),
        ("n1", "ok", {"is_leaving": True}, "starting", "it is being restarted"),
        ("n1", "error", {}, "starting", "not ready"),
        ("n1", "error", {"was_ready": True}, "unhealthy", "not ready"),
        ("n1", "ok", {"refusal": "why"}, "refused", "why"),
        ("n1", "ok", {}, "running", ""),
    ],
)
def test_a_server_is_judged_by_what_it_says_of_itself(varz, health, known, state, reason):
    found = Monitored({"server_name": varz}, {"status": health})
    known = {"refusal": "", "is_leaving": False, "was_ready": False} | known

    assert found.judged(configuration(), **known) == (state, reason)

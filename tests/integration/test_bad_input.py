"""An operator's slip costs one sentence, never a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.arch.sources import ROOT

pytestmark = pytest.mark.integration


@pytest.fixture
def manage(tmp_path):
    """Run one command in an empty data directory; return its exit code and standard error."""

    def run(*arguments, **environment):
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"TICKPLANE_HOME": str(tmp_path / "home")} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    return run


def is_one_sentence(text):
    return text.endswith("\n") and text.count("\n") == 1 and "Traceback" not in text


def test_an_unknown_flag_is_named(manage):
    code, said = manage("standalone", "--prot", "1")

    assert (code, is_one_sentence(said)) == (2, True), said
    assert "--prot" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TICKPLANE_ALLOWED_HOST", "example.org"),
        ("NATS_URL", "somewhere"),
        ("DATABASE_URL", "oracle://x"),
        ("RABBITMQ_URL", "http://127.0.0.1"),
        ("REDIS_URL", "redis://127.0.0.1:port"),
        ("TICKPLANE_HTTPS", "maybe"),
        # No account could ever be STALE: it would be DISCONNECTED before.
        ("TICKPLANE_ACCOUNT_DISCONNECTED_S", "15"),
        ("LOG_LEVEL", "LOUD"),
        ("TICKPLANE_BEGAN_AT", "yesterday"),
        ("TICKPLANE_BEGAN_AT", "nan"),
        ("DATABASE_URL", "postgres://user@127.0.0.1:1/name"),
        ("DATABASE_URL", "postgres://user@127.0.0.1:1/name?no_such_option=1"),
    ],
)
def test_a_setting_that_is_not_understood_is_named(manage, name, value):
    code, said = manage("standalone", "--exit-after", "0", **{name: value})

    assert (code, is_one_sentence(said)) == (2, True), said
    assert name in said


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_a_time_that_is_no_time_is_refused(manage, value):
    code, said = manage("standalone", "--exit-after", value)

    assert (code, is_one_sentence(said)) == (2, True), said
    assert "--exit-after" in said


def test_a_secret_file_that_is_no_text_is_named(manage, tmp_path):
    (tmp_path / "key").write_bytes(b"\xd0\x00\xff")

    code, said = manage("standalone", TICKPLANE_SECRET_KEY_FILE=str(tmp_path / "key"))

    assert (code, is_one_sentence(said)) == (2, True), said
    assert "TICKPLANE_SECRET_KEY_FILE" in said


def test_a_database_file_that_is_none_is_named(manage, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "tickplane.sqlite3").write_bytes(b"noise" * 1000)

    code, said = manage("standalone", "--port", "0", "--exit-after", "0")

    assert (code, is_one_sentence(said)) == (2, True), said
    assert "DATABASE_URL" in said


@pytest.mark.parametrize("name", ["lock", "log/standalone.log", "log/nats.log", "nats/nats.conf"])
def test_a_file_of_the_data_directory_that_is_a_folder_is_named(manage, tmp_path, name):
    (tmp_path / "home" / name).mkdir(parents=True)

    code, said = manage("standalone", "--port", "0", "--exit-after", "0")

    assert (code, is_one_sentence(said)) == (2, True), said
    assert name in said


def test_a_taken_port_is_named(manage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, said = manage("standalone", "--port", port, "--exit-after", "0")

    assert (code, is_one_sentence(said)) == (2, True), said
    assert str(port) in said


def test_a_data_directory_that_cannot_be_made_is_named(manage, tmp_path):
    # Below a file: root may write everywhere else.
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"

    code, said = manage("standalone", "--exit-after", "0", TICKPLANE_HOME=str(home))

    assert (code, is_one_sentence(said)) == (2, True), said
    assert str(home) in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.jsonl.gz", b"\x1f\x8b\x08\x00cut off"),
        ("noise.gz", bytes(range(256))),
        ("noise.txt", b"no frame at all\n"),
        ("empty", b""),
    ],
)
def test_a_corrupt_recorded_file_is_named(manage, tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)

    code, said = manage("replay", file)

    assert (code, is_one_sentence(said)) == (2, True), said
    assert name in said


def test_a_recorded_file_that_is_not_there_is_named(manage, tmp_path):
    code, said = manage("replay", tmp_path / "nothing")

    assert (code, is_one_sentence(said)) == (2, True), said
    assert "nothing" in said

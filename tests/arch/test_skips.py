"""What a run says when this machine lacks a server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.arch.sources import ROOT


@pytest.fixture
def run_without_servers(tmp_path):
    def run(**environment):
        kept = {name: value for name, value in os.environ.items() if name != "CI"}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "tests/integration/test_servers.py",
                "-k",
                "redis_keeps",
            ],
            cwd=ROOT,
            env=kept | {"PATH": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.rstrip().splitlines()

    return run


def test_a_missing_server_skips_its_tests_and_the_last_line_says_why(run_without_servers):
    code, lines = run_without_servers()

    assert code == 0
    assert "1 skipped" in lines[-2]
    assert lines[-1].startswith("Tests skipped: 1 without Redis: ")


def test_a_missing_server_is_a_failure_in_ci(run_without_servers):
    code, lines = run_without_servers(CI="true")

    assert code == 1
    assert "1 error" in lines[-1]
    assert any("needs Redis" in line for line in lines)

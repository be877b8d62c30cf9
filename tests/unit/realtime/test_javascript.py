from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.missing import missing

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def node() -> str:
    """Return the Node of this machine, or the one that the set-up brought."""
    if found := shutil.which("node"):
        return found
    brought = sorted(ROOT.glob(".venv-node/**/bin/node"))
    if not brought:
        missing("Node", "no node on PATH and none brought by the set-up")
    return str(brought[0])


@pytest.mark.parametrize("script", sorted((HERE / "js").glob("*.test.js")), ids=lambda p: p.stem)
def test_the_tests_of_the_browser_modules_pass(script):
    done = subprocess.run(
        [node(), "--test", str(script)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr

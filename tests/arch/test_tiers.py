from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.arch.sources import APPS, PACKAGES, ROOT, called, contract, modules, tree

IMPORT_ALL = """
import importlib, pkgutil, sys
alone, whole, forbidden = (words.split(",") for words in sys.argv[1:])
for name in alone:
    importlib.import_module(name)
for name in whole:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
print(sorted(set(forbidden) & set(sys.modules)))
"""


def test_the_import_contracts_hold():
    program = shutil.which("lint-imports", path=sysconfig.get_path("scripts"))
    assert program, "import-linter is not installed"

    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_core_and_shell_starts_without_django():
    """What the contract says of import statements, tried: nothing may come in by another way."""
    rule = contract("no-django")
    # These two are what a program without Django imports to use the library.
    words = [
        "pipeline,realtime",
        *map(",".join, (rule["source_modules"], rule["forbidden_modules"])),
    ]

    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_no_file_is_a_drawer_for_everything():
    drawers = {
        "utils",
        "util",
        "helpers",
        "helper",
        "manager",
        "managers",
        "misc",
        "common",
        "info",
    }

    assert [path for path in modules(*PACKAGES) if path.stem in drawers] == []


def test_no_app_reads_the_environment():
    """The settings do, and hand values down."""
    readers = [
        path.relative_to(ROOT)
        for path in modules(*APPS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    ]

    assert readers == []


def test_subjects_are_made_in_one_place():
    """A hand-made subject forgets to clean the names that it is made of."""
    makers = [
        path.relative_to(ROOT)
        for path in modules(*PACKAGES)
        if path != ROOT / "streams" / "core" / "subjects.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and str(node.values[0].value).startswith(("market.", "account.", "dlq."))
    ]

    assert makers == []


def sleeps(path: Path) -> int:
    """Return how many calls of `time.sleep` stand outside of a loop that asks again."""
    calls = {node for node in ast.walk(tree(path)) if called(node) == "time.sleep"}
    loops = (node for node in ast.walk(tree(path)) if isinstance(node, ast.While))
    return len(calls - {inner for loop in loops for inner in ast.walk(loop)})


def test_no_test_sleeps_and_hopes():
    """A test waits for a condition with a deadline."""
    assert [path.relative_to(ROOT) for path in modules("tests") if sleeps(path)] == []


def test_every_test_that_needs_a_server_says_so():
    unmarked = [
        path.relative_to(ROOT)
        for marker in ("integration", "browser", "recorded")
        for path in modules(f"tests/{marker}")
        if path.name.startswith("test_") and f"mark.{marker}" not in path.read_text()
    ]

    assert unmarked == []

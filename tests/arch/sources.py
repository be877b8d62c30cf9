"""The project's own files, as these tests look at them."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "pipeline", "realtime", "streams")
PACKAGES = ("controlplane", *APPS)


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contract(identity: str) -> dict[str, Any]:
    """Return the import contract with this id."""
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    found: dict[str, Any] = next(c for c in contracts if c["id"] == identity)
    return found


@cache
def tracked() -> tuple[Path, ...]:
    """Return every file under version control that is there, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [Path(name) for name in listed.stdout.split("\0") if name]
    return tuple(path for path in paths if (ROOT / path).is_file())


def modules(*packages: str) -> list[Path]:
    """Return the Python files below these packages, without generated ones."""
    found = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if not path.name.endswith("_pb2.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def called(node: ast.AST) -> str:
    """Return the dotted name that a call calls, such as `env.text`; empty for anything else."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""

"""What happens when a server cannot be had: a skip that is told at the end; in CI a failure."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NoReturn

import pytest

# The beginning of a skip's reason, by which the end of the run finds it again.
PREFIX = "needs "


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("true", "1")


def missing(name: str, why: str, *, even_in_ci: bool = True) -> NoReturn:
    """Skip the test for want of `name`; with CI=true fail it, unless CI may do without."""
    if in_ci() and even_in_ci:
        pytest.fail(f"{PREFIX}{name}: {why} (CI=true allows no skip)", pytrace=False)
    pytest.skip(f"{PREFIX}{name}: {why}")


def summary(skipped: Iterable[tuple[str, str]]) -> Iterator[str]:
    """
    Yield one line per missing server.

    Args:
        skipped: (node id, reason) of every skipped test.
    """
    files: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for node, reason in skipped:
        text = reason.removeprefix("Skipped: ")
        if text.startswith(PREFIX):
            files[text.removeprefix(PREFIX)][node.partition("::")[0]] += 1
    for reason, counts in sorted(files.items()):
        where = ", ".join(f"{file} ({count})" for file, count in sorted(counts.items()))
        yield f"Skipped {counts.total()} for want of {reason}: {where}"

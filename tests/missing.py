"""What happens when a server cannot be had: a skip that is told at the end; in CI a failure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
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


def summary(reasons: Iterable[str]) -> str:
    """
    Return one line that says how many tests were skipped for want of what, and why.

    Args:
        reasons: Why each skipped test was skipped, in pytest's words.
    """
    texts = (reason.removeprefix("Skipped: ") for reason in reasons)
    counts = Counter(text.removeprefix(PREFIX) for text in texts if text.startswith(PREFIX))
    told = "; ".join(f"{count} without {reason}" for reason, count in sorted(counts.items()))
    return f"Tests skipped: {told}." if told else ""

"""
Keeps what JetStream tells of itself: streams made, leaders elected, messages given up.

Advisories are plain messages that nobody repeats. A small stream of our own captures them, and a
task reads it: nothing is lost while no process of ours runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

STREAM = "TICKPLANE_ADVISORIES"


def collect(*, now: datetime) -> int:
    """
    Keep the advisories that came since the last time; return how many rows that made.

    Raises:
        BrokerAway, ApiRefused: See `Link.api`. What was not kept comes again.
    """
    raise NotImplementedError


def keep(*, payloads: Sequence[bytes]) -> int:
    """Keep these advisories, each once; return how many were new and worth a row."""
    raise NotImplementedError


def prune() -> int:
    """Delete the oldest rows beyond `ADVISORIES_KEPT`; return how many."""
    raise NotImplementedError

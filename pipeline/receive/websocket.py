"""
WebSocket receiver: connects, listens, speaks, ends. `checked` and `raw` do the framing.

Compression is not offered: in picows 2.3 a message that stands exactly at the size cap is
decompressed without any cap from there on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from base64 import b64encode
from collections.abc import Coroutine
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, TypeAlias

from picows import (
    WSError,
    WSHandshakeError,
    WSInvalidStatusError,
    WSParsedURL,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)
from picows.websockets import WebSocketException

from pipeline.core import errors
from pipeline.core.spec import Credentials, SourceSpec
from pipeline.receive.checked import MAX_MESSAGE, CheckedLink
from pipeline.receive.raw import RawLink
from pipeline.receive.silence import Silence
from pipeline.receive.sockets import open_socket
from pipeline.receive.stages import Line
from pipeline.receive.words import said

CONNECT_S = 10.0

# What the library has to say is in the error that it raises.
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.CRITICAL)

REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

Link: TypeAlias = CheckedLink | RawLink


async def hold(
    spec: SourceSpec,
    line: Line,
    ssl: SSLContext | None,
    *,
    connect_s: float = CONNECT_S,
) -> None:
    """
    Keep one connection until it ends; hand every message to `line`, in order, and say its words.

    Raises:
        AuthRefused: The handshake answered 401 or 403, or the venue refused a login. Permanent.
        LinkLost: Closed, unreachable, or no complete message for `spec.silence_s`.
    """
    link = await _connected(spec, line, ssl, connect_s)
    try:
        await _first_end(_speak(link, line), _listen(link, spec.silence_s))
    except errors.LinkLost:
        # A peer that says why and hangs up: the reason counts.
        line.say(asyncio.get_running_loop().time())
        raise
    finally:
        await link.close()


async def _connected(
    spec: SourceSpec, line: Line, ssl: SSLContext | None, connect_s: float
) -> Link:
    try:
        async with asyncio.timeout(connect_s):
            return await _open(spec, line, ssl, connect_s)
    except WSInvalidStatusError as e:
        status = e.response.status if e.response is not None else "something else"
        if status in REFUSALS:
            raise errors.AuthRefused(f"the handshake was answered with {status:d}") from e
        raise errors.LinkLost(f"the handshake was answered with {status:d}") from e
    except TimeoutError as e:
        raise errors.LinkLost(f"no connection within {connect_s:g} s") from e
    except (OSError, UnicodeError, WSError) as e:
        raise errors.LinkLost(f"no connection: {said(e)}") from e


async def _open(spec: SourceSpec, line: Line, ssl: SSLContext | None, connect_s: float) -> Link:
    made: list[Link] = []

    def begin(request: WSUpgradeRequest, response: WSUpgradeResponse) -> Link:
        if response.headers.get("Sec-WebSocket-Extensions"):
            raise WSHandshakeError("the peer insists on an extension")
        trusted = spec.trusted
        made.append(RawLink(line) if trusted else CheckedLink(line, request, response, _wire))
        return made[-1]

    options: dict[str, Any] = {"ssl_context": ssl} if line.url.startswith("wss:") else {}
    await ws_connect(
        begin,
        line.url,
        **options,
        extra_headers=_headers(spec.credentials),
        socket_factory=_open_socket,
        # Ours is around all of it; but it is by its own that the library closes the socket of a
        # handshake that was given up.
        websocket_handshake_timeout=connect_s,
        enable_auto_pong=False,
        max_frame_size=MAX_MESSAGE,
        # A redirect could lead to where the operator did not point, with credentials.
        max_redirects=0,
        read_buffer_init_size=spec.buffer_size,
        logger_name=_wire,
    )
    if not made:
        # How picows 2.3 says it: it returns.
        raise errors.LinkLost("closed during the handshake")
    # One that ended with the very answer has its reason still, and what came before.
    return made[-1]


async def _listen(link: Link, silence_s: float) -> None:
    try:
        async with Silence(silence_s) as silence:
            await link.read(silence)
    except TimeoutError as e:
        raise errors.LinkLost(f"silent for {silence_s:g} s") from e
    except WebSocketException as e:
        raise errors.LinkLost(f"closed: {said(e)}") from e
    raise errors.LinkLost("closed")


async def _speak(link: Link, line: Line) -> None:
    loop = asyncio.get_running_loop()
    while True:
        texts, due_s = line.say(loop.time())
        try:
            for text in texts:
                await link.say(text)
        except WebSocketException as e:
            raise errors.LinkLost(f"closed: {said(e)}") from e
        await line.stirred(due_s - loop.time())


async def _first_end(*works: Coroutine[Any, Any, None]) -> None:
    """End all works with the first that ends; raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


async def _open_socket(url: WSParsedURL) -> socket.socket:
    return await open_socket(url.host, url.port)


def _headers(credentials: Credentials | None) -> dict[str, str]:
    headers = {"User-Agent": "tickplane"}
    if credentials is not None:
        login = f"{credentials.username}:{credentials.password}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    return headers

"""
WebSocket receiver. The library does the framing: one message, one frame.

Compression is not offered: in picows 2.3 a message that stands exactly at the size cap is
decompressed without any cap from there on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from http import HTTPStatus
from ssl import SSLContext
from types import TracebackType
from typing import Any

from picows import WSParsedURL
from picows.websockets import ClientConnection, InvalidStatus, WebSocketException, connect

from pipeline.core import errors
from pipeline.core.spec import Credentials, SourceSpec
from pipeline.receive.stages import Stages

CONNECT_S = 10.0
# A peer that hangs does not answer our close either.
CLOSE_S = 1.0
MAX_MESSAGE = 1024 * 1024
# The library doubles its buffer for as long as one read fills it, and never gives it back; what
# the kernel holds is the limit. Thirty flooded sources took 460 MB without it, 55 MB with it.
RECEIVE_BUFFER = 128 * 1024

# What the library has to say is in the error that it raises.
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.CRITICAL)

REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


async def hold(
    spec: SourceSpec,
    stages: Stages,
    ssl: SSLContext | None,
    *,
    connect_s: float = CONNECT_S,
) -> None:
    """
    Keep one connection until it ends; hand every message to `stages`, in order.

    Raises:
        AuthRefused: The handshake answered 401 or 403. Permanent.
        LinkLost: Closed, unreachable, or no complete message for `spec.silence_s`.
    """
    try:
        async with asyncio.timeout(connect_s):
            link = await _connected(spec, ssl, connect_s)
    except InvalidStatus as e:
        status = e.response.status_code
        if status in REFUSALS:
            raise errors.AuthRefused(f"the handshake was answered with {status}") from e
        raise errors.LinkLost(f"the handshake was answered with {status}") from e
    except TimeoutError as e:
        raise errors.LinkLost(f"no connection within {connect_s:g} s") from e
    except AssertionError as e:
        # How picows 2.3 says it.
        raise errors.LinkLost("closed during the handshake") from e
    except (OSError, UnicodeError, WebSocketException) as e:
        raise errors.LinkLost(f"no connection: {_said(e)}") from e
    try:
        await _read(link, stages, spec.silence_s)
    except WebSocketException as e:
        raise errors.LinkLost(f"closed: {_said(e)}") from e
    finally:
        await link.close()


async def _connected(
    spec: SourceSpec, ssl: SSLContext | None, connect_s: float
) -> ClientConnection:
    options: dict[str, Any] = {"ssl": ssl} if spec.endpoint.startswith("wss:") else {}
    return await connect(
        spec.endpoint,
        **options,
        additional_headers=_authorization(spec.credentials) if spec.credentials else None,
        socket_factory=_open_socket,
        compression=None,
        proxy=None,
        # Ours is around all of it; but it is by its own that the library closes the socket of a
        # handshake that was given up.
        open_timeout=connect_s,
        # Silence is measured on messages. A ping would only end links whose reading we paused.
        ping_interval=None,
        close_timeout=CLOSE_S,
        max_size=MAX_MESSAGE,
        # A redirect could lead to where the operator did not point, with credentials.
        max_redirects=0,
        read_buffer_init_size=spec.buffer_size,
        logger=_wire,
    )


async def _read(link: ClientConnection, stages: Stages, silence_s: float) -> None:
    try:
        async with _Silence(silence_s) as silence:
            while True:
                frame = await link.recv(decode=False)
                received_ns = time.time_ns()
                assert isinstance(frame, bytes)  # decode=False
                silence.broken()
                if not stages.accept(frame, received_ns):
                    # Not reading is what slows the peer down.
                    with silence.excused():
                        await stages.room()
    except TimeoutError as e:
        raise errors.LinkLost(f"silent for {silence_s:g} s") from e


class _Silence:
    """
    Raises TimeoutError in its block once nothing `broke` it for `limit_s`.

    One timer that looks at a time stamp: a timer per message would cost more than decoding it.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._since_s = self._loop.time()
        self._excused = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> _Silence:
        await self._timeout.__aenter__()
        self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def broken(self) -> None:
        self._since_s = self._loop.time()

    @contextlib.contextmanager
    def excused(self) -> Iterator[None]:
        """Do not count: it is we who do not listen."""
        self._excused = True
        try:
            yield
        finally:
            self._excused = False
            self.broken()

    def _look(self) -> None:
        left_s = self._limit_s - (self._loop.time() - self._since_s)
        if self._excused:
            left_s = self._limit_s
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._timeout.reschedule(self._loop.time())


async def _open_socket(url: WSParsedURL) -> socket.socket:
    """Return a connected socket whose receive buffer is capped; it must be before it connects."""
    loop = asyncio.get_running_loop()
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        url.host, url.port, type=socket.SOCK_STREAM
    ):
        link = socket.socket(family, kind, protocol)
        try:
            link.setblocking(False)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            await loop.sock_connect(link, address)
        except OSError as e:
            link.close()
            failure = e
        except BaseException:
            link.close()
            raise
        else:
            return link
    raise failure


def _authorization(credentials: Credentials) -> dict[str, str]:
    login = f"{credentials.username}:{credentials.password}".encode()
    return {"Authorization": f"Basic {b64encode(login).decode()}"}


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__

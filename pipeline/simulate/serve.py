"""What all exchanges share: a server of WebSockets and GET that stops when told, and at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from pipeline.core.simulate.mouth import Answer

# A client may still be reading what was sent before the close.
CLOSE_S = 60.0
# When we stop ourselves, nobody is waited for longer.
STOP_S = 0.5
MAX_REQUEST = 64 * 1024

Talk = Callable[[ServerConnection], Awaitable[None]]


class CannotListen(Exception):
    """The port is taken, or the address is not ours. The text says so in one sentence."""


class Door(Protocol):
    """Who answers at a port."""

    async def check(self, link: ServerConnection, request: Request) -> Answer | Talk:
        """Return the answer to a call, or who talks over the WebSocket that is asked for."""


@contextlib.asynccontextmanager
async def listening(door: Door, host: str, port: int) -> AsyncIterator[Server]:
    """
    Serve each client until the block ends.

    Args:
        port: 0 takes any free one.

    Raises:
        CannotListen: See there.
    """
    talks: dict[ServerConnection, Talk] = {}
    # `Server.connections` forgets a link once it is closing, which is when it may hang.
    links: WeakSet[ServerConnection] = WeakSet()

    async def check(link: ServerConnection, request: Request) -> Response | None:
        links.add(link)
        found = await door.check(link, request)
        if isinstance(found, Answer):
            return _response(found)
        talks[link] = found
        return None

    async def serve_one(link: ServerConnection) -> None:
        await talks.pop(link)(link)

    try:
        server = await serve(
            serve_one,
            host,
            port,
            process_request=check,
            compression=None,
            open_timeout=None,  # A call that is never answered must stay so.
            close_timeout=CLOSE_S,
            ping_interval=None,
            max_size=MAX_REQUEST,
            server_header=None,
        )
    except (OSError, OverflowError) as e:
        raise CannotListen(f"cannot listen on {host}:{port}: {_reason(e)}") from e
    try:
        yield server
    finally:
        server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await server.wait_closed()
        for link in links:
            link.transport.abort()
        await server.wait_closed()


def address(server: Server) -> str:
    """Return where a server listens, as `host:port`."""
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def on_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _response(answer: Answer) -> Response:
    headers = Headers(
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(answer.body)),
            "Connection": "close",
            **answer.headers,
        }
    )
    return Response(answer.status, "", headers, answer.body)


def _reason(error: OSError | OverflowError) -> str:
    # asyncio's own text repeats the address.
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(getattr(error, "strerror", None) or error).rstrip(".")

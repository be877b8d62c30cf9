"""What both exchanges share: a listening WebSocket server that stops when told, and at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from pipeline.core.subscription import Subscription, UnknownPath

# A client may still be reading what was sent before the close.
CLOSE_S = 60.0
# When we stop ourselves, nobody is waited for longer.
STOP_S = 0.5
MAX_REQUEST = 64 * 1024


class CannotListen(Exception):
    """The port is taken, or the address is not ours. The text says so in one sentence."""


@contextlib.asynccontextmanager
async def listening(
    talk: Callable[[ServerConnection, Subscription], Awaitable[None]], host: str, port: int
) -> AsyncIterator[Server]:
    """
    Serve each client by `talk` until the block ends.

    Args:
        port: 0 takes any free one.

    Raises:
        CannotListen: See there.
    """

    def check(link: ServerConnection, request: Request) -> Response | None:
        try:
            Subscription(request.path)
        except UnknownPath:
            return link.respond(HTTPStatus.NOT_FOUND, "Try /stream?streams=… or /ws/….\n")
        return None

    # `Server.connections` forgets a link once it is closing, which is when it may hang.
    links: WeakSet[ServerConnection] = WeakSet()

    async def serve_one(link: ServerConnection) -> None:
        assert link.request is not None
        links.add(link)
        await talk(link, Subscription(link.request.path))

    try:
        server = await serve(
            serve_one,
            host,
            port,
            process_request=check,
            compression=None,
            close_timeout=CLOSE_S,
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


def url(server: Server) -> str:
    """Return the URL of all streams of a listening server."""
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}/stream"


def on_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _reason(error: OSError | OverflowError) -> str:
    # asyncio's own text repeats the address.
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(getattr(error, "strerror", None) or error).rstrip(".")

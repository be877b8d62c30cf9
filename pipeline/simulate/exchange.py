"""
The exchange simulator: a real WebSocket server that speaks Binance's streams over made-up markets.

Clients that do not drain are closed: as at the real exchange, nobody is waited for.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import msgspec
from websockets.asyncio.server import ServerConnection, broadcast

from pipeline.core.simulate.market import Event, Market, streams
from pipeline.core.subscription import Subscription
from pipeline.simulate.serve import listening, on_signal, url

TICK_S = 0.1
MAX_UNSENT = 4 * 1024 * 1024


class Exchange:
    """Who listens to what, and the frames that go to them."""

    def __init__(self) -> None:
        self._clients: dict[ServerConnection, Subscription] = {}

    async def talk(self, link: ServerConnection, subscription: Subscription) -> None:
        """Serve one client until it goes."""
        self._clients[link] = subscription
        try:
            async for request in link:
                await link.send(subscription.answer(request), text=True)
        finally:
            del self._clients[link]

    def tell(self, event: Event) -> None:
        """Send a frame to everybody who hears its stream."""
        for combined in (True, False):
            hearers = [
                link
                for link, subscription in self._clients.items()
                if subscription.combined is combined and subscription.hears(event.stream)
            ]
            if hearers:
                broadcast(hearers, _frame(event, combined=combined))

    def close_laggards(self) -> None:
        for link in self._clients:
            if link.transport.get_write_buffer_size() > MAX_UNSENT:
                link.transport.abort()


def _frame(event: Event, *, combined: bool) -> str:
    return msgspec.json.encode(event if combined else event.data).decode()


async def run(host: str, port: int, seed: int | None, ready: Callable[[str], None]) -> None:
    """
    Serve until SIGTERM or SIGINT.

    Args:
        seed: The same seed gives the same walk of prices; numbers and times stay those of now.
        ready: Called with the URL of all streams once clients may come.

    Raises:
        CannotListen: The port is taken.
    """
    stop = asyncio.Event()
    on_signal(stop.set)
    exchange = Exchange()
    # Microseconds, because numbers grow more slowly than those: a later start begins higher.
    market = Market(random.Random(seed), time.time_ns() // 1000)  # noqa: S311
    async with listening(exchange.talk, host, port) as server:
        ready(f"{url(server)}?streams={'/'.join(streams())}")
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while not stop.is_set():
            for event in market.tenth(time.time_ns() // 1_000_000):
                exchange.tell(event)
            exchange.close_laggards()
            # A machine that was held up goes on from now; it does not make up for lost time.
            next_s = max(next_s + TICK_S, loop.time())
            await _wait(stop, next_s - loop.time())


async def _wait(stop: asyncio.Event, at_most_s: float) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await stop.wait()
    except TimeoutError:
        pass

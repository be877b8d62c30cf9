"""Exchanges behind one port."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from pipeline.core.simulate.market import STEPS_PER_TICK, TICK_MS
from pipeline.core.simulate.mouth import Answer, UnknownPath
from pipeline.core.simulate.venues import MOUTHS
from pipeline.simulate import control
from pipeline.simulate.exchange import Exchange
from pipeline.simulate.serve import Talk, address, listening

TICK_S = TICK_MS / 1000
NOT_FOUND = Answer(HTTPStatus.NOT_FOUND, b"Nothing is served here.\n")


class Simulator:
    """
    Attributes:
        exchanges: By venue. Each has its paths below `/<venue>`; without that the first one that
                serves a path answers.
        address: `host:port`.
        pacing: Ends with a bug only.
    """

    address: str
    pacing: asyncio.Future[None]

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self.exchanges = {exchange.venue: exchange for exchange in exchanges}
        self._ending = asyncio.Event()

    async def check(self, link: ServerConnection, request: Request) -> Answer | Talk:
        parts = urlsplit(request.path)
        venue, _, rest = parts.path.removeprefix("/").partition("/")
        asked, path = list(self.exchanges.values()), parts.path
        if venue in self.exchanges:
            asked, path = [self.exchanges[venue]], f"/{rest}"
        if "Upgrade" in request.headers:
            return self._talk(asked, f"{path}?{parts.query}")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if path.startswith(control.ROOT):
            return control.answer(
                self.exchanges,
                method=request.method,
                path=path,
                query=query,
                host=link.remote_address[0],
            )
        for exchange in asked:
            if path.startswith(exchange.mouth.rest_root):
                return await self._call(exchange, path, query, link)
        return NOT_FOUND

    def tick(self, count: int = 1) -> None:
        for exchange in self.exchanges.values():
            exchange.tick(count)

    async def pace(self, tick_s: float | None) -> None:
        """Let time pass, for ever. A machine that was held up goes on from now."""
        if tick_s is None:
            return
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            for exchange in self.exchanges.values():
                exchange.step()
            next_s = max(next_s + tick_s / STEPS_PER_TICK, loop.time())
            await asyncio.sleep(next_s - loop.time())

    def name(self) -> None:
        """Tell each exchange its addresses: the server's own, if nobody before it answers there."""
        for exchange in self.exchanges.values():
            exchange.rest_endpoint = f"http://{self.address}"
            exchange.endpoint = f"ws://{self.address}"
            if self._first(exchange.mouth.path) is not exchange:
                exchange.endpoint += f"/{exchange.venue}{exchange.mouth.path}"

    def _first(self, path: str) -> Exchange | None:
        for exchange in self.exchanges.values():
            with contextlib.suppress(UnknownPath):
                exchange.session(path)
                return exchange
        return None

    def end(self) -> None:
        """Let go of the calls that are never answered."""
        self._ending.set()

    def _talk(self, asked: Sequence[Exchange], path: str) -> Answer | Talk:
        for exchange in asked:
            with contextlib.suppress(UnknownPath):
                session = exchange.session(path)
                return lambda link: exchange.talk(link, session)
        return NOT_FOUND

    async def _call(
        self, exchange: Exchange, path: str, query: dict[str, str], link: ServerConnection
    ) -> Answer:
        gone = asyncio.Event()
        waits = [
            asyncio.ensure_future(self._ending.wait()),
            asyncio.ensure_future(link.wait_closed()),
        ]
        for wait in waits:
            wait.add_done_callback(lambda _: gone.set())
        try:
            return await exchange.call(path, query, gone)
        finally:
            for wait in waits:
                wait.cancel()


@contextlib.asynccontextmanager
async def simulating(  # noqa: PLR0913
    *venues: str,
    seed: int | None = 1,
    tick_s: float | None = TICK_S,
    host: str = "127.0.0.1",
    port: int = 0,
    remember: int | None = None,
    checksums: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> AsyncIterator[Simulator]:
    """
    Serve these venues, all for none, until the block ends.

    Args:
        seed: The same seed gives the same walk of prices; numbers and times stay those of now.
        tick_s: How long a tenth of a second of the market takes; None lets it stand still but for
            `tick`.
        remember, checksums: See `Exchange`.

    Raises:
        CannotListen: The port is taken.
    """
    simulator = Simulator(
        [
            Exchange(venue, seed, clock_ns, remember=remember, checksums=checksums)
            for venue in venues or MOUTHS
        ]
    )
    async with listening(simulator, host, port) as server:
        simulator.address = address(server)
        simulator.name()
        simulator.pacing = asyncio.ensure_future(simulator.pace(tick_s))
        try:
            yield simulator
        finally:
            simulator.end()
            simulator.pacing.cancel()
            # A bug in a mouth must not hide.
            with contextlib.suppress(asyncio.CancelledError):
                await simulator.pacing


@contextlib.asynccontextmanager
async def simulated(  # noqa: PLR0913
    venue: str,
    *,
    seed: int | None = 1,
    tick_s: float | None = TICK_S,
    remember: int | None = None,
    checksums: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> AsyncIterator[Exchange]:
    """Serve one venue, at the paths of the real one, until the block ends; see `simulating`."""
    async with simulating(
        venue,
        seed=seed,
        tick_s=tick_s,
        remember=remember,
        checksums=checksums,
        clock_ns=clock_ns,
    ) as simulator:
        yield simulator.exchanges[venue]

"""
One exchange that is not there: who listens to what, and the frames that go to them.

Clients that do not drain are closed: as at the real exchanges, nobody is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus

import msgspec
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from pipeline.core.simulate.budget import Budget
from pipeline.core.simulate.faults import Faults, Hitch
from pipeline.core.simulate.frame import Frame
from pipeline.core.simulate.instrument import BY_VENUE
from pipeline.core.simulate.market import STEPS_PER_TICK, Market
from pipeline.core.simulate.mouth import Answer, Close, Say, Session
from pipeline.core.simulate.truth import Truth
from pipeline.core.simulate.venues import MOUTHS, WITH_HOLES

MAX_UNSENT = 4 * 1024 * 1024
TICKS_PER_DRIFT = 10


class Call(msgspec.Struct, frozen=True):
    """A REST call that came."""

    at_s: float
    path: str
    query: dict[str, str]
    status: int


class Exchange:
    """
    Attributes:
        faults: What it shall do wrong.
        calls: The REST calls that came. heard: What clients sent over WebSockets.
        endpoint, rest_endpoint: The addresses of a source, once it is served.
    """

    def __init__(
        self,
        venue: str,
        seed: int | None,
        clock_ns: Callable[[], int],
        *,
        remember: int | None = None,
        checksums: bool = False,
    ) -> None:
        """
        Args:
            remember: How many changes and trades of each symbol to keep; None for all.
            checksums: Whether books carry real ones; today's OKX sends 0.
        """
        self.venue = venue
        self.faults = Faults()
        self.calls: list[Call] = []
        self.heard: list[str] = []
        self.endpoint = self.rest_endpoint = ""
        self._clock_ns = clock_ns
        # Microseconds, because numbers grow more slowly than those: a later start begins higher.
        self.market = Market(
            BY_VENUE[venue],
            random.Random(seed),  # noqa: S311
            clock_ns() // 1000,
            holes=venue in WITH_HOLES,
            most=remember,
        )
        self.mouth = MOUTHS[venue](self.market, self.faults, checksums=checksums)
        self.budget = Budget(*self.mouth.calls_per)
        self._most_notes = remember
        self._clients: dict[ServerConnection, Session] = {}
        self._ticks = 0
        self._steps = 0
        self._ahead_s = 0.0
        self._closing: set[asyncio.Future[None]] = set()

    # For tests

    @property
    def symbols(self) -> list[str]:
        return list(self.market.books)

    @property
    def links(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    @property
    def channels(self) -> set[str]:
        """What anybody is subscribed to."""
        return set().union(*(session.channels for session in self._clients.values()))

    def truth(self, symbol: str) -> Truth:
        return Truth(self.market.books[symbol])

    def pass_time(self, seconds: float) -> None:
        """Let the exchange believe that so much time has passed: heartbeats and limits."""
        self._ahead_s += seconds
        for link, session in list(self._clients.items()):
            self._say(link, session.due(self._now_s))

    def disconnect(self, *, code: int | None = None, reason: str = "") -> None:
        """End every link: with a close code, or without a word."""
        for link in list(self._clients):
            if code is None:
                link.transport.abort()
            else:
                self._say(link, [Close(code, reason)])

    def farewell(self) -> None:
        """Tell everybody that their links will soon be closed."""
        broadcast(list(self._clients), self.mouth.farewell(self._now_ms), text=True)

    # For the server

    async def talk(self, link: ServerConnection, session: Session) -> None:
        """Serve one client until it goes."""
        self._clients[link] = session
        try:
            async for request in link:
                self.heard.append(request if isinstance(request, str) else repr(request))
                self._say(link, session.answer(request, self._now_s))
        except ConnectionClosed:
            return
        finally:
            del self._clients[link]
            self._forget()

    def session(self, path: str) -> Session:
        """
        Raises:
            UnknownPath: Nothing is served there.
        """
        return self.mouth.session(path, self._now_s)

    def tick(self, count: int = 1) -> None:
        """Let so many tenths of a second happen, and tell of them."""
        for _ in range(count):
            for _ in range(STEPS_PER_TICK):
                self.step()

    def step(self) -> None:
        """Let a part of a tenth of a second happen; its end is told as such."""
        # Not those that have yet to begin: a fault would happen where nobody hears it.
        heard = set[str]().union(*(each.channels - each.fresh for each in self._clients.values()))
        now_ms = self._now_ms
        self._tell(self.mouth.live(self.market.step(now_ms), heard, now_ms))
        self._steps += 1
        if self._steps % STEPS_PER_TICK == 0:
            self._ticks += 1
            if self._ticks % TICKS_PER_DRIFT == 0:
                self.market.drift()
            self._tell(self.mouth.tick(self._ticks, heard, now_ms))
            self._greet(now_ms)
        for link, session in list(self._clients.items()):
            self._say(link, session.due(self._now_s))
            if link.transport.get_write_buffer_size() > MAX_UNSENT:
                link.transport.abort()

    async def call(self, path: str, query: Mapping[str, str], gone: asyncio.Event) -> Answer:
        """Answer a REST call. `gone` ends one that shall never be answered."""
        answer = await self._answer(path, query, gone)
        self.calls.append(Call(self._now_s, path, dict(query), answer.status))
        self._forget()
        return answer

    async def _answer(self, path: str, query: Mapping[str, str], gone: asyncio.Event) -> Answer:
        order = self.faults.of_call(path)
        if order is not None and order.hitch is Hitch.BUSY:
            return self.mouth.too_many(max(1, round(order.seconds)))
        if order is not None and order.hitch is Hitch.BROKEN:
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"oops\n")
        if order is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(order.seconds if order.hitch is Hitch.SLOW else None):
                    await gone.wait()
        answer = self.mouth.rest(path, query, self._now_ms)
        if not self.budget.take(answer.weight, self._now_s):
            answer = self.mouth.too_many(self.budget.wait_s(self._now_s))
        headers = {**answer.headers, **self.mouth.used(self.budget.used)}
        return msgspec.structs.replace(answer, headers=headers)

    @property
    def _now_ms(self) -> int:
        return self._clock_ns() // 1_000_000

    @property
    def _now_s(self) -> float:
        return self._clock_ns() / 1e9 + self._ahead_s

    def _tell(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            for sent in self.faults.through(frame):
                self._send(sent)

    def _send(self, frame: Frame) -> None:
        """Send a frame to everybody who hears it and has had its beginning."""
        hearers: dict[str, list[ServerConnection]] = {}
        for link, session in self._clients.items():
            if frame.channel not in session.fresh and session.hears(frame.channel, frame.kind):
                hearers.setdefault(session.form, []).append(link)
        for form, links in hearers.items():
            broadcast(links, self.mouth.encode(frame, form), text=True)

    def _greet(self, now_ms: int) -> None:
        """Begin the new subscriptions: their snapshots are those of this very moment."""
        for link, session in self._clients.items():
            for channel in sorted(session.fresh):
                frame = self.mouth.greeting(channel, now_ms)
                if frame is not None:
                    broadcast([link], self.mouth.encode(frame, session.form), text=True)
            session.fresh.clear()

    def _say(self, link: ServerConnection, words: Iterable[Say]) -> None:
        for word in words:
            if isinstance(word, Close):
                task = asyncio.ensure_future(link.close(word.code, word.reason))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            else:
                broadcast([link], word, text=True)

    def _forget(self) -> None:
        if self._most_notes is not None:
            del self.calls[: -self._most_notes], self.heard[: -self._most_notes]

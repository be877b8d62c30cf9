"""
The fan-out of one web process: one NATS subscription per topic, however many clients listen.

A message is decoded and serialised once and then handed to every listener by a plain call. (A
channel-layer group would wake two tasks and a thread per message and recipient: measured fifteen
times dearer.)
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Literal, NamedTuple, Protocol

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from realtime.core import protocol
from realtime.core.errors import Undecodable
from realtime.core.latest import Latest
from realtime.core.protocol import Frame
from realtime.core.topics import keeps_last
from streams.broker.connect import connect
from streams.core.subjects import Patterns, matches
from streams.core.templates import STANDARD

logger = logging.getLogger(__name__)

# How long a subscriber waits for NATS to confirm; after that it is told when data really flow.
SETTLE_S = 1.0
FLUSH_S = 5
NEW_LINK_S = 1.0
# nats-py would keep 128 MB for each pattern. Beyond this it drops and says so, and clients see the
# next snapshot.
MAX_PENDING_BYTES = 16 * 1024 * 1024
MAX_ROUTES = 65_536
MAX_LAST = 20_000
MAX_LAST_CHARACTERS = 64 * 1024 * 1024


class Listener(Protocol):
    def deliver(self, frame: Frame) -> None:
        """Take one frame. Never waits and never raises."""


class Route(NamedTuple):
    """
    Where messages of one subject go.

    Several subscriptions may bring the same message; the oldest one owns it and the other
    copies are ignored, so that a client with overlapping topics gets it once. (When the owner's
    last listener leaves, a message on its way at that very moment may be lost to the others.)
    """

    owner: str
    listeners: tuple[Listener, ...]


class Hub:
    """
    Brings NATS subjects to listeners. Belongs to one event loop.

    Connects on first use and keeps trying: clients are accepted while NATS is away, and told so.
    """

    def __init__(self, url: str, *, heartbeat_s: float = 30.0) -> None:
        self._url = url
        self.heartbeat_s = heartbeat_s
        # Whoever knows of newer ones sets them: this is a loop, and asks no database.
        self.templates = STANDARD
        self.epoch = secrets.token_hex(8)
        self.link: Literal["up", "down"] = "down"
        self.counts: Counter[str] = Counter()
        self._everybody: dict[Listener, None] = {}
        # A pattern is wanted from the moment a listener asks, and held once NATS confirmed it.
        self._wanted: dict[str, set[Listener]] = {}
        self._listening: dict[str, dict[Listener, None]] = {}
        self._held: dict[str, Subscription] = {}
        self._routes: dict[str, Route] = {}
        self._last = Latest()
        self._changed = asyncio.Event()
        self._settling: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def join(self, listener: Listener) -> None:
        """Begin to tell the listener about the link and the time."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._follow_wishes(), name="hub-wishes"),
                asyncio.create_task(self._beat(), name="hub-heartbeat"),
            ]
            for task in self._tasks:
                task.add_done_callback(self._stopped)
        self._everybody[listener] = None
        listener.deliver(protocol.link(self.link))

    def leave(self, listener: Listener) -> None:
        self._everybody.pop(listener, None)
        self.unsubscribe(listener, [p for p, them in self._wanted.items() if listener in them])

    async def subscribe(self, listener: Listener, patterns: Iterable[str]) -> list[Frame]:
        """
        Begin to deliver, and return the newest known messages of subjects that are new to it.

        Returns when NATS has confirmed, or after `SETTLE_S` when it is away: then the messages
        begin when it is back. Nothing is delivered before this returns.
        """
        fresh = [p for p in patterns if listener not in self._wanted.get(p, ())]
        for pattern in fresh:
            self._wanted.setdefault(pattern, set()).add(listener)
        if any(pattern not in self._held for pattern in fresh):
            await self._settled()
        # Whoever left meanwhile wants nothing any more.
        fresh = [p for p in fresh if listener in self._wanted.get(p, ())]
        known = self._known_to(listener, fresh)
        for pattern in fresh:
            self._listening.setdefault(pattern, {})[listener] = None
        self._routes.clear()
        return known

    def unsubscribe(self, listener: Listener, patterns: Iterable[str]) -> None:
        for pattern in patterns:
            wanted = self._wanted.get(pattern, set())
            wanted.discard(listener)
            self._listening.get(pattern, {}).pop(listener, None)
            if not wanted:
                self._wanted.pop(pattern, None)
                self._listening.pop(pattern, None)
                self._changed.set()
        self._routes.clear()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _known_to(self, listener: Listener, patterns: list[str]) -> list[Frame]:
        # Through trees: 127 patterns one by one against 20,000 topics held the loop for 2.7 s.
        wanted = Patterns(patterns)
        had = Patterns(p for p, them in self._listening.items() if listener in them)
        return [
            frame
            for frame in self._last
            if wanted.match(frame.topic) and not had.match(frame.topic)
        ]

    async def _settled(self) -> None:
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append(settled)
        self._changed.set()
        await asyncio.wait({settled}, timeout=SETTLE_S)

    async def _follow_wishes(self) -> None:
        while True:
            client = await connect(
                self._url,
                name="hub",
                patience_s=None,
                on_disconnect=self._lost,
                on_reconnect=self._back,
            )
            try:
                await self._back()
                await self._follow_wishes_over(client)
            finally:
                await client.close()
            self._held.clear()
            self._routes.clear()
            # nats-py gives up for good over some errors of the server, for example a refused login.
            logger.error("hub: the link was closed: %s; a new one is made", client.last_error)
            await asyncio.sleep(NEW_LINK_S)

    async def _follow_wishes_over(self, client: Client) -> None:
        """Return when the client is closed for good."""
        while not client.is_closed:
            await self._changed.wait()
            self._changed.clear()
            settling, self._settling = self._settling, []
            if client.is_connected:
                await self._reconcile(client)
            for settled in settling:
                if not settled.done():
                    settled.set_result(None)

    async def _reconcile(self, client: Client) -> None:
        """Make the subscriptions match the wishes, as far as the link allows."""
        try:
            for pattern in [p for p in self._held if p not in self._wanted]:
                await self._let_go(pattern)
            for pattern in [p for p in self._wanted if p not in self._held]:
                self._held[pattern] = await client.subscribe(
                    pattern,
                    cb=partial(self._receive, pattern),
                    pending_bytes_limit=MAX_PENDING_BYTES,
                )
            self._routes.clear()
            await client.flush(timeout=FLUSH_S)
        except (OSError, nats.errors.Error) as e:
            # The link says so too, and everything is tried again when it is back.
            logger.warning("hub: subscriptions not settled: %s", str(e) or type(e).__name__)

    async def _let_go(self, pattern: str) -> None:
        subscription = self._held.pop(pattern)
        self._routes.clear()
        # What nobody follows grows old unseen: the next subscriber must not take it for news.
        held = Patterns(self._held)
        for frame in list(self._last):
            if not held.match(frame.topic):
                self._last.discard(frame.topic)
        await subscription.unsubscribe()

    async def _receive(self, pattern: str, message: Msg) -> None:
        subject = message.subject
        route = self._routes.get(subject) or self._route(subject)
        if route.owner != pattern:
            return
        self.counts["received"] += 1
        try:
            frame = protocol.message(subject, message.data, self.templates)
        except Undecodable as e:
            self.counts["undecodable"] += 1
            logger.debug("hub: %s", e)
            return
        if keeps_last(subject, self.templates):
            self._remember(frame)
        for listener in route.listeners:
            listener.deliver(frame)
        self.counts["delivered"] += len(route.listeners)

    def _route(self, subject: str) -> Route:
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        matching = [pattern for pattern in self._held if matches(pattern, subject)]
        listeners = dict.fromkeys(
            listener for pattern in matching for listener in self._listening.get(pattern, ())
        )
        route = Route(matching[0] if matching else "", tuple(listeners))
        self._routes[subject] = route
        return route

    def _remember(self, frame: Frame) -> None:
        self._last.put(frame)
        while len(self._last) > MAX_LAST or self._last.characters > MAX_LAST_CHARACTERS:
            self._last.pop()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.heartbeat_s)
            self._tell(protocol.heartbeat(time_ms()))

    def _stopped(self, task: asyncio.Task[None]) -> None:
        # Neither ends by itself: this is a bug, and a hub that is silently dead would hide it.
        if not task.cancelled() and (error := task.exception()):
            logger.critical("hub: %s ended", task.get_name(), exc_info=error)

    async def _lost(self) -> None:
        # A close of our own is reported here as well, and a retry may fail more than once.
        self._changed.set()
        if self.link == "up":
            self.link = "down"
            self._tell(protocol.link("down"))

    async def _back(self) -> None:
        self.link = "up"
        self._changed.set()
        self._tell(protocol.link("up"))

    def _tell(self, frame: Frame) -> None:
        for listener in list(self._everybody):
            listener.deliver(frame)


def time_ms() -> int:
    """Return now in UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000

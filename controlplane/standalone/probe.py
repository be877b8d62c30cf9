"""Subscribers that see what a user's would: on NATS, and on the dashboard's WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Collection

from nats.aio.client import Client
from nats.aio.msg import Msg
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from streams.broker.connect import connect

logger = logging.getLogger(__name__)

ACCOUNT = "account"
AGAIN_S = 0.2


class Probe:
    """
    Counts what arrives.

    Attributes:
        roots: Where the subjects of market data begin.
        counts: `market`, `account` (messages on NATS) and `frames` (WebSocket data frames).
    """

    def __init__(self) -> None:
        self.roots: Collection[str] = ("market",)
        self.counts: Counter[str] = Counter()
        self._client: Client | None = None
        self._watching: asyncio.Task[None] | None = None

    async def watch_broker(self, url: str) -> None:
        """Count messages of market data and accounts from now on."""

        async def count(message: Msg) -> None:
            root = message.subject.partition(".")[0]
            self.counts["account" if root == ACCOUNT else "market"] += 1

        self._client = await connect(url, name="probe", patience_s=None)
        for topic in self._topics():
            await self._client.subscribe(topic, cb=count)

    def watch_browser_socket(self, url: str, origin: str, cookie: str) -> None:
        """Count the frames that a signed-in browser receives; reconnects like one."""
        self._watching = asyncio.create_task(self._frames(url, origin, cookie))

    @property
    def watches_a_browser_socket(self) -> bool:
        return self._watching is not None

    async def _frames(self, url: str, origin: str, cookie: str) -> None:
        wanted = json.dumps({"id": 1, "action": "subscribe", "topics": self._topics()})
        while True:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with open_websocket(
                    url, origin=Origin(origin), additional_headers={"Cookie": cookie}
                ) as socket:
                    await socket.send(wanted)
                    async for frame in socket:
                        # Greetings and heartbeats are not data.
                        self.counts["frames"] += '"type":"message"' in str(frame)
            await asyncio.sleep(AGAIN_S)

    def _topics(self) -> list[str]:
        return [f"{root}.>" for root in (ACCOUNT, *sorted(self.roots))]

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._client is not None:
            await self._client.close()

"""A WebSocket client that speaks the hub's protocol, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

WITHIN_S = 10.0


class Browser:
    """`frames` is everything heard so far, as mappings."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link
        self.frames: list[dict[str, Any]] = []

    async def say(self, **words: Any) -> None:
        await self.link.send(json.dumps(words))

    async def hear(self, **wanted: Any) -> dict[str, Any]:
        """Return the next frame that holds these words; all that were heard are in `frames`."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                frame: dict[str, Any] = json.loads(await self.link.recv())
                self.frames.append(frame)
                if wanted.items() <= frame.items():
                    return frame

    async def subscribe(self, *topics: str) -> None:
        await self.say(id="s", action="subscribe", topics=topics)
        await self.hear(type="subscribed", id="s")

    async def all_before_pong(self) -> list[dict[str, Any]]:
        """Return the messages that were heard until everything said so far is answered."""
        heard = len(self.frames)
        await self.say(id="p", action="ping")
        await self.hear(type="pong", id="p")
        return [f for f in self.frames[heard:] if f["type"] == "message"]

    async def closed(self) -> tuple[int | None, str | None]:
        """Return code and reason once the server has closed, reading what comes before."""
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    self.frames.append(json.loads(await self.link.recv()))
        return self.link.close_code, self.link.close_reason


@asynccontextmanager
async def browser(web, who="operator", *, origin="own", **options):
    """Open a connection as that person; it is signed out when `who` is None."""
    headers = {"Cookie": f"sessionid={web.cookies[who]}"} if who else {}
    uri = f"ws://127.0.0.1:{web.port}/ws/"
    origin = web.url if origin == "own" else origin
    async with connect(
        uri, origin=origin, additional_headers=headers, compression=None, **options
    ) as link:
        yield Browser(link)

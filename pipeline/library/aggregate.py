"""What was received and nobody has taken yet: bounded, in order, of all sources."""

from __future__ import annotations

import asyncio
from collections import deque

from pipeline.core.errors import NotRunning
from pipeline.core.library.item import Item


class Aggregate:
    """
    A queue whose writers cannot wait: it takes whatever comes and says whether there is room for
    more. Who is told that there is none stops reading, and TCP slows the source down. So it exceeds
    its bounds by the little that was read already.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed: BaseException = NotRunning("call start_all_receivers() first")
        self._open = False

    def __len__(self) -> int:
        return len(self._items)

    def open(self) -> None:
        self._open = True

    def close(self, error: BaseException) -> None:
        """Take nothing more; who waits is told, once all that is left has been taken."""
        self._open = False
        self._closed = error
        self._news.set()

    def put(self, item: Item) -> bool:
        self._items.append(item)
        self._bytes += len(item.protobuf_data)
        self._news.set()
        if len(self._items) < self._max_items and self._bytes < self._max_bytes:
            return True
        self._room.clear()
        return False

    async def take(self) -> Item:
        """
        Return the oldest item, once there is one. Cancelling loses none.

        Raises:
            NotRunning: There is none, and there will be none.
            ExceptionGroup: A bug ended the pipeline.
        """
        while not self._items:
            if not self._open:
                raise self._closed
            self._news.clear()
            await self._news.wait()
        item = self._items.popleft()
        self._bytes -= len(item.protobuf_data)
        # Half empty, lest sources stop and go with each item.
        if 2 * len(self._items) <= self._max_items and 2 * self._bytes <= self._max_bytes:
            self._room.set()
        return item

    async def room(self) -> None:
        await self._room.wait()


class Outlet:
    """The end of one source; see `pipeline.flow.Publisher`."""

    def __init__(self, source_id: str, aggregate: Aggregate) -> None:
        self._source_id = source_id
        self._aggregate = aggregate

    def submit(self, subject: str, payload: bytes, msg_id: str) -> bool:
        return self._aggregate.put(Item(self._source_id, payload, subject))

    async def room(self) -> None:
        await self._aggregate.room()

"""A wait that ends at a time, which may come nearer."""

from __future__ import annotations

import asyncio


class Pause:
    """
    Attributes:
        ended: Done as soon as it is time. By the event loop's clock.
    """

    __slots__ = ("_loop", "_timer", "_until_s", "ended")

    def __init__(self, loop: asyncio.AbstractEventLoop, until_s: float) -> None:
        self._loop = loop
        self._until_s = until_s
        self.ended: asyncio.Future[None] = loop.create_future()
        self._timer = loop.call_at(until_s, self._end)

    def end_at(self, until_s: float) -> None:
        """End then, unless it ends earlier anyway."""
        if until_s >= self._until_s:
            return
        self._until_s = until_s
        if until_s <= self._loop.time():
            self._end()
        else:
            self._timer.cancel()
            self._timer = self._loop.call_at(until_s, self._end)

    def close(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

"""Being told to stop, and the waits that this ends."""

from __future__ import annotations

import asyncio

STOP_S = 5.0


class Stopped(Exception):
    """We were told to stop while we waited."""


class Stop:
    """
    Attributes:
        asked: Whether somebody did.
        within_s: How long a handler may take for what it holds.
        gives_back: Whether what is not done then is given back.
    """

    def __init__(self) -> None:
        self.asked = False
        self.within_s = STOP_S
        self.gives_back = True
        self._wake: asyncio.Future[None] | None = None

    def ask(self, within_s: float, *, give_back: bool) -> None:
        self.within_s, self.gives_back, self.asked = within_s, give_back, True
        self.stir()

    def stir(self) -> None:
        """End a `pause`."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def pause(self, at_most_s: float) -> None:
        """Return when something happened that the one who waits should look at."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(at_most_s, self.stir)
        try:
            await self._wake
        finally:
            timer.cancel()
            self._wake = None

    async def rest(self, seconds: float) -> None:
        """
        Return when this time is over.

        Raises:
            Stopped: Meanwhile, or before.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + seconds
        while not self.asked:
            if (left_s := ends_s - loop.time()) <= 0:
                return
            await self.pause(left_s)
        raise Stopped

"""How long a link has brought nothing whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from types import TracebackType


class Silence:
    """
    Raises TimeoutError in its block once nothing `broke` it for `limit_s`.

    One timer that looks at a time stamp: a timer per message would cost more than decoding it.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._since_s = self._loop.time()
        self._excused = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Silence:
        await self._timeout.__aenter__()
        self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def broken(self) -> None:
        self._since_s = self._loop.time()

    @contextlib.contextmanager
    def excused(self) -> Iterator[None]:
        """Do not count: it is we who do not listen."""
        self._excused = True
        try:
            yield
        finally:
            self._excused = False
            self.broken()

    def _look(self) -> None:
        left_s = self._limit_s - (self._loop.time() - self._since_s)
        if self._excused:
            left_s = self._limit_s
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._timeout.reschedule(self._loop.time())

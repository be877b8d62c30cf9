"""
What waits to be sent to one client, bounded.

In order and complete while the client keeps up. Past the soft limit the backlog is conflated: of
every topic only the newest message remains, so that a slow client sees the present and not the
past. A client that does not even read that is given up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from realtime.core.errors import Overrun
from realtime.core.latest import Latest
from realtime.core.protocol import Frame


class Limits(NamedTuple):
    """Texts are measured in characters; most have one byte."""

    # Above what one read from NATS may bring at once, or a client that keeps up would miss some.
    soft_frames: int = 1024
    soft_characters: int = 256 * 1024
    hard_characters: int = 1024 * 1024
    # How long one text may take to be sent; it only takes long when the client does not read.
    patience_s: float = 10.0


class Outbox:
    """Frames of one connection: `put` never waits, one writer awaits `take`."""

    def __init__(
        self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._queue: deque[Frame] = deque()
        self._characters = 0
        self._latest: Latest | None = None
        # Since when the writer is busy with the text it took; None while it waits for one.
        self._sending_s: float | None = None
        self._filled = asyncio.Event()
        self.taken = 0
        self.conflated = 0

    def __len__(self) -> int:
        return len(self._queue if self._latest is None else self._latest)

    def put(self, frame: Frame) -> None:
        """
        Take a frame for the client.

        Raises:
            Overrun: The client has been too slow for too long; nothing more should be put.
        """
        if (
            self._sending_s is not None
            and self._clock() - self._sending_s > self._limits.patience_s
        ):
            raise Overrun(f"nothing was read for {self._limits.patience_s:g} s")
        if self._latest is None:
            if self._fits(frame):
                self._queue.append(frame)
                self._characters += len(frame.text)
                self._filled.set()
                return
            self._latest = self._conflate()
        self.conflated += self._latest.put(frame)
        self._filled.set()
        # One alone says nothing about the client, however long it is.
        if len(self._latest) > 1 and self._latest.characters > self._limits.hard_characters:
            raise Overrun("more is waiting than a connection may hold")

    async def take(self) -> str:
        """Return the next text as soon as there is one."""
        self._sending_s = None
        while not len(self):
            self._filled.clear()
            await self._filled.wait()
        self._sending_s = self._clock()
        self.taken += 1
        if self._latest is None:
            frame = self._queue.popleft()
            self._characters -= len(frame.text)
            return frame.text
        frame = self._latest.pop()
        if not len(self._latest):
            self._latest = None
        return frame.text

    def _fits(self, frame: Frame) -> bool:
        return (
            len(self._queue) < self._limits.soft_frames
            and self._characters + len(frame.text) <= self._limits.soft_characters
        )

    def _conflate(self) -> Latest:
        latest = Latest()
        for frame in self._queue:
            self.conflated += latest.put(frame)
        self._queue.clear()
        self._characters = 0
        return latest

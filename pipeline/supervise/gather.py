"""
A rest of the whole event loop, in which frames gather.

Each frame that is read alone costs a turn of the loop, a look at all sockets and caches that have
gone cold: at 10,000 frames a second that is half of all processor time. A turn that brought few
frames is followed by a short rest, so that the next one brings more; a turn that brought many is
not, because more are there already. Nothing rests while nothing comes: the first frame after a
silence is taken at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# How long, by the milliseconds for which sources may linger. What is left of them is the broker's.
RESTS_S = {0: 0.0, 1: 0.001, 5: 0.002}
# Of frames; as many would not gather in a rest at rates where it helps.
MANY = 64


class Gather:
    """
    Attributes:
        rest_s: As the least patient source of the worker allows; 0 for none.
    """

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.rest_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._sleep = sleep
        self._frames = 0
        self._begun = False

    def frame(self) -> None:
        """Note one frame that was taken."""
        self._frames += 1
        if self.rest_s and not self._begun:
            self._begun = True
            # Others that are ready come first, and then those whom they woke: what these frames
            # became is written before the rest.
            self._loop.call_soon(self._loop.call_soon, self._end_turn)

    def _end_turn(self) -> None:
        frames, self._frames = self._frames, 0
        self._begun = False
        if frames < MANY:
            self._sleep(self.rest_s)

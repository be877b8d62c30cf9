"""A made-up exchange without a socket: one client listens, time passes, frames are collected."""

from __future__ import annotations

import json
import random

from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.instrument import BY_VENUE
from pipeline.core.simulate.market import STEPS_PER_TICK, Market
from pipeline.core.simulate.truth import Truth
from pipeline.core.simulate.venues import MOUTHS, WITH_HOLES

FIRST = 1_700_000_000_000_000
BEGAN_MS = 1_700_000_000_000


class Stage:
    """
    Attributes:
        frames: The bytes that the client was sent, in their order.
        replies: What it was answered to its first request.
    """

    def __init__(self, venue, *, seed=1, checksums=False):
        dice = random.Random(seed)  # noqa: S311
        self.market = Market(BY_VENUE[venue], dice, FIRST, holes=venue in WITH_HOLES)
        self.faults = Faults()
        self.mouth = MOUTHS[venue](self.market, self.faults, checksums=checksums)
        self.now_ms = BEGAN_MS
        self.ticks = 0
        self.frames = []
        self.replies = []

    def join(self, path):
        self.session = self.mouth.session(path, self.now_ms / 1000)
        return self.session

    def ask(self, request):
        """Return what is said to a request, each as JSON."""
        return [json.loads(word) for word in self.answers(json.dumps(request))]

    def answers(self, text):
        return self.session.answer(text, self.now_ms / 1000)

    def pass_ticks(self, count):
        for _ in range(count):
            for _ in range(STEPS_PER_TICK):
                self.now_ms += 50
                self._hear(self.mouth.live(self.market.step(self.now_ms), self._heard, self.now_ms))
            self.ticks += 1
            self._hear(self.mouth.tick(self.ticks, self._heard, self.now_ms))
            for channel in sorted(self.session.fresh):
                if frame := self.mouth.greeting(channel, self.now_ms):
                    self.frames.append(self.mouth.encode(frame, self.session.form))
            self.session.fresh.clear()
        return self

    def truth(self, symbol):
        return Truth(self.market.books[symbol])

    def said(self):
        """Return the frames so far as JSON; numbers as they are written."""
        return [json.loads(frame, parse_float=str) for frame in self.frames]

    @property
    def _heard(self):
        return self.session.channels - self.session.fresh

    def _hear(self, frames):
        for frame in frames:
            for sent in self.faults.through(frame):
                if self.session.hears(sent.channel, sent.kind):
                    self.frames.append(self.mouth.encode(sent, self.session.form))

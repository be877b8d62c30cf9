"""
What decoding, normalising and encoding cost, alone: recorded frames in, payloads out.

    python -m tests.bench.pipeline_stage FRAMES SNAPSHOT     prints microseconds of CPU per frame

The venue, normaliser and encoder of the product, with numbering, sequence checks and the book, as
`pipeline.flow` joins them; the link and the broker are left out. The book's snapshot is given to it
as soon as it asks.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pipeline.core.encode import encode
from pipeline.core.messages import Record
from pipeline.core.normalise import FetchSnapshot, Normaliser, Outgoing, Want
from pipeline.core.normalise.counts import Counts
from pipeline.core.venues.binance import BinanceSpot
from streams.core.templates import STANDARD


class Chain:
    """All that happens to a frame between the link and the broker."""

    def __init__(self, snapshot: bytes) -> None:
        self._snapshot = snapshot
        self._wants: deque[Want] = deque()
        self.venue = BinanceSpot({})
        self.normaliser = Normaliser(
            self.venue, STANDARD, epoch=1, ask=self._wants.append, can_call=True
        )
        self.messages = 0

    def timed(self, frames: list[bytes]) -> float:
        """Return microseconds of CPU per frame."""
        decode, take, received_ns = self.venue.decode, self.normaliser.take, 1
        began = time.thread_time_ns()
        for frame in frames:
            for heard in decode(frame):
                # What is no record would break it: there is none.
                self._encode(take(cast(Record, heard), received_ns))
            if self._wants:
                self._give()
        return (time.thread_time_ns() - began) / 1_000 / len(frames)

    def _encode(self, messages: Sequence[Outgoing]) -> None:
        for outgoing in messages:
            assert encode(outgoing, 2).payload
            outgoing.topic.local_seq += 1
            self.messages += 1

    def _give(self) -> None:
        want = self._wants.popleft()
        assert isinstance(want, FetchSnapshot), want
        book = self.venue.snapshot(want.symbol, self._snapshot)
        self._encode(self.normaliser.snapshot(want.symbol, book, 1))


def main() -> None:
    frames = Path(sys.argv[1]).read_bytes().splitlines()
    snapshot = Path(sys.argv[2]).read_bytes()
    Chain(snapshot).timed(frames[:4_000])  # Warm.
    chain = Chain(snapshot)
    us = chain.timed(frames)
    counts = chain.normaliser.counts
    assert counts == Counts(repeated=1), counts
    assert chain.normaliser.book("BTCUSDT"), "it lost its book"
    # One more for the snapshot; two updates of the book were older than that, and the second of
    # them was a repeat.
    assert chain.messages == len(frames) - 1, (chain.messages, counts)
    found = {"us": us, "frames": len(frames), "messages": chain.messages}
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

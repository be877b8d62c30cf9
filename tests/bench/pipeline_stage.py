"""
What decoding, normalising and encoding cost, alone: recorded frames in, payloads out.

    python -m tests.bench.pipeline_stage FRAMES SNAPSHOT     prints microseconds of CPU per frame

The venue, normaliser and encoder of the product, with numbering, sequence checks and the book, in
the order in which `pipeline.flow` has them; the link and the broker are left out. The book's
snapshot is given to it as soon as it asks.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pipeline.core.normalise import FetchSnapshot
from pipeline.core.spec import SourceSpec
from pipeline.flow import Stages

SPEC = SourceSpec(
    source_id="bench",
    protocol="websocket",
    endpoint="ws://127.0.0.1",
    venue="binance",
    rest_endpoint="http://127.0.0.1",
)


class Nowhere:
    """A broker that has room, always."""

    def __init__(self) -> None:
        self.taken = 0

    def submit(self, subject: str, payload: bytes, msg_id: str) -> bool:
        self.taken += 1
        return True

    async def room(self) -> None: ...


def timed(frames: list[bytes], snapshot: bytes) -> tuple[float, Stages]:
    stages = Stages(SPEC, Nowhere(), time.time_ns)
    accept = stages.accept
    began = time.thread_time_ns()
    for frame in frames:
        accept(frame, 1)
        if stages.wants:
            _give(stages, snapshot)
    return (time.thread_time_ns() - began) / 1_000 / len(frames), stages


def _give(stages: Stages, snapshot: bytes) -> None:
    while stages.wants:
        want = stages.wants.popleft()
        assert isinstance(want, FetchSnapshot), want
        book = stages.venue.snapshot(want.symbol, snapshot)
        stages.publish(stages.normaliser.snapshot(want.symbol, book, 1))


def main() -> None:
    frames = Path(sys.argv[1]).read_bytes().splitlines()
    snapshot = Path(sys.argv[2]).read_bytes()
    timed(frames[:4_000], snapshot)  # Warm.
    us, stages = timed(frames, snapshot)
    counts = stages.normaliser.counts
    assert stages.received == len(frames)
    assert not stages.undecodable, stages.undecodable
    assert not stages.ignored, stages.ignored
    assert not counts.gaps, counts
    found = {
        "us": us,
        "frames": len(frames),
        "messages": stages.published,
        "resyncs": counts.resyncs,
        "repeated": counts.repeated,
    }
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()

"""
cryptofeed 2.4 reading recorded frames, in the environment that only this measurement has.

    python pipeline_cryptofeed.py FRAMES SNAPSHOT     prints microseconds of CPU per frame

As fast as it can: its own message handler, its own C parser, exact numbers and the book, which is
what it always keeps; no checks that can be turned off, no call-backs, nothing published, no link.
It takes aggregated trades only, so its input has the recorded trades under that name. This file
imports nothing of the project.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from cryptofeed.defines import BINANCE, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols

PAIR = "BTC-USDT"


class Rest:
    """Answers with the recorded snapshot."""

    def __init__(self, snapshot: str) -> None:
        self._snapshot = snapshot

    async def read(self, address: str, **_: Any) -> str:
        return self._snapshot


def renamed(frame: str) -> str:
    if "@trade" not in frame:
        return frame
    frame = frame.replace("@trade", "@aggTrade", 1).replace('"e":"trade"', '"e":"aggTrade"', 1)
    return frame.replace('"t":', '"a":', 1)


def feed(snapshot: str) -> Any:
    made = Binance(symbols=[PAIR], channels=[L2_BOOK, TICKER, TRADES])
    made.callbacks = {name: [] for name in made.callbacks}
    made.http_conn = Rest(snapshot)
    return made


async def timed(made: Any, frames: list[str]) -> float:
    handle = made.message_handler
    began = time.thread_time_ns()
    for frame in frames:
        await handle(frame, None, 1.0)
    return (time.thread_time_ns() - began) / 1_000 / len(frames)


async def main(recorded: str, snapshot: str) -> None:
    frames = [renamed(line) for line in recorded.splitlines()]
    Symbols.set(BINANCE, {PAIR: "BTCUSDT"}, {"instrument_type": {PAIR: "spot"}})
    await timed(feed(snapshot), frames[:4_000])  # Warm.
    made = feed(snapshot)
    us = await timed(made, frames)
    last = next(json.loads(f)["data"]["u"] for f in reversed(frames) if "@depth" in f)
    assert made.last_update_id[PAIR] == last, "it lost its book"
    print(json.dumps({"us": us, "frames": len(frames)}))  # noqa: T201 - the result


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text(), Path(sys.argv[2]).read_text()))

"""The recorded Binance spot mix, as often as it is wanted: other symbols, later numbers."""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDING = "hftbacktest/spot_btcusdt_20240808.gz"
FRAMES = 41_248
STREAMS = ("depth@100ms", "bookTicker", "trade")
# After these the book is whole, whatever the snapshot's age: it is older than the last of them.
OPENING = 20

_NUMBER = re.compile(rb'"([UutET])":(\d+)')
_BOOK_END = re.compile(rb'"U":(\d+),"u":(\d+)')


@dataclass(frozen=True)
class Mix:
    """Frames as they were received, and the answer to the REST call for the book."""

    frames: list[bytes]
    snapshot: bytes


def recorded() -> Mix:
    """
    Return the mix.

    Raises:
        SystemExit: There is no recording.
    """
    folder = os.environ.get("TICKPLANE_RECORDED_DATA", "") or ROOT.parent / "shared" / "data"
    path = Path(folder) / RECORDING
    if not path.is_file():
        raise SystemExit(f"no recorded traffic: {path}; TICKPLANE_RECORDED_DATA names its folder")
    with gzip.open(path, "rb") as file:
        lines = [line.rstrip(b"\n").partition(b" ")[2] for line in file]
    frames = [line for line in lines if line.startswith(b'{"stream"')]
    (snapshot,) = (line for line in lines if line.startswith(b'{"lastUpdateId"'))
    assert len(frames) == FRAMES
    return Mix(frames, snapshot)


def symbol(number: int) -> str:
    """Return one as long as BTCUSDT, so that frames stay as long as they were."""
    return f"{number:03d}USDT"


def path_of(symbol: str) -> str:
    """Return the path and query of a link that names this symbol's streams."""
    names = "/".join(f"{symbol.lower()}@{stream}" for stream in STREAMS)
    return f"/stream?streams={names}"


def frames_of(mix: Mix, symbol: str, wanted: int) -> list[bytes]:
    """Return so many frames of a symbol: the mix over and over, with numbers that go on."""
    lower, upper = symbol.lower().encode(), symbol.encode()
    named = [
        frame.replace(b"btcusdt", lower, 1).replace(b"BTCUSDT", upper, 1)
        for frame in mix.frames[:wanted]
    ]
    found = named
    shifts = _shifts(mix.frames)
    for turn in count(1):
        if len(found) >= wanted:
            return found[:wanted]
        found = found + [_shifted(frame, turn, shifts) for frame in named[: wanted - len(found)]]
    raise AssertionError


def _shifts(frames: list[bytes]) -> dict[bytes, int]:
    """Return by how much numbers and times grow from one turn to the next."""
    ends = [found for frame in frames if (found := _BOOK_END.search(frame))]
    updates = int(ends[-1][2]) + 1 - int(ends[0][1])
    trades = [int(found[1]) for frame in frames if (found := re.search(rb'"t":(\d+)', frame))]
    times = [int(found[1]) for frame in frames if (found := re.search(rb'"E":(\d+)', frame))]
    lasts = max(times) + 1 - min(times)
    return {
        b"U": updates,
        b"u": updates,
        b"t": trades[-1] + 1 - trades[0],
        b"E": lasts,
        b"T": lasts,
    }


def _shifted(frame: bytes, turn: int, shifts: dict[bytes, int]) -> bytes:
    return _NUMBER.sub(
        lambda found: b'"%b":%d' % (found[1], int(found[2]) + turn * shifts[found[1]]), frame
    )

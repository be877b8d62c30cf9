"""The recorded Binance spot mix, as often as it is wanted: other symbols, later numbers."""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass
from itertools import accumulate, count, pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDING = "hftbacktest/spot_btcusdt_20240808.gz"
FRAMES = 41_248
STREAMS = ("depth@100ms", "bookTicker", "trade")
# After these the book is whole, whatever the snapshot's age: it is older than the last of them.
OPENING = 20
PER_ADDRESS = 30

_NUMBER = re.compile(rb'"([UutET])":(\d+)')
_BOOK_END = re.compile(rb'"U":(\d+),"u":(\d+)')


@dataclass(frozen=True)
class Mix:
    """
    Frames as they were received, and the answer to the REST call for the book.

    Attributes:
        gaps_s: How long after the one before each frame was received.
    """

    frames: list[bytes]
    snapshot: bytes
    gaps_s: list[float]


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
        parts = [line.rstrip(b"\n").partition(b" ") for line in file]
    heard = [(int(at_ns), frame) for at_ns, _, frame in parts if frame.startswith(b'{"stream"')]
    (snapshot,) = (frame for _, _, frame in parts if frame.startswith(b'{"lastUpdateId"'))
    assert len(heard) == FRAMES
    gaps_s = [(later - earlier) / 1e9 for (earlier, _), (later, _) in pairwise(heard)]
    return Mix([frame for _, frame in heard], snapshot, gaps_s)


def symbol(number: int) -> str:
    """Return one as long as BTCUSDT, so that frames stay as long as they were."""
    return f"{number:03d}USDT"


def address(number: int) -> str:
    """
    Return where a link leads. A few share an address: what a venue allows, it allows each address,
    and so much at once it would not.
    """
    return f"127.0.0.{number // PER_ADDRESS + 1}"


def path_of(symbol: str) -> str:
    """Return the path and query of a link that names this symbol's streams."""
    names = "/".join(f"{symbol.lower()}@{stream}" for stream in STREAMS)
    return f"/stream?streams={names}"


def frames_of(mix: Mix, symbol: str, wanted: int) -> list[bytes]:
    """Return so many frames of a symbol: the mix over and over, with numbers that go on."""
    lower, upper = symbol.lower().encode(), symbol.encode()
    frames = mix.frames if wanted <= FRAMES else _before_the_end_of_the_book(mix.frames)
    named = [
        frame.replace(b"btcusdt", lower, 1).replace(b"BTCUSDT", upper, 1)
        for frame in frames[:wanted]
    ]
    found = named
    shifts = _shifts(mix.frames)
    for turn in count(1):
        if len(found) >= wanted:
            return found[:wanted]
        found = found + [_shifted(frame, turn, shifts) for frame in named[: wanted - len(found)]]
    raise AssertionError


def rhythm(mix: Mix, number: int, count: int, lasts_s: float) -> list[float]:
    """
    Return when so many frames are due: in the recorded rhythm, and all within this time.

    Each link, by its number, begins elsewhere in it: no two keep step.
    """
    begin = number * 997
    gaps_s = [mix.gaps_s[(begin + index) % len(mix.gaps_s)] for index in range(count)]
    pace = lasts_s / sum(gaps_s)
    return [due_s * pace for due_s in accumulate(gaps_s)]


def _before_the_end_of_the_book(frames: list[bytes]) -> list[bytes]:
    """Leave out the tops of book updates that are not there: the next turn's would be older."""
    last = max(int(found[2]) for frame in frames if (found := _BOOK_END.search(frame)))
    return [
        frame
        for frame in frames
        if not (found := re.search(rb'"data":{"u":(\d+)', frame)) or int(found[1]) <= last
    ]


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

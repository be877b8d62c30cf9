"""
Files of recorded traffic.

They are read through once before the first client may come, so that a bad one is refused whole;
then once per client, so that large ones need not fit into memory. Only REST answers are kept.
"""

from __future__ import annotations

import gzip
import heapq
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import IO

from pipeline.core.errors import BadRecording
from pipeline.core.recording import (
    BadLine,
    Form,
    Recorded,
    RecordedAnswer,
    RecordedFrame,
    Speech,
    form_of,
    parse,
)

MAX_LINE = 4 * 1024 * 1024
GZIP = b"\x1f\x8b"
# How much is asked for does not matter: there is one answer.
_AMOUNTS = frozenset({"limit", "depth", "sz", "count", "expired"})


class Recording:
    """
    Files of recorded traffic, as one stream in the order of their receive times.

    Attributes:
        count: How many frames it holds. streams: Which ones they are of.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """
        Raises:
            BadRecording: A file cannot be read to its end, or holds nothing to serve.
        """
        self._paths = paths
        self._answers: list[RecordedAnswer] = []
        self.count = 0
        self.streams: set[str] = set()
        self.speech = Speech.BINANCE
        for path in paths:
            self._look_through(path)
        if not self.count:
            raise BadRecording(f"{', '.join(map(str, paths))} holds no frame of a known stream")

    def frames(self) -> Iterator[RecordedFrame]:
        return heapq.merge(*map(_frames, self._paths), key=attrgetter("at_ns"))

    def answer(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return what this REST call was answered, if it was recorded."""
        wanted = _asked(query)
        for answer in self._answers:
            if answer.path == path and _asked(answer.query) == wanted:
                return answer.body
        if path.endswith("/depth") and query.get("symbol") == self._only_symbol():
            return next((answer.body for answer in self._answers if not answer.path), None)
        return None

    def _look_through(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise BadRecording(f"{path} is no file that can be read twice")
        found = 0
        for recorded in _recorded(path):
            if isinstance(recorded, RecordedAnswer):
                self._answers.append(recorded)
                found += bool(recorded.path)
                continue
            found += 1
            if self.count and recorded.speech is not self.speech:
                raise BadRecording(f"{path} holds frames of another exchange than the others")
            self.speech = recorded.speech
            self.count += 1
            self.streams.add(recorded.stream)
        if not found:
            raise BadRecording(f"{path} holds no frame of a known stream, and no answer")

    def _only_symbol(self) -> str | None:
        symbols = {stream.partition("@")[0].upper() for stream in self.streams}
        return symbols.pop() if len(symbols) == 1 else None


def _asked(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in _AMOUNTS}


def _frames(path: Path) -> Iterator[RecordedFrame]:
    return (found for found in _recorded(path) if isinstance(found, RecordedFrame))


def _recorded(path: Path) -> Iterator[Recorded]:
    """
    Yield what one file holds.

    Raises:
        BadRecording: It cannot be read, or a line is bad; names file and line.
    """
    number = 0
    form: Form | None = None
    try:
        with _opened(path) as file:
            for line in _lines(file):
                number += 1
                if form is None and line:
                    form = form_of(line)
                found = parse(form, line) if form else None
                if found is not None:
                    yield found
    except BadLine as e:
        raise BadRecording(f"{path}, line {number}: {e}") from e
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise BadRecording(f"{path}, after line {number}: damaged gzip: {e}") from e
    except OSError as e:
        raise BadRecording(f"{path} cannot be read: {e.strerror or e}") from e


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    # One byte more than allowed tells a long line from a longest one.
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise BadLine(f"the next line is longer than {MAX_LINE} bytes")
        yield line.rstrip(b"\r\n")


def _opened(path: Path) -> IO[bytes]:
    file = path.open("rb")
    try:
        if file.peek(len(GZIP))[: len(GZIP)] != GZIP:
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    # A buffer: one decompression per line would take most of the time.
    return io.BufferedReader(gzip.open(path, "rb"))

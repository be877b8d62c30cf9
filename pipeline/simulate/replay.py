"""
Recorded traffic, served as the exchange it was recorded from.

The files are read through once before the first client may come, so that a bad one is refused
whole; then once per client, so that a large one need not fit into memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import heapq
import io
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from operator import attrgetter
from pathlib import Path
from typing import IO

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request

from pipeline.core.errors import BadRecording
from pipeline.core.recording import BadLine, Form, RecordedFrame, form_of, parse
from pipeline.core.simulate.binance.session import Session
from pipeline.core.simulate.mouth import Answer, UnknownPath
from pipeline.simulate.serve import Talk, address, listening, on_signal

MAX_LINE = 4 * 1024 * 1024
NOT_FOUND = Answer(HTTPStatus.NOT_FOUND, b"Try /stream?streams=... or /ws/....\n")
GZIP = b"\x1f\x8b"


class Report(msgspec.Struct):
    """What one client was sent."""

    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0


class Recording:
    """Files of recorded traffic, as one stream in the order of their receive times."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """
        Raises:
            BadRecording: A file cannot be read to its end, or holds nothing to serve.
        """
        self._paths = paths
        self.count = 0
        for path in paths:
            if path.exists() and not path.is_file():
                raise BadRecording(f"{path} is no file that can be read twice")
            found = sum(1 for _ in _frames(path))
            if not found:
                raise BadRecording(f"{path} holds no frame of a combined stream")
            self.count += found

    def frames(self) -> Iterator[RecordedFrame]:
        return heapq.merge(*map(_frames, self._paths), key=attrgetter("at_ns"))


async def run(  # noqa: PLR0913
    recording: Recording,
    *,
    host: str,
    port: int,
    speed: float | None,
    once: bool,
    ready: Callable[[str], None],
) -> Report | None:
    """
    Serve each client the whole recording, then close its link, until SIGTERM or SIGINT.

    Args:
        speed: 2.0 is twice as fast as recorded; None is as fast as the client reads.
        once: Return the report of the first client that received everything.
        ready: Called with the URL once clients may come.

    Raises:
        CannotListen: The port is taken.
        BadRecording: A file was changed while it was served.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Report | None] = loop.create_future()

    def finish(report: Report | None) -> None:
        if not done.done():
            done.set_result(report)

    async def talk(link: ServerConnection, session: Session) -> None:
        try:
            report = await _send_all(link, session, recording.frames(), speed)
            await link.close(reason="the end of the recording")
            if link.close_code != CloseCode.NORMAL_CLOSURE:
                return  # What was under way when it vanished, nobody received.
        except ConnectionClosed:
            return  # It went before the end; the next one begins anew.
        except BadRecording as e:
            if not done.done():
                done.set_exception(e)
            return
        if once:
            finish(report)

    on_signal(lambda: finish(None))
    async with listening(_Door(talk), host, port) as server:
        ready(f"ws://{address(server)}/stream")
        return await done


class _Door:
    def __init__(self, talk: Callable[[ServerConnection, Session], Awaitable[None]]) -> None:
        self._talk = talk

    async def check(self, link: ServerConnection, request: Request) -> Answer | Talk:
        try:
            session = Session(request.path)
        except UnknownPath:
            return NOT_FOUND
        return lambda link: self._talk(link, session)


async def _send_all(
    link: ServerConnection,
    session: Session,
    frames: Iterator[RecordedFrame],
    speed: float | None,
) -> Report:
    loop = asyncio.get_running_loop()
    report = Report()
    began_s = loop.time()
    first_ns = -1
    for frame in frames:
        if first_ns < 0:
            first_ns = frame.at_ns
        if speed is not None:
            due_s = began_s + (frame.at_ns - first_ns) / 1e9 / speed
            if (early_s := due_s - loop.time()) > 0:
                await _wait(link, early_s)
        if session.named and not session.hears(frame.stream):
            continue
        # Waits while the client does not read: TCP's own back-pressure.
        await link.send(frame.data, text=True)
        report.frames += 1
        report.bytes += len(frame.data)
    report.seconds = round(loop.time() - began_s, 3)
    return report


async def _wait(link: ServerConnection, at_most_s: float) -> None:
    """Return early when the client is gone; the next send says so."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await link.wait_closed()


def _frames(path: Path) -> Iterator[RecordedFrame]:
    """
    Yield the frames of one file.

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
                frame = parse(form, line) if form else None
                if frame is not None:
                    yield frame
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

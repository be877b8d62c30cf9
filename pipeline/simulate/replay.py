"""
Recorded traffic, served as the exchange it was recorded from.

Binance's clients may name streams in the URL, and are sent everything if they name none. Those of
OKX and Deribit have to subscribe: the recording begins when they have.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import CloseCode
from websockets.http11 import Request

from pipeline.core.errors import BadRecording
from pipeline.core.recording import RecordedFrame, Speech
from pipeline.core.simulate.binance import session as binance
from pipeline.core.simulate.deribit import session as deribit
from pipeline.core.simulate.mouth import Answer, Close, Session, UnknownPath
from pipeline.core.simulate.okx import session as okx
from pipeline.simulate.recorded import Recording
from pipeline.simulate.serve import Talk, address, listening, on_signal

# Who subscribes in several messages has said the last when so much time has passed since.
SETTLE_S = 0.5
NOT_FOUND = Answer(HTTPStatus.NOT_FOUND, b"Try /stream?streams=... or /ws/....\n")
NOT_RECORDED = Answer(HTTPStatus.NOT_FOUND, b"This call was not recorded.\n")
PATHS = {Speech.BINANCE: "/stream", Speech.OKX: "/ws/v5/public", Speech.DERIBIT: "/ws/api/v2"}


class Report(msgspec.Struct):
    """What one client was sent."""

    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0


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
        hearer = _Hearer(link, session)
        answering = asyncio.ensure_future(hearer.answer())
        try:
            if recording.speech is not Speech.BINANCE:
                await hearer.until_subscribed()
            report = await _send_all(hearer, recording.frames(), speed)
            await link.close(reason="the end of the recording")
            if link.close_code != CloseCode.NORMAL_CLOSURE:
                return  # What was under way when it vanished, nobody received.
        except ConnectionClosed:
            return  # It went before the end; the next one begins anew.
        except BadRecording as e:
            if not done.done():
                done.set_exception(e)
            return
        finally:
            answering.cancel()
        if once:
            finish(report)

    on_signal(lambda: finish(None))
    async with listening(_Door(recording, talk), host, port) as server:
        ready(f"ws://{address(server)}{PATHS[recording.speech]}")
        return await done


class _Door:
    def __init__(
        self,
        recording: Recording,
        talk: Callable[[ServerConnection, Session], Awaitable[None]],
    ) -> None:
        self._recording = recording
        self._talk = talk

    async def check(self, link: ServerConnection, request: Request) -> Answer | Talk:
        parts = urlsplit(request.path)
        if "Upgrade" not in request.headers:
            body = self._recording.answer(parts.path, dict(parse_qsl(parts.query)))
            return NOT_RECORDED if body is None else Answer(HTTPStatus.OK, body)
        try:
            session = self._session(request.path)
        except UnknownPath:
            return NOT_FOUND
        return lambda link: self._talk(link, session)

    def _session(self, path: str) -> Session:
        streams = self._recording.streams
        now_s = time.monotonic()
        match self._recording.speech:
            case Speech.OKX:
                return okx.Session(path, now_s, lambda _, name, of: f"{name}:{of}" in streams)
            case Speech.DERIBIT:
                return deribit.Session(
                    path, now_s, takes=streams.__contains__, other=_no_method, raw_for_all=True
                )
            case Speech.BINANCE:
                return binance.Session(path)


def _no_method(method: str, params: object) -> None:
    raise deribit.Refusal(deribit.NO_METHOD, "Method not found")


class _Hearer:
    """One client: its requests are answered while it is sent the recording."""

    def __init__(self, link: ServerConnection, session: Session) -> None:
        self.link = link
        self._session = session
        self._chose = bool(session.channels)
        self._asked = asyncio.Event()

    def hears(self, stream: str) -> bool:
        """Return whether it has asked for this stream, or for none at all."""
        return not self._chose or stream in self._session.channels

    async def answer(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for request in self.link:
                for word in self._session.answer(request, time.monotonic()):
                    if isinstance(word, Close):
                        await self.link.close(word.code, word.reason)
                    else:
                        await self.link.send(word, text=True)
                self._chose = self._chose or bool(self._session.channels)
                self._asked.set()

    async def until_subscribed(self) -> None:
        """
        Raises:
            ConnectionClosed: It went without having subscribed.
        """
        while True:
            self._asked.clear()
            settled = False
            try:
                async with asyncio.timeout(SETTLE_S):
                    await self._asked.wait()
            except TimeoutError:
                settled = True
            if settled and self._session.channels:
                return
            if self.link.close_code is not None:
                raise ConnectionClosedError(None, None)


async def _send_all(
    hearer: _Hearer, frames: Iterator[RecordedFrame], speed: float | None
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
                await _wait(hearer.link, early_s)
        if not hearer.hears(frame.stream):
            continue
        # Waits while the client does not read: TCP's own back-pressure.
        await hearer.link.send(frame.data, text=True)
        report.frames += 1
        report.bytes += len(frame.data)
    report.seconds = round(loop.time() - began_s, 3)
    return report


async def _wait(link: ServerConnection, at_most_s: float) -> None:
    """Return early when the client is gone; the next send says so."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await link.wait_closed()

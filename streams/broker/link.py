"""
NATS for code that does not await: views, tasks and commands.

One connection and one event loop in a daemon thread, made on first use, so that a process which
forks (Celery's workers do) makes its own. Every call has a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
import nats.errors
from nats.aio.client import Client

from streams.broker.connect import connect
from streams.core.errors import ApiRefused, BrokerAway, TooLarge

T = TypeVar("T")

CALL_S = 5.0
# What a server takes that was not configured otherwise.
MAX_PAYLOAD = 1024 * 1024
CONNECT_SHARE = 0.8


class Link:
    """A blocking face of one NATS connection. Safe to call from any thread."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    @property
    def max_payload(self) -> int:
        """The bytes of the largest message that the server takes, as far as it has told."""
        client = self._client
        return client.max_payload if client is not None else MAX_PAYLOAD

    def publish(self, messages: Iterable[tuple[str, bytes]], within_s: float = CALL_S) -> None:
        """
        Publish (subject, payload) pairs in order and return once the server has read them all.

        For subjects that no stream stores: nothing here is acknowledged by JetStream.

        Raises:
            BrokerAway: Not connected, or no answer in time; some may have been published.
        """

        async def call(client: Client) -> None:
            for subject, payload in messages:
                await client.publish(subject, payload)
            await client.flush(timeout=max(1, round(within_s)))

        self._run(call, within_s)

    def publish_stored(
        self,
        subject: str,
        payload: bytes,
        within_s: float = CALL_S,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """
        Publish one message; return JetStream's acknowledgement, None where no stream stores it.

        The acknowledgement has `stream`, `seq` and, for a message that was there, `duplicate`.

        Raises:
            BrokerAway: No answer in time, or one of somebody who is no stream.
            ApiRefused: A stream captures the subject and refused the message.
            TooLarge: More bytes than the server takes.
        """
        told = dict(headers) if headers else None

        async def call(client: Client) -> dict[str, Any] | None:
            size = len(payload) + _size(told)
            if size > client.max_payload:
                raise TooLarge(subject, size, client.max_payload)
            # Asked first: a plain subscriber takes the message without answering, and waiting for
            # a stream's acknowledgement would then fail for a message that has arrived.
            query = msgspec.json.encode({"subject": subject})
            reply = await client.request("$JS.API.STREAM.NAMES", query, timeout=within_s)
            streams = _answer(reply.data).get("streams")
            if not streams:
                await client.publish(subject, payload, headers=told)
                await client.flush(timeout=max(1, round(within_s)))
                return None
            try:
                reply = await client.request(subject, payload, timeout=within_s, headers=told)
            except nats.errors.NoRespondersError as e:
                # Its servers are away, or without a majority: nothing would store it.
                raise BrokerAway(f"no server answers for stream {streams[0]}") from e
            answer = _answer(reply.data)
            if "stream" not in answer:
                raise BrokerAway(f"somebody else answered on {subject}; a stream may have it too")
            return answer

        return self._run(call, within_s)

    def api(
        self, verb: str, body: Mapping[str, Any] | None = None, within_s: float = CALL_S
    ) -> dict[str, Any]:
        """
        Call JetStream's API, for example `STREAM.INFO.MARKET_DATA`; return its JSON as it is.

        Raw JSON and not the client's dataclasses: those drop fields they do not know.

        Raises:
            BrokerAway: No answer in time, or JetStream is off.
            ApiRefused: JetStream answered with an error.
        """
        payload = msgspec.json.encode(body) if body is not None else b""

        async def call(client: Client) -> bytes:
            return (await client.request(f"$JS.API.{verb}", payload, timeout=within_s)).data

        return _answer(self._run(call, within_s))

    def run(self, call: Callable[[Client], Awaitable[T]], within_s: float | None = CALL_S) -> T:
        """
        Return what `call` returns over this connection; `within_s` None: it ends by itself.

        Raises:
            BrokerAway: Not connected, or no answer in time. What else `call` raises comes through.
        """
        return self._run(call, within_s)

    def close(self) -> None:
        with self._lock:
            loop, client, thread = self._loop, self._client, self._thread
            self._loop = self._client = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        if client is not None:
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(_closed(client), loop).result(CALL_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CALL_S)
        loop.close()

    def _run(self, call: Callable[[Client], Awaitable[T]], within_s: float | None) -> T:
        loop = self._ready_loop()

        async def bounded() -> T:
            async with asyncio.timeout(within_s):
                return await call(await self._connected(within_s or CALL_S))

        try:
            return asyncio.run_coroutine_threadsafe(bounded(), loop).result()
        except nats.errors.NoRespondersError as e:
            raise BrokerAway("nobody answers: is JetStream on?") from e
        except (OSError, TimeoutError, nats.errors.Error) as e:
            raise BrokerAway(f"NATS did not answer: {str(e) or type(e).__name__}") from e

    async def _connected(self, within_s: float) -> Client:
        async with self._connecting:
            # nats-py gives up for good over some errors of the server, for example a refused login.
            if self._client is None or self._client.is_closed:
                # Less than the caller's deadline: what it says in the end is why.
                patience_s = within_s * CONNECT_SHARE
                self._client = await connect(self._url, name=self._name, patience_s=patience_s)
        if not self._client.is_connected:
            raise BrokerAway("NATS is not connected; it is being tried again")
        return self._client

    def _ready_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._client, self._pid = asyncio.new_event_loop(), None, os.getpid()
                self._connecting = asyncio.Lock()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name=f"nats-{self._name}", daemon=True
                )
                self._thread.start()
            return self._loop


async def _closed(client: Client) -> None:
    # It writes what it still holds. When the other end is gone, that fails before it has ended its
    # own tasks.
    with contextlib.suppress(OSError, nats.errors.Error):
        await client.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _answer(data: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        # A service of somebody may listen where a stream does, and be faster.
        raise BrokerAway("what answers is not JetStream") from e
    if error := answer.get("error"):
        raise ApiRefused(error.get("err_code", 0), error.get("description", "refused"))
    return answer


def _size(headers: Mapping[str, str] | None) -> int:
    """Return the bytes that headers take on the wire, which count as the payload's do."""
    lines = [
        len(name.encode()) + len(value.encode()) + 4 for name, value in (headers or {}).items()
    ]
    return sum(lines) + len(b"NATS/1.0\r\n\r\n") if lines else 0

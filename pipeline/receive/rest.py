"""
GET requests with an end: of bytes, also of those that a small body unfolds into, and of time.

aiohttp is imported when the first one is made: a worker whose sources need none is 11 MB smaller.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from ssl import SSLContext
from typing import TYPE_CHECKING

from pipeline.core.errors import LinkLost, Throttled

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

MAX_BODY = 8 * 1024 * 1024
CALL_S = 10.0

# 418 is how Binance says that the address is banned for having gone on after a 429.
_THROTTLED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT)
_PAUSE_S = 60.0
_LONGEST_PAUSE_S = 3600.0
_CHUNK = 64 * 1024
_GZIP = 31


class Rest:
    """One HTTP session for all sources of a worker, made when it is needed."""

    def __init__(self, ssl: SSLContext | None) -> None:
        self._ssl = ssl
        self._session: ClientSession | None = None

    async def get(self, url: str, max_bytes: int = MAX_BODY, within_s: float = CALL_S) -> bytes:
        """
        Return the body of the answer.

        Raises:
            Throttled: 429 or 418.
            LinkLost: Anything else than 200, unreachable, too slow or too big.
        """
        from aiohttp import ClientError  # noqa: PLC0415 - see above

        session = self._opened()
        try:
            async with (
                asyncio.timeout(within_s),
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status in _THROTTLED:
                    raise Throttled(response.status, _pause_s(response))
                if response.status != HTTPStatus.OK:
                    raise LinkLost(f"REST: answered with {response.status}")
                chunks = response.content.iter_chunked(_CHUNK)
                return await _body(chunks, response.headers.get("Content-Encoding"), max_bytes)
        except TimeoutError as e:
            raise LinkLost(f"REST: no answer within {within_s:g} s") from e
        except (ClientError, OSError, UnicodeError, ValueError) as e:
            raise LinkLost(f"REST: {type(e).__name__}") from e

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            from aiohttp import ClientSession, DummyCookieJar, TCPConnector  # noqa: PLC0415

            self._session = ClientSession(
                # Not here: hosts that never answer would keep the others' callers waiting. Each
                # host has a few seats, see `supervise.desk`.
                connector=TCPConnector(limit=0, ssl=self._ssl or True),
                cookie_jar=DummyCookieJar(),
                # By our own hand, with a cap.
                auto_decompress=False,
                headers={"Accept-Encoding": "gzip", "User-Agent": "tickplane"},
            )
        return self._session


async def _body(chunks: AsyncIterator[bytes], encoding: str | None, max_bytes: int) -> bytes:
    if encoding not in (None, "identity", "gzip"):
        raise LinkLost("REST: an encoding that nobody asked for")
    unzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    async for chunk in chunks:
        if unzip is None:
            body += chunk
        else:
            try:
                body += unzip.decompress(chunk, max_bytes - len(body) + 1)
            except zlib.error as e:
                raise LinkLost("REST: damaged gzip") from e
        if len(body) > max_bytes:
            raise LinkLost(f"REST: more than {max_bytes} bytes")
    if unzip is not None and not unzip.eof:
        raise LinkLost("REST: gzip cut short")
    return bytes(body)


def _pause_s(response: ClientResponse) -> float:
    # Seconds; a date may stand there too, and then ours is as good.
    text = response.headers.get("Retry-After", "")
    asked_s = float(text) if text.isascii() and text.isdigit() else _PAUSE_S
    return min(max(asked_s, 1.0), _LONGEST_PAUSE_S)

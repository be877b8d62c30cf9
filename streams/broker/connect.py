"""One way to connect to NATS, so that every process notices a dead link and comes back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from nats.aio.client import Client

from streams.core.errors import BrokerAway

logger = logging.getLogger(__name__)

# nats-py's own 120 s x 2 leaves a black-holed link unnoticed for minutes; 2 s x 2 found it
# after 5.8 s.
PING_S = 2
PINGS_OUT = 2
RECONNECT_S = 0.5
# A server that refuses a password says so in two ways by turns.
REMEMBERED = 8


async def connect(
    url: str,
    *,
    name: str,
    on_reconnect: Callable[[], Awaitable[None]] | None = None,
    on_disconnect: Callable[[], Awaitable[None]] | None = None,
    patience_s: float | None = 2.0,
    **options: Any,
) -> Client:
    """
    Return a connection that comes back by itself for ever.

    Args:
        name: Shown by the server's /connz.
        patience_s: How long the first connection may take; None waits for ever.

    Raises:
        BrokerAway: The server could not be reached in time.
    """
    said: deque[str] = deque(maxlen=REMEMBERED)
    client = Client()

    async def lost() -> None:
        if not client.is_closed:  # Otherwise it was us.
            logger.warning("nats %s: link lost", name)
        if on_disconnect:
            await on_disconnect()

    async def back() -> None:
        said.clear()
        logger.info("nats %s: link back", name)
        if on_reconnect:
            await on_reconnect()

    async def noted(error: Exception) -> None:
        # The same refusal twice a second for as long as a server is away is one event.
        text = str(error) or type(error).__name__
        if text not in said:
            said.append(text)
            logger.warning("nats %s: %s", name, text)

    address, credentials = apart(url)
    try:
        async with asyncio.timeout(patience_s):
            await client.connect(
                address,
                name=name,
                ping_interval=PING_S,
                max_outstanding_pings=PINGS_OUT,
                max_reconnect_attempts=-1,
                # Many processes come back at once: spread them. (Annotated as whole seconds, but
                # it is slept as it is.)
                reconnect_time_wait=RECONNECT_S * random.uniform(0.5, 1.5),  # type: ignore[arg-type]  # noqa: S311
                disconnected_cb=lost,
                reconnected_cb=back,
                error_cb=noted,
                **credentials,
                **options,
            )
    except TimeoutError as e:
        await client.close()  # It may hold a socket whose other end never said a word.
        raise BrokerAway(f"NATS cannot be reached: {'; '.join(said) or 'no answer'}") from e
    return client


def apart(url: str) -> tuple[str, dict[str, Any]]:
    """
    Return the URL without its credentials, and those as options of the client.

    The client would send them with their percent signs: no password with a `@` or `/` would fit.
    """
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    user = unquote(parts.username)
    if parts.password is None:
        return bare, {"token": user}
    return bare, {"user": user, "password": unquote(parts.password)}

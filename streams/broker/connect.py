"""
One way to connect to NATS, so that every process notices a dead link and comes back.

A URL may name several servers of a cluster, with commas between. One is enough while it runs: it
tells of the others, and they are remembered.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from nats.aio.client import Client

from streams.broker.installation import refuse_intruder
from streams.broker.trust import trusted
from streams.core.errors import BrokerAway
from streams.core.serverconf import ADMIN_USER

logger = logging.getLogger(__name__)

# nats-py's own 120 s x 2 leaves a black-holed link unnoticed for minutes; 2 s x 2 found it
# after 5.8 s.
PING_S = 2
PINGS_OUT = 2
RECONNECT_S = 0.5
# A server that refuses a password says so in two ways by turns.
REMEMBERED = 8
# Replies to us hold what streams hold, and every user of ours may read at the common inbox. This
# one is nobody's but an admin's; and short, since every record that is published names it.
OWN_INBOX = "_TP"
# The clients of a server that is about to end leave it one after the other.
LEAVE_S = 0.5
# A password may hold a comma; what follows ours is the next scheme.
_BETWEEN = re.compile(r",\s*(?=[a-z]+://)")


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
        url: One server, or several of one cluster with commas between. Credentials are those of
            the first that has any; files for TLS are those of `trust`.
        name: Shown by the server's /connz.
        patience_s: How long the first connection may take; None waits for ever.

    Raises:
        BrokerAway: The server could not be reached in time.
        WrongClient: The installed client is not what it should be.
    """
    refuse_intruder()
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

    addresses, told = apart(url)
    if context := trusted(split(url)):
        told["tls"] = context
    try:
        async with asyncio.timeout(patience_s):
            await client.connect(
                addresses,
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
                lame_duck_mode_cb=_Departure(client).announced,
                **(told | options),
            )
    except TimeoutError as e:
        await client.close()  # It may hold a socket whose other end never said a word.
        raise BrokerAway(f"NATS cannot be reached: {'; '.join(said) or 'no answer'}") from e
    return client


class _Departure:
    """
    Leaves a server that says it is about to end, for another of its cluster.

    Such a server hands its streams over at once, and then ends as soon as its last client has
    left, or after half a minute or more. One that is alone would only be away earlier.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._leaving: asyncio.Task[None] | None = None

    async def announced(self) -> None:
        if self._leaving is None or self._leaving.done():
            # A task: this is the reader's, and must go on reading.
            self._leaving = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        if len(self._client.servers) > 1:
            await asyncio.sleep(random.uniform(0, LEAVE_S))  # noqa: S311
            await self._client.force_reconnect()


def apart(url: str) -> tuple[list[str], dict[str, Any]]:
    """
    Return the servers' URLs without credentials, and those as options of the client.

    The client would send them with their percent signs: no password with a `@` or `/` would fit.
    """
    bare: list[str] = []
    credentials: dict[str, Any] = {}
    for parts in split(url):
        netloc = parts.netloc.rpartition("@")[2]
        bare.append(parts._replace(netloc=netloc, query="").geturl())
        credentials = credentials or _credentials(parts)
    return bare, credentials


def split(url: str) -> list[SplitResult]:
    """Return the parts of each of the servers' URLs."""
    return [urlsplit(one) for one in _BETWEEN.split(url)]


def _credentials(parts: SplitResult) -> dict[str, Any]:
    if parts.username is None:
        return {}
    user = unquote(parts.username)
    if parts.password is None:
        return {"token": user}
    own = {"inbox_prefix": OWN_INBOX} if user == ADMIN_USER else {}
    return {"user": user, "password": unquote(parts.password), **own}

"""Where a consumer's messages come to, past the client's queue and task."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from typing import Any, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from streams.broker.deliveries import Straight
from streams.broker.jetstream import end_if_cancelled, refuse_closed
from streams.broker.stopping import Stop

TICK_S = 0.1
FLUSH_S = 2.0


class Inbox:
    """One subscription, whose messages are handed on in the reader's own turn."""

    def __init__(self, client: Client, stop: Stop) -> None:
        self._client = client
        self._stop = stop
        self._subscription: Subscription | None = None

    async def listen(self, subject: str, take: Callable[[Msg], None]) -> None:
        """
        Return when the server knows of it.

        Args:
            take: See `Straight`.

        Raises:
            BrokerAway: The connection was closed for good.
            Stopped: Before the server knew.
        """
        subscription = await self._client.subscribe(subject, pending_bytes_limit=0)
        end_if_cancelled()
        straight = Straight(take)
        # Pinned by tests; nats-py puts each message that it has read into this queue.
        subscription._pending_queue = cast(Any, straight)  # noqa: SLF001
        self._subscription = subscription
        # It must be at the server before the first request, which does not take the client's way.
        while True:
            refuse_closed(self._client)
            try:
                await self._client.flush(timeout=math.ceil(FLUSH_S))
                end_if_cancelled()
            except (OSError, TimeoutError, nats.errors.Error):
                await self._stop.rest(TICK_S)
            else:
                return

    async def drain(self, within_s: float) -> None:
        """Take no more than what the server has sent, and that still."""
        if self._subscription is not None and self._client.is_connected:
            with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
                async with asyncio.timeout(within_s):
                    await self._subscription.drain()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        if self._subscription is not None and not self._client.is_closed:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

"""
The calls to one REST address, for all sources of a worker.

Hundreds of books may break at once. Each is fetched once at a time, after a pause that grows with
its failures, a few at a time, at the pace that the host allows; and a host that says «too many» is
left alone for as long as it says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import msgspec

from pipeline.core import backoff
from pipeline.core.errors import DecodeError, LinkLost, Throttled
from pipeline.core.venues.venue import Call
from pipeline.receive.rest import MAX_BODY
from pipeline.supervise.turnstile import Turnstile

logger = logging.getLogger(__name__)

SEATS = 4
# A symbol that the venue has no more is asked for this seldom.
CAP_S = 60.0

Key: TypeAlias = tuple[str, ...]


class Get(Protocol):
    """See `pipeline.receive.rest.Rest.get`."""

    def __call__(self, url: str, max_bytes: int = ..., /) -> Awaitable[bytes]: ...


class Order(msgspec.Struct, frozen=True):
    """
    Attributes:
        key: Whose, and what: an order whose key is under way is not taken again. The first part
            is the owner: a source, or empty where it is all of them.
        take: Called with the body; raises DecodeError to have it fetched again.
        fail: Called with the reason of each failure, in a few words.
        attempt: 1 for the first; each further one waits longer.
        tries: After so many in vain `give_up` is called instead; 0 for no end.
    """

    key: Key
    call: Call
    take: Callable[[bytes], None]
    fail: Callable[[str], None] = lambda _: None
    attempt: int = 1
    max_bytes: int = MAX_BODY
    tries: int = 0
    give_up: Callable[[], None] = lambda: None


class Desk:
    def __init__(
        self,
        rest_endpoint: str,
        pace: Turnstile,
        *,
        get: Get,
        tasks: asyncio.TaskGroup,
        dice: Callable[[], float],
    ) -> None:
        """
        Args:
            pace: The host's; other desks may share it.
            tasks: A bug in taking an answer ends this group.
        """
        self._base = rest_endpoint
        self._get = get
        self._group = tasks
        self._dice = dice
        self._pace = pace
        self._seats = asyncio.Semaphore(SEATS)
        self._under_way: dict[Key, asyncio.Task[None]] = {}

    def order(self, order: Order) -> bool:
        """Return whether it was taken: False while the same is under way."""
        if order.key in self._under_way:
            return False
        task = self._group.create_task(self._fill(order), name=":".join(order.key))
        self._under_way[order.key] = task
        return True

    def forget(self, owner: str) -> None:
        """Drop what an owner ordered."""
        for key in [key for key in self._under_way if key[0] == owner]:
            self._under_way.pop(key).cancel()

    def close(self) -> None:
        """Drop everything."""
        while self._under_way:
            self._under_way.popitem()[1].cancel()

    async def _fill(self, order: Order) -> None:
        attempt = order.attempt
        while True:
            if attempt > 1:
                await asyncio.sleep(backoff.delay_s(attempt - 1, self._dice(), CAP_S))
            body = await self._body(order)
            if body is not None and self._take(order, body):
                return
            if attempt - order.attempt + 1 == order.tries:
                self._settle(order)
                order.give_up()
                return
            attempt += 1

    async def _body(self, order: Order) -> bytes | None:
        while True:
            async with self._seats:
                await self._pace.turn(order.call.weight)
                try:
                    return await self._get(self._base + order.call.path, order.max_bytes)
                except Throttled as e:
                    # No fault of this order: it does not count.
                    logger.warning("%s: %s", self._base, e)
                    order.fail(str(e))
                    self._pace.close(e.wait_s)
                except LinkLost as e:
                    logger.info("%s: %s", _named(order), e)
                    order.fail(str(e))
                    return None

    def _take(self, order: Order, body: bytes) -> bool:
        # Settled first: what takes the answer may find that it needs another one.
        self._settle(order)
        try:
            order.take(body)
        except DecodeError as e:
            logger.info("%s: an answer that cannot be used: %s", _named(order), e.reason)
            order.fail(f"REST: an answer that cannot be used: {e.reason}")
            task = asyncio.current_task()
            assert task is not None
            return self._under_way.setdefault(order.key, task) is not task
        return True

    def _settle(self, order: Order) -> None:
        self._under_way.pop(order.key, None)


def _named(order: Order) -> str:
    return " ".join(filter(None, order.key))

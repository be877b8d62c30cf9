"""Messages into the hands of whoever does something with them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from streams.broker.counterpart import Counterpart
from streams.broker.deliveries import Delivery
from streams.broker.held import Held
from streams.broker.jetstream import end_if_cancelled
from streams.broker.settling import GIVE_BACK_CAP_S, Settling
from streams.broker.stopping import Stop
from streams.core import deliveries
from streams.core.agreement import Agreement

logger = logging.getLogger(__name__)

OnMessage: TypeAlias = Callable[[Delivery], object]
OnMessages: TypeAlias = Callable[[Sequence[Delivery]], Awaitable[object]]

# A message that its handler refuses comes again later and later.
GIVE_BACK_S = 0.5
SAY_AGAIN_S = 10.0
TICK_S = 0.1


class Handler:
    """
    Calls `on_message` for each message as it comes, or awaits `on_messages` for many of them.

    What it did not settle itself is settled when it returns, unless `manual`.

    Attributes:
        failed: Times it raised.
    """

    def __init__(  # noqa: PLR0913
        self,
        on_message: OnMessage | None,
        on_messages: OnMessages | None,
        *,
        manual: bool,
        counterpart: Counterpart,
        agreement: Agreement,
        held: Held,
        settling: Settling,
        stop: Stop,
    ) -> None:
        """
        Args:
            on_message, on_messages: One of them.
        """
        self.failed = 0
        self._on_message = on_message
        self._on_messages = on_messages
        self._manual = manual
        self._counterpart = counterpart
        self._agreement = agreement
        self._held = held
        self._settling = settling
        self._stop = stop
        self._waiting: list[Delivery] = []
        self._work = asyncio.Event()
        self._say_failed_s = 0.0

    def hand(self, delivery: Delivery) -> None:
        if self._stop.asked:
            if self._stop.gives_back:
                delivery.nak()
            return
        held = self._held
        if held.remembers:
            held.last_seq = max(held.last_seq, delivery.stream_seq)
            held.owed.discard(delivery.stream_seq)
        if self._on_message is None:
            held.hold(delivery)
            self._waiting.append(delivery)
            self._work.set()
            return
        if self._manual and self._agreement.policy != "none":
            held.hold(delivery)
        try:
            self._on_message(delivery)
        except (Exception, asyncio.CancelledError) as e:  # noqa: BLE001 - whatever it may raise
            # Of something that it asked for: nobody can cancel a plain call.
            self._note_failure([delivery], e)
            return
        if not self._manual:
            self._settling.settle(delivery, deliveries.ACK)

    def started(self) -> asyncio.Task[None] | None:
        """Return the task that hands over many at a time, if that is how; it ends by `finish`."""
        if self._on_messages is None:
            return None
        return asyncio.create_task(self._hand_over(self._on_messages))

    def wake(self) -> None:
        """Have the task see that it is to stop."""
        self._work.set()

    async def finish(self, working: asyncio.Task[None] | None) -> None:
        """Let what is handed over be done, as long as it may take; give back the rest."""
        if working is not None:
            await asyncio.wait([working], timeout=self._stop.within_s)
        elif self._manual:
            await self._until_settled()
        for delivery in list(self._held.deliveries):
            if self._stop.gives_back:
                delivery.nak()
        self._held.clear()
        self._waiting.clear()

    async def _until_settled(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stop.within_s):
                while self._held.deliveries:
                    await self._stop.pause(TICK_S)

    async def _hand_over(self, on_messages: OnMessages) -> None:
        """Hand over what is waiting, batch by batch, until stopped."""
        while not self._stop.asked:
            if not self._waiting:
                self._work.clear()
                await self._work.wait()
                continue
            batch = self._waiting[: self._agreement.batch]
            del self._waiting[: self._agreement.batch]
            try:
                await on_messages(batch)
            except asyncio.CancelledError as e:
                end_if_cancelled()
                # Not we: something that the handler waited for.
                self._note_failure(batch, e)
            except Exception as e:  # noqa: BLE001 - whatever a handler may raise
                self._note_failure(batch, e)
            else:
                self._settle(batch)

    def _settle(self, batch: Sequence[Delivery]) -> None:
        policy = self._agreement.policy
        if self._manual and policy != "none":
            return
        for delivery in batch if policy != "all" else reversed(batch):
            self._settling.settle(delivery, deliveries.ACK)

    def _note_failure(self, batch: Sequence[Delivery], error: BaseException) -> None:
        """Give back what a handler did not take: it must not end the stream for the others."""
        self.failed += 1
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._say_failed_s:
            self._say_failed_s = now_s + SAY_AGAIN_S
            logger.error(
                "consumer %s of %s: the handler failed (%d in all)",
                self._counterpart.name, self._counterpart.stream, self.failed, exc_info=error,
            )  # fmt: skip
        for delivery in batch:
            if delivery.settled or (self._manual and delivery not in self._held.deliveries):
                continue
            times = min(delivery.deliveries - 1, 16)
            delivery.nak(min(GIVE_BACK_CAP_S, GIVE_BACK_S * 2**times))

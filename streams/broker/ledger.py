"""How many records are where, how many bytes that is, and whether there is room for more."""

from __future__ import annotations

import asyncio
import logging

from streams.broker.answers import Refusal
from streams.broker.records import Record
from streams.core.counters import PublishCounters

logger = logging.getLogger(__name__)

SAY_AGAIN_S = 10.0
# There is room again once so much is free. Not half of a large buffer: who fills that in one go
# keeps the event loop from writing, and the server waits.
ROOM = 2_000
ROOM_BYTES = 1024 * 1024


class Ledger:
    def __init__(self, max_waiting: int, max_bytes: int) -> None:
        """
        Args:
            max_waiting, max_bytes: From here on there is no room: records that wait to be
                written, and bytes of all that are kept.
        """
        self.max_waiting = max_waiting
        self.max_bytes = max_bytes
        self.waiting = self.in_flight = self.bytes = 0
        self.acknowledged = self.duplicates = self.batched = 0
        self.resent = self.refused = self.rejected = 0
        self.room = asyncio.Event()
        self.room.set()
        self._settled = asyncio.Event()
        self._say_refused_s = 0.0

    def counters(self) -> PublishCounters:
        return PublishCounters(
            submitted=self.waiting + self.in_flight + self.acknowledged + self.rejected,
            acknowledged=self.acknowledged,
            duplicates=self.duplicates,
            batched=self.batched,
            resent=self.resent,
            refused=self.refused,
            rejected=self.rejected,
            in_flight=self.in_flight,
            waiting=self.waiting,
        )

    def took(self, size: int) -> bool:
        """Note a record that waits; return whether there is room for more."""
        self.waiting += 1
        self.bytes += size
        if self.waiting < self.max_waiting and self.bytes < self.max_bytes:
            return True
        self.room.clear()
        return False

    async def until_settled(self) -> None:
        """Return when every record taken so far, or since, is stored or given up."""
        if self.waiting or self.in_flight:
            self._settled.clear()
            await self._settled.wait()

    def wrote(self, count: int) -> None:
        """Note records that are written for the first time."""
        self.waiting -= count
        self.in_flight += count
        self._make_room()

    def stored(self, count: int, size: int) -> None:
        self.acknowledged += count
        self._release(count, size)

    def reject(self, record: Record, refusal: Refusal) -> None:
        self.rejected += 1
        logger.error(
            "publisher: lost for good, it is not taken: %s: %s",
            record[0].route.subject, refusal,
        )  # fmt: skip
        self._release(1, len(record[1]))

    def refuse(self, refusal: Refusal, now_s: float) -> None:
        self.refused += 1
        if now_s >= self._say_refused_s:
            self._say_refused_s = now_s + SAY_AGAIN_S
            logger.warning("publisher: refused, will be tried again: %s", refusal)

    def _release(self, count: int, size: int) -> None:
        self.in_flight -= count
        self.bytes -= size
        self._make_room()
        if not self.in_flight and not self.waiting:
            self._settled.set()

    def _make_room(self) -> None:
        if (
            not self.room.is_set()
            and self.waiting <= self.max_waiting - min(ROOM, self.max_waiting // 2)
            and self.bytes <= self.max_bytes - min(ROOM_BYTES, self.max_bytes // 2)
        ):
            self.room.set()

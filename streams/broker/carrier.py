"""
Carries announcements to NATS, in the announcer's own thread and loop.

Each goes out with a reply subject and an id. What is not answered when the link is lost goes out
again on the next one, and the stream's duplicate window drops what it had already stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import Callable

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.broker.backlog import Backlog
from streams.broker.connect import connect
from streams.broker.jetstream import end_if_cancelled
from streams.core.announcements import Announcement

logger = logging.getLogger(__name__)

# Far from the hundred thousand at which a stream begins to lose messages.
WINDOW = 256
# Nobody answers for a subject that only plain subscribers listen to.
ANSWER_S = 5.0
TICK_S = 0.5
# A connection that was closed for good, for example over a password, is begun anew.
AGAIN_S = 5.0


class _Answer(msgspec.Struct):
    stream: str = ""
    error: object = None


_answer = msgspec.json.Decoder(_Answer)


class Carrier:
    """
    One connection after the other, until closed.

    Args:
        summary: Makes the announcement that so many were dropped.
    """

    def __init__(
        self, url: str, name: str, backlog: Backlog, summary: Callable[[int], Announcement]
    ) -> None:
        self._url = url
        self._name = name
        self._backlog = backlog
        self._summary = summary
        self._health: Callable[[], Announcement] | None = None
        self._every_s = self._due_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._closing = False
        self._work: asyncio.Task[None] | None = None

        self._client: Client | None = None
        self._link = -1
        self._inbox = ""
        self._numbers = itertools.count(1)
        self._id = secrets.token_hex(8)
        self._sent: dict[int, tuple[float, Announcement]] = {}
        # Ours, not put by anybody: they take no room and are not counted.
        self._own: set[int] = set()

    async def run(self) -> None:
        """Return when closed and everything is sent, or the time for it is over."""
        self._work = asyncio.ensure_future(self._carry())
        with contextlib.suppress(asyncio.CancelledError):
            await self._work

    # Called in this loop by way of `call_soon_threadsafe`.

    def note_news(self) -> None:
        self._news.set()

    def keep_healthy(self, every_s: float, health: Callable[[], Announcement]) -> None:
        self._every_s, self._health, self._due_s = every_s, health, self._loop.time()
        self._news.set()

    def close(self, within_s: float) -> None:
        self._closing = True
        self._news.set()
        if self._work is not None:
            self._loop.call_later(within_s, self._work.cancel)

    async def _carry(self) -> None:
        while True:
            client = await connect(self._url, name=self._name, patience_s=None)
            try:
                end_if_cancelled()
                await self._listen(client)
                if await self._send(client):
                    return
            finally:
                await client.close()
            logger.warning("%s: the connection was closed: %s", self._name, client.last_error)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, client: Client) -> None:
        self._client, self._link = client, client.stats["reconnects"]
        self._inbox = client.new_inbox() + "."
        await client.subscribe(f"{self._inbox}*", cb=self._on_answer)
        # What the connection before this one took with it.
        await self._send_again(client)

    async def _send(self, client: Client) -> bool:
        """Return whether all is sent that ever will be; False when the connection has ended."""
        while not client.is_closed:
            end_if_cancelled()
            if client.is_connected:
                if self._link != client.stats["reconnects"]:
                    self._link = client.stats["reconnects"]
                    await self._send_again(client)
                await self._send_new(client)
                if self._closing and not self._sent and not self._backlog.is_waiting:
                    return True
            await self._pause()
        return False

    async def _send_new(self, client: Client) -> None:
        self._give_up()
        while len(self._sent) < WINDOW:
            announcement = self._backlog.take()
            if announcement is None:
                break
            await self._write(client, next(self._numbers), announcement)
        # Told when all that was kept has arrived, so once for each time that NATS was away.
        if not self._sent and (count := self._backlog.newly_dropped()):
            await self._write_own(client, self._summary(count))
        if self._health is not None and not self._closing and self._loop.time() >= self._due_s:
            self._due_s = self._loop.time() + self._every_s
            await self._write_own(client, self._health())

    async def _write_own(self, client: Client, announcement: Announcement) -> None:
        number = next(self._numbers)
        self._own.add(number)
        await self._write(client, number, announcement)

    async def _send_again(self, client: Client) -> None:
        for number, (_, announcement) in list(self._sent.items()):
            await self._write(client, number, announcement)

    async def _write(self, client: Client, number: int, announcement: Announcement) -> None:
        subject, payload = announcement
        self._sent[number] = (self._loop.time(), announcement)
        try:
            await client.publish(
                subject,
                payload,
                reply=f"{self._inbox}{number}",
                headers={"Nats-Msg-Id": f"{self._id}.{number}"},
            )
        except (nats.errors.MaxPayloadError, nats.errors.BadSubjectError) as e:
            logger.warning("%s: not announced: %s: %s", self._name, subject, e)
            self._settle(number, refused=1)
        except (OSError, nats.errors.Error) as e:
            # It is still in `_sent`: the next link takes it.
            logger.debug("%s: %s", self._name, e)

    async def _on_answer(self, msg: Msg) -> None:
        number = int(msg.subject[len(self._inbox) :])
        if number not in self._sent:
            return  # Sent twice, answered twice.
        if msg.headers and msg.headers.get("Status") == "503":
            self._settle(number, unstored=1)
        else:
            try:
                answer = _answer.decode(msg.data)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                answer = _Answer()  # A subscriber of its own answers.
            if answer.error is not None:
                self._settle(number, refused=1)
            else:
                self._settle(number, stored=bool(answer.stream), unstored=not answer.stream)
        self._news.set()

    def _give_up(self) -> None:
        """Ask no longer after what nobody answers for."""
        until_s = self._loop.time() - ANSWER_S
        for number, (sent_s, _) in list(self._sent.items()):
            if sent_s > until_s:
                return
            self._settle(number, unstored=1)

    def _settle(self, number: int, *, stored: int = 0, unstored: int = 0, refused: int = 0) -> None:
        _, announcement = self._sent.pop(number)
        if number in self._own:
            self._own.remove(number)
        else:
            self._backlog.settle(announcement, stored=stored, unstored=unstored, refused=refused)

    async def _pause(self) -> None:
        """Return when something is to be done, or might be."""
        client, now_s = self._client, self._loop.time()
        at_most_s: float | None = None
        if self._sent or client is None or not client.is_connected:
            at_most_s = TICK_S
        elif self._health is not None:
            at_most_s = max(0.0, self._due_s - now_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._news.wait()
        self._news.clear()

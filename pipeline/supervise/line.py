"""
What is said on one link and who hears: between a receiver and the stages of its source.

The link that is to replace another one is held back: what it brings is kept until the old one has
certainly brought all that was sent before. Two links are not equally fast, and the first update of
the faster one, taken at once, would look as if the ones before were missing.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable

from pipeline.core.conversation import Conversation
from pipeline.core.errors import DecodeError
from pipeline.core.messages import DATA_TYPES, Skipped
from pipeline.core.venues.venue import Channel
from pipeline.flow import Stages

# More is not kept, whatever comes of it.
MAX_HELD = 8 * 1024 * 1024
# What a kept frame takes beside its bytes.
_EXTRA = 120


class Line:
    """
    Attributes:
        url: Where the link leads.
        talk: What is said and answered.
        opened: Whether the link is there.
        heard: Whether anything came. spoke: Whether data came, and not only replies.
        holds: Whether what comes is kept back. full: Whether no more can be.
    """

    def __init__(  # noqa: PLR0913
        self,
        url: str,
        talk: Conversation,
        stages: Stages,
        *,
        on_news: Callable[[], None],
        on_asked: Callable[[list[Channel]], None],
        holds: bool = False,
    ) -> None:
        """
        Args:
            on_news: Called at what the source has to look at; must return at once.
            on_asked: Called with channels before they are asked for: what they say first must not
                be news to the normaliser.
        """
        self.url = url
        self.talk = talk
        self.opened = False
        self.heard = False
        self.spoke = False
        self.holds = holds
        self.full = False
        # From now on there is nothing but to hand on: no handshake any more, nothing held back.
        self._flows = False
        self._held: deque[tuple[bytes, int]] = deque()
        self._held_bytes = 0
        self._stages = stages
        self._on_news = on_news
        self._on_asked = on_asked
        self._stir = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether all subscriptions are answered for."""
        return self.opened and self.talk.ready

    def want(self, channels: Iterable[Channel]) -> None:
        self.talk.subscriptions.want(channels)
        self._stir.set()

    def renew(self, channels: Iterable[Channel]) -> None:
        self.talk.subscriptions.renew(channels)
        self._stir.set()

    def release(self, most: int) -> bool:
        """Hand on so many of the frames that are held; return whether none is left."""
        while self._held and most:
            most -= 1
            frame, received_ns = self._held.popleft()
            self._stages.accept(frame, received_ns)
        self.holds = bool(self._held)
        return not self.holds

    # What the receiver calls; see `pipeline.receive.stages.Line`.

    def accept(self, frame: bytes | memoryview, received_ns: int) -> bool:
        if not self._flows:
            return self._accept_first(frame, received_ns)
        room = self._stages.accept(frame, received_ns)
        if self._stages.replies:
            self._hear()
        return room

    def _accept_first(self, frame: bytes | memoryview, received_ns: int) -> bool:
        if not self.heard:
            self.heard = True
            self._on_news()
        if self.talk.scripted:
            self.talk.hear_frame(frame)
            self._stir.set()
            return True
        if self.holds and self._is_data(frame):
            return self._keep(frame, received_ns)
        room = self._stages.accept(frame, received_ns)
        if self._stages.replies:
            self._hear()
        elif not self.spoke:
            self.spoke = True
            self._on_news()
        self._flows = self.spoke and not self.holds
        return room

    async def room(self) -> None:
        await self._stages.room()

    def say(self, now_s: float) -> tuple[list[bytes], float]:
        self.opened = True
        said = self.talk.say(now_s)
        if asked := self.talk.subscriptions.asked:
            self._on_asked(asked)
            asked.clear()
        # What the address names is taken without an answer, and some time is over.
        self._on_news()
        return said

    async def stirred(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(None if at_most_s == math.inf else at_most_s):
                await self._stir.wait()
        except TimeoutError:
            pass
        self._stir.clear()

    def _is_data(self, frame: bytes | memoryview) -> bool:
        try:
            heard = self._stages.venue.decode(frame)
        except DecodeError:
            return True
        return any(type(one) in DATA_TYPES or isinstance(one, Skipped) for one in heard)

    def _keep(self, frame: bytes | memoryview, received_ns: int) -> bool:
        kept = bytes(frame)
        self._held.append((kept, received_ns))
        self._held_bytes += len(kept) + _EXTRA
        if not self.spoke:
            self.spoke = True
            self._on_news()
        if self._held_bytes >= MAX_HELD:
            self.full = True
            self._on_news()
        return not self.full

    def _hear(self) -> None:
        # The frame was this link's, so the replies in it are.
        replies = self._stages.replies
        while replies:
            self.talk.hear(replies.popleft())
        self._stir.set()
        self._on_news()

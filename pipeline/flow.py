"""
The whole journey of a datum, and what is counted on the way.

    receive -> decode -> normalise -> encode -> publish

Stages know messages, never each other; only this file joins them. A frame that is wrong is counted
and dropped here, so one bad message never ends a stream. Anything else that goes wrong is a bug and
propagates to `supervise`.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from pipeline.core.encode import encode
from pipeline.core.errors import DecodeError
from pipeline.core.messages import DATA_TYPES, Reply, Skipped
from pipeline.core.normalise import Normaliser, Outgoing, Want
from pipeline.core.spec import SourceSpec, declares
from pipeline.core.venues import venue_of
from streams.core.errors import BadSubject, TooLarge
from streams.core.templates import STANDARD, compiled

logger = logging.getLogger(__name__)

SAY_AGAIN_NS = 10_000_000_000
# More than this a link that works never leaves lying.
REPLIES = 1_000


class Publisher(Protocol):
    """See `streams.broker.publisher.Publisher`."""

    def submit(self, subject: str, payload: bytes, msg_id: str) -> bool: ...

    async def room(self) -> None: ...


class Stages:
    """
    Everything that happens to the frames of one source, without waiting for anything.

    Attributes:
        ignored, undecodable: How many frames, by reason.
        replies: What the venue said to us and not about the market; the link takes them.
        wants: What the normaliser asked for; `supervise` takes them.
        on_want: Called when there is a new one; must return at once.
        on_frame: Called after each frame, if it is there; must return at once.
    """

    def __init__(self, spec: SourceSpec, publisher: Publisher, clock_ns: Callable[[], int]) -> None:
        self.received = 0
        self.published = 0
        self.ignored: Counter[str] = Counter()
        self.undecodable: Counter[str] = Counter()
        self.last_message_ns = 0
        self.replies: deque[Reply] = deque(maxlen=REPLIES)
        self.wants: deque[Want] = deque()
        self.on_want: Callable[[], None] = _nobody
        self.on_frame: Callable[[], None] | None = None
        self.venue = venue_of(spec.venue)(spec.options)
        self.normaliser = Normaliser(
            self.venue,
            compiled(spec.templates) if spec.templates else STANDARD,
            epoch=spec.epoch,
            ask=self._ask,
            can_call=bool(spec.rest_endpoint),
            checksums=spec.checksums,
            backfill=spec.backfill,
            stale_s=spec.stale_s,
            only_subscribed=declares(spec) and not self.venue.channels_in(spec.endpoint),
        )
        self._source_id = spec.source_id
        self._publisher = publisher
        self._clock_ns = clock_ns
        self._say_again_ns = 0

    def accept(self, frame: bytes | memoryview, received_ns: int) -> bool:
        """
        Carry one frame to the publisher; return whether there is room for more.

        Args:
            received_ns: When its last byte arrived.
        """
        self.received += 1
        self.last_message_ns = received_ns
        room = True
        try:
            for heard in self.venue.decode(frame):
                if type(heard) in DATA_TYPES:
                    taken = self.normaliser.take(heard, received_ns)  # type: ignore[arg-type]
                    room = self.publish(taken) and room
                elif isinstance(heard, Skipped):
                    self.ignored[heard.value] += 1
                else:
                    self.replies.append(cast(Reply, heard))
        except DecodeError as e:
            self._drop(e.reason, received_ns)
        except BadSubject as e:
            self._drop(type(e).__name__, received_ns)
        if self.on_frame is not None:
            self.on_frame()
        return room

    def publish(self, messages: Iterable[Outgoing]) -> bool:
        """
        Hand messages to the broker, in order; return whether there is room for more.

        What it cannot take is counted and gets no number; consumers are told.
        """
        room = True
        waiting = iter(messages)
        while True:
            for outgoing in waiting:
                envelope = encode(outgoing, self._clock_ns())
                try:
                    room = self._publisher.submit(
                        envelope.subject, envelope.payload, envelope.msg_id
                    )
                except (BadSubject, TooLarge) as e:
                    now_ns = self._clock_ns()
                    self._drop(type(e).__name__, now_ns)
                    waiting = iter(self.normaliser.refused(outgoing, waiting, now_ns))
                    break
                outgoing.topic.local_seq += 1
                self.published += 1
            else:
                return room

    def tell(self, messages: Iterable[Outgoing], now_ns: int) -> None:
        """Publish what no frame brought."""
        self.publish(messages)

    def drop(self, error: DecodeError, now_ns: int) -> None:
        """Count an answer to a call of ours that is not what the venue promised."""
        self._drop(error.reason, now_ns)

    def count_on_from(self, before: Stages) -> None:
        """Take over the counters of the same source with other settings."""
        self.received = before.received
        self.published = before.published
        self.ignored = before.ignored
        self.undecodable = before.undecodable
        self.last_message_ns = before.last_message_ns
        self.normaliser.go_on_from(before.normaliser)

    async def room(self) -> None:
        await self._publisher.room()

    def _ask(self, want: Want) -> None:
        self.wants.append(want)
        self.on_want()

    def _drop(self, reason: str, now_ns: int) -> None:
        self.undecodable[reason] += 1
        if now_ns >= self._say_again_ns:
            self._say_again_ns = now_ns + SAY_AGAIN_NS
            # Never the frame itself, nor the decoder's words: they may quote it.
            logger.warning(
                "%s: frames dropped, the last for reason %r; so far %d",
                self._source_id,
                reason,
                self.undecodable.total(),
            )


def _nobody() -> None: ...

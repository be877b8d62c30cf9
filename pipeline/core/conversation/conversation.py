"""All that is said on one link, in its order and at the venue's pace."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from pipeline.core.conversation.script import Script
from pipeline.core.conversation.subscriptions import MAX_TEXT, Subscriptions
from pipeline.core.errors import DecodeError
from pipeline.core.messages import Accepted, Demand, Farewell, Pong, Rejected, Reply
from pipeline.core.ratelimit import Bucket
from pipeline.core.spec import SourceSpec
from pipeline.core.venues.venue import Channel, Limits, Ping, Venue

ACK_S = 10.0
# A peer that demands without end and reads nothing makes nothing grow.
MAX_ANSWERS = 16

_HOUR_S = 3600.0


class Conversation:
    """
    Attributes:
        subscriptions: See `Subscriptions`.
        farewell: Why the venue will close the link; empty while it will not.
        complaint: The last refusal that was about no request of ours, as the venue worded it.
    """

    def __init__(
        self,
        spec: SourceSpec,
        venue: Venue,
        channels: Iterable[Channel],
        *,
        named: Iterable[Channel] = (),
        ack_s: float = ACK_S,
    ) -> None:
        """
        Args:
            channels: What to subscribe to.
            named: What the address subscribes to, without a word of ours.
        """
        self.subscriptions = Subscriptions(venue, named, ack_s)
        self.farewell = ""
        self.complaint = ""
        self._venue = venue
        self._script = Script(spec.handshake)
        self._ping = _ping(spec, venue)
        self._ping_s = math.inf
        self._opening: deque[bytes] | None = None
        self._answers: deque[bytes] = deque(maxlen=MAX_ANSWERS)
        self._paces = _paces(venue.limits)
        self.subscriptions.want(channels)

    @property
    def scripted(self) -> bool:
        """Whether frames belong to the operator's handshake still, and are no data."""
        return not self._script.done

    @property
    def ready(self) -> bool:
        """Whether everything was said that is to be said first, and answered."""
        return self._opening is not None and not self._opening and self.subscriptions.settled

    def hear_frame(self, frame: bytes | memoryview) -> None:
        """Take a frame while the conversation is `scripted`."""
        self._script.hear(bytes(frame), refusal=self._refuses(frame))

    def hear(self, reply: Reply) -> None:
        match reply:
            case Accepted():
                self.subscriptions.accepted(reply)
            case Rejected():
                if not self.subscriptions.rejected(reply):
                    self.complaint = f"{reply.code} {reply.text}".strip()[:MAX_TEXT]
            case Demand():
                self._answers.append(reply.answer)
            case Farewell():
                self.farewell = reply.reason
            case Pong():
                pass

    def say(self, now_s: float) -> tuple[list[bytes], float]:
        """
        Return what to send now, and when to ask again at the latest.

        Raises:
            LinkLost: The venue owes us an answer, or gave a wrong one.
            AuthRefused: The venue does not take the login of the script.
        """
        if self.scripted:
            texts, due_s = self._script.say(now_s)
            if self.scripted:
                return texts, due_s
        else:
            texts = []
        if self._opening is None:
            self._open(now_s)
        self.subscriptions.end_overdue(now_s)
        # Late is a closed link, so these wait for nobody; they count, though.
        while self._answers:
            texts.append(self._spent(self._answers.popleft(), now_s))
        if self._ping is not None and now_s >= self._ping_s:
            self._ping_s = now_s + self._ping.every_s
            texts.append(self._spent(self._ping.message, now_s))
        while not (wait_s := self._wait_s(now_s)) and (text := self._next(now_s)) is not None:
            texts.append(self._spent(text, now_s))
        return texts, min(self._ping_s, self.subscriptions.until_s, self._again_s(now_s, wait_s))

    def _open(self, now_s: float) -> None:
        self._opening = deque(self._venue.opening())
        self.subscriptions.begin()
        if self._ping is not None:
            self._ping_s = now_s + self._ping.every_s

    def _next(self, now_s: float) -> bytes | None:
        if self._opening:
            return self._opening.popleft()
        return self.subscriptions.next_message(now_s)

    def _again_s(self, now_s: float, wait_s: float) -> float:
        unsaid = self._opening or self.subscriptions.unsaid
        return now_s + wait_s if unsaid else math.inf

    def _wait_s(self, now_s: float) -> float:
        return max(pace.wait_s(1, now_s) for pace in self._paces)

    def _spent(self, text: bytes, now_s: float) -> bytes:
        for pace in self._paces:
            pace.spend(1, now_s)
        return text

    def _refuses(self, frame: bytes | memoryview) -> bool:
        try:
            heard = self._venue.decode(frame)
        except DecodeError:
            return False  # An answer of the operator's own kind.
        return any(isinstance(found, Rejected) for found in heard)


def _ping(spec: SourceSpec, venue: Venue) -> Ping | None:
    if spec.ping_text:
        return Ping(spec.ping_text.encode(), spec.ping_every_s)
    return venue.ping


def _paces(limits: Limits) -> list[Bucket]:
    # One at a time, evenly: a venue that counts five in a second counts them in any second.
    paces = [Bucket(1, limits.messages_per_s)]
    if hourly := limits.messages_per_hour:
        paces.append(Bucket(hourly / 2, hourly / 2 / _HOUR_S))
    return paces

"""
Which channels one link should have, has asked for, and has.

Every request is answered, or the link counts as lost. A venue answers for the whole request, for
each channel, or with a list of those it took; so what a partly answered request leaves open counts
as refused once its time is over. A request refused as a whole, without a name, is asked again in
halves until the one channel that spoils it stands alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.core.errors import LinkLost
from pipeline.core.messages import Accepted, Rejected
from pipeline.core.venues.venue import Channel, Venue

# The numbers below are left to what a venue sends first.
FIRST_NUMBER = 101
MAX_TEXT = 100
# A venue that answers channel by channel does it in one go.
REST_S = 2.0


class Request(msgspec.Struct):
    """
    Attributes:
        left: Channels not yet answered for.
        answered: Whether anything came. shortened: Whether the rest is due sooner, therefore.
    """

    subscribes: bool
    left: dict[str, Channel]
    until_s: float
    answered: bool = False
    shortened: bool = False


class Subscriptions:
    """
    Attributes:
        taken: The channels that the venue sends.
        refused: Why not, by the name of the channel; these are not asked for again.
        asked: What is about to be asked for, or named. denied: What was refused. Since somebody
            looked; whoever looks empties them.
    """

    def __init__(self, venue: Venue, named: Iterable[Channel], ack_s: float) -> None:
        """
        Args:
            named: What the address itself subscribes to.
        """
        self.taken: dict[str, Channel] = {}
        self.refused: dict[str, str] = {}
        self.asked: list[Channel] = []
        self.denied: list[Channel] = []
        self._venue = venue
        self._ack_s = ack_s
        self._named = {channel.name: channel for channel in named}
        self._wanted = dict(self._named)
        self._to_take: dict[str, Channel] = {}
        self._to_drop: dict[str, Channel] = {}
        self._halves: deque[list[Channel]] = deque()
        self._open: dict[int, Request] = {}
        self._number = FIRST_NUMBER - 1

    @property
    def settled(self) -> bool:
        """Whether all that was wanted has been answered for."""
        asking = any(request.subscribes for request in self._open.values())
        return not (asking or self._to_take or self._halves)

    @property
    def unsaid(self) -> bool:
        """Whether there is a request left to send."""
        return bool(self._to_take or self._to_drop or self._halves)

    @property
    def spoken_for(self) -> list[Channel]:
        """What is taken, or asked for and not yet answered."""
        found = dict(self.taken)
        for request in self._open.values():
            found |= request.left
        return list(found.values())

    @property
    def until_s(self) -> float:
        """When the first answer is overdue; infinity for none."""
        return min((request.until_s for request in self._open.values()), default=math.inf)

    def begin(self) -> None:
        """Note that the link is open: what its address names is taken."""
        self.asked += self._named.values()
        self.taken |= self._named

    def want(self, channels: Iterable[Channel]) -> None:
        """Make these the channels of the link, beside the named: only the difference is said."""
        wanted = self._named | {channel.name: channel for channel in channels}
        for name, channel in wanted.items():
            if name not in self._wanted:
                self.refused.pop(name, None)
                # What is yet to be given up is taken again thereafter: its book was dropped.
                if name not in self._to_drop:
                    self._to_take[name] = channel
        for name, channel in self._wanted.items():
            if name not in wanted:
                self.refused.pop(name, None)
                if self._to_take.pop(name, None) is None:
                    self._to_drop[name] = channel
        self._wanted = wanted

    def renew(self, channels: Iterable[Channel]) -> None:
        """Give these up and take them again: they begin anew."""
        for channel in channels:
            if channel.name in self.taken:
                self._to_drop[channel.name] = channel

    def next_message(self, now_s: float) -> bytes | None:
        """Return one request to send now, if any is left."""
        most = self._venue.limits.channels_per_message
        if self._to_drop:
            batch = _first(self._to_drop, most)
            # Those of `renew` are still wanted.
            self._to_take |= {c.name: c for c in batch if c.name in self._wanted}
            return self._venue.unsubscribe(batch, self._asked(batch, now_s, subscribes=False))
        while self._halves:
            half = [c for c in self._halves.popleft() if self._is_missing(c)]
            if half:
                return self._venue.subscribe(half, self._asked(half, now_s, subscribes=True))
        if self._to_take:
            batch = _first(self._to_take, most)
            return self._venue.subscribe(batch, self._asked(batch, now_s, subscribes=True))
        return None

    def accepted(self, reply: Accepted) -> None:
        for name in reply.channels:
            number = self._request_of(name, reply.number)
            if number is not None:
                self._answered(number, [name])
        if not reply.channels and reply.number in self._open:
            self._answered(reply.number, list(self._open[reply.number].left))

    def rejected(self, reply: Rejected) -> bool:
        """Return whether it was about anything of this link."""
        text = f"{reply.code} {reply.text}".strip()[:MAX_TEXT]
        found = False
        for name in reply.channels:
            number = self._request_of(name, reply.number)
            if number is not None:
                self._refuse(number, [name], text)
                found = True
        if not found and (request := self._open.get(reply.number)) is not None:
            names = list(request.left)
            if request.subscribes and len(names) > 1:
                self._halve(self._open.pop(reply.number))
            else:
                self._refuse(reply.number, names, text)
            found = True
        return found

    def end_overdue(self, now_s: float) -> None:
        """
        Settle what should have been answered by now.

        Raises:
            LinkLost: Nothing came in answer to a request for channels.
        """
        for number, request in list(self._open.items()):
            if request.answered and not request.shortened:
                request.shortened = True
                request.until_s = min(request.until_s, now_s + REST_S)
            if now_s < request.until_s:
                continue
            if not request.subscribes:
                self._answered(number, list(request.left))
            elif request.answered:
                self._refuse(number, list(request.left), "not confirmed by the venue")
            else:
                raise LinkLost(f"a subscription was not answered within {self._ack_s:g} s")

    def _asked(self, batch: Sequence[Channel], now_s: float, *, subscribes: bool) -> int:
        self._number += 1
        if subscribes:
            self.asked += batch
        channels = {channel.name: channel for channel in batch}
        self._open[self._number] = Request(subscribes, channels, now_s + self._ack_s)
        return self._number

    def _is_missing(self, channel: Channel) -> bool:
        return channel.name in self._wanted and channel.name not in self.taken

    def _request_of(self, name: str, number: int) -> int | None:
        if (request := self._open.get(number)) is not None and name in request.left:
            return number
        # The venue names the channel only: the oldest request that holds it. One for it comes
        # first: some venues say nothing of those against it.
        found = [n for n, request in self._open.items() if name in request.left]
        return min(found, key=lambda n: (not self._open[n].subscribes, n), default=None)

    def _answered(self, number: int, names: Iterable[str]) -> None:
        request = self._open[number]
        for name in names:
            channel = request.left.pop(name)
            if request.subscribes:
                self.taken[name] = channel
                self._outlive(name, number)
            else:
                self.taken.pop(name, None)
        self._close(number)

    def _outlive(self, name: str, number: int) -> None:
        """Note that a channel was taken again, whatever becomes of requests before against it."""
        for before, request in list(self._open.items()):
            if before < number and not request.subscribes and name in request.left:
                del request.left[name]
                self._close(before)

    def _refuse(self, number: int, names: Iterable[str], text: str) -> None:
        request = self._open[number]
        for name in names:
            channel = request.left.pop(name)
            if not request.subscribes:
                self.taken.pop(name, None)  # Whatever the reason, we take it no longer for ours.
            elif name in self._wanted:
                self.refused[name] = text
                self.denied.append(channel)
        self._close(number)

    def _close(self, number: int) -> None:
        if self._open[number].left:
            self._open[number].answered = True
        else:
            del self._open[number]

    def _halve(self, request: Request) -> None:
        channels = list(request.left.values())
        middle = len(channels) // 2
        self._halves += (channels[:middle], channels[middle:])


def _first(channels: dict[str, Channel], most: int) -> list[Channel]:
    names = list(channels)[:most]
    return [channels.pop(name) for name in names]

"""
One book over two links, as when one link replaces another: each cuts the changes in its own way,
and either may end at any time. What reaches consumers goes through a broker that drops repeats.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.messages import OrderBook
from pipeline.core.normalise import FetchSnapshot
from pipeline.core.venues import VENUES
from pipeline.core.venues.venue import Recovery
from tests.unit.pipeline.core.normalise.exchange import Engine, Reader, channel

FIRST = 1_000_000


class Market:
    """Numbers each change; `changes` holds (number, the number before, side, price, quantity)."""

    def __init__(self, dice, *, holes):
        self.seq = FIRST
        self.changes: list[tuple[int, int, int, int, int]] = []
        self.books: dict[int, Any] = {FIRST: ({}, {})}
        self._dice = dice
        self._steps = [1, 1, 3, 7] if holes else [1]

    def change(self):
        dice, before = self._dice, self.seq
        self.seq += dice.choice(self._steps)
        side, price, quantity = dice.randrange(2), dice.randrange(1, 9), dice.choice([0, 0, 1, 2])
        self.changes.append((self.seq, before, side, price, quantity))
        sides = [dict(levels) for levels in self.books[before]]
        sides[side][price] = quantity
        if not quantity:
            del sides[side][price]
        self.books[self.seq] = (sides[0], sides[1])

    def snapshot(self, number):
        sides = self.books[number]
        return message(number, number, -1, sides, number, snapshot=True)


def message(first, last, prev, sides, at, **more):
    bids, asks = sides
    return OrderBook(
        "BTC", at * 1_000_000, 0, 0, first, last, list(bids), list(bids.values()), list(asks),
        list(asks.values()), prev_seq=prev, **more,
    )  # fmt: skip


class Link:
    def __init__(self, market, venue):
        self.waiting: deque[OrderBook] = deque()
        self._market = market
        self._venue = venue
        self._told = len(market.changes)
        if venue.recovery is Recovery.RESUBSCRIBE:
            self.subscribe()

    def subscribe(self):
        self.cut()
        self.waiting.append(self._market.snapshot(self._market.seq))

    def cut(self):
        """Tell in one update all that changed since the one before."""
        changes, self._told = self._market.changes[self._told :], len(self._market.changes)
        if not changes:
            return
        sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _, _, side, price, quantity in changes:
            sides[side][price] = quantity
        first, last, prev = changes[0][0], changes[-1][0], changes[0][1]
        self.waiting.append(
            message(first, last, -1 if self._venue.name == "binance" else prev, sides, last)
        )


class Play:
    def __init__(self, name, dice, *, links_end):
        venue = VENUES[name]({})
        self.market = Market(dice, holes=name != "binance")
        self.engine = Engine(venue)
        self.reader = Reader()
        self._links_end = links_end
        self._dice = dice
        self._new_link = lambda: Link(self.market, venue)
        self._now_s = 1.0
        self._rest: deque[FetchSnapshot] = deque()
        self._next: Link | None = None
        self.engine.subscribed(channel())
        self._link = self._new_link()

    def step(self, luck):
        self._now_s += 0.05
        for _ in range(self._dice.choice([0, 1, 3])):
            self.market.change()
        for link in (self._link, self._next):
            if link is not None and self._dice.random() < 0.6:
                link.cut()
        if luck < 0.7 and self._link.waiting:
            self._take(self._link.waiting.popleft())
        elif 0.7 <= luck < 0.8 and self._next is None:
            self._next = self._new_link()
        elif 0.8 <= luck < 0.9 and self._next is not None:
            if self._links_end and luck < 0.85:
                self._end_link(self._next)
            else:
                self._hand_over(self._next)
        elif luck >= 0.9:
            self._answer()

    def settle(self):
        """Let all be quiet and answered for."""
        if self._next is not None:
            self._hand_over(self._next)
        for _ in range(40):
            self._now_s += 2
            self.market.change()
            self._link.cut()
            while self._link.waiting:
                self._take(self._link.waiting.popleft())
            self._note(self.engine.look(self._now_s))
            self._answer()

    def _hand_over(self, following):
        """Take all of the old link, and then what was held back of the new one."""
        self._link.cut()
        while self._link.waiting:
            self._take(self._link.waiting.popleft())
        self._link, self._next = following, None
        while following.waiting:
            self._take(following.waiting.popleft())

    def _end_link(self, following):
        self._note(self.engine.disconnected(channel(), at_s=self._now_s))
        self.engine.subscribed(channel(), at_s=self._now_s)
        self.engine.asked()
        self._link, self._next = following, None

    def _answer(self):
        for want in self.engine.asked():
            if isinstance(want, FetchSnapshot):
                self._rest.append(want)
            else:
                self._link.subscribe()
        if self._rest:
            self._rest.popleft()
            self._note(self.engine.snapshot(self.market.snapshot(self.market.seq), self._now_s))

    def _take(self, update):
        self._note(self.engine.take(update, self._now_s))

    def _note(self, words):
        # `Engine` has checked that no identity came twice: the broker would leave a hole.
        if not words:
            return
        for outgoing in self.engine.said[-len(words) :]:
            self.reader.read(outgoing)
            if self.reader.book is not None and not self.reader.resynced:
                sides = self.market.books[outgoing.content.last_seq]
                assert self.reader.book == sides


@pytest.mark.parametrize("name", ["binance", "binance-usdm", "okx", "deribit"])
@given(st.randoms(use_true_random=False), st.integers(20, 150), st.booleans())
def test_no_consumer_has_a_wrong_book_or_is_told_of_a_loss_that_was_none(
    name, dice, steps, links_end
):
    play = Play(name, dice, links_end=links_end)

    for _ in range(steps):
        play.step(dice.random())
    play.settle()

    assert play.reader.book == play.market.books[play.market.seq]
    assert links_end or not play.engine.normaliser.counts.gaps

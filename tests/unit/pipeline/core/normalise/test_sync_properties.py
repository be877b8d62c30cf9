"""
Whatever is lost, repeated or swapped on the way: a book is right, or it is said to be broken.

The engine hears a market through a bad link. A reader rebuilds the book from what is published, in
exact decimals, and both are held against the market's own book of that very number.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.messages import Control
from pipeline.core.venues.venue import Recovery
from tests.unit.pipeline.core.normalise.exchange import (
    Beginning,
    Chaining,
    Counting,
    Engine,
    Market,
    Reader,
    channel,
    decimals,
)

changes = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=3, unique_by=lambda pair: pair[0]
)
HARMLESS = ("go", "twice", "old", "answer")
HARMFUL = ("lose", "swap", "cut", "stale answer", "unasked snapshot")
steps = st.lists(
    st.tuples(st.sampled_from(HARMLESS + HARMFUL), changes, changes, st.integers(0, 4)),
    max_size=30,
)


class Link:
    """One engine, two symbols: one through a bad link, one through a good one."""

    def __init__(self, venue):
        self.venue = venue
        skip = 0 if type(venue) is Counting else 2
        self.engine = Engine(venue)
        self.market, self.other = Market("BTC", skip), Market("ETH", skip)
        self.readers = {"BTC": Reader(), "ETH": Reader()}
        self.last = {"BTC": 0, "ETH": 0}
        self.sent = []
        self.stale = 0
        self.read = 0
        self.begin(self.market)
        self.begin(self.other)

    def begin(self, market):
        """Start a channel as the venue does."""
        if self.venue.recovery is Recovery.RESUBSCRIBE:
            self.engine.take(market.snapshot())
        else:
            self.deliver(market.update([(2, 1)], []))
            self.engine.snapshot(market.snapshot())
        self.engine.asked()
        self.check()

    def step(self, what, bids, asks, back):
        getattr(self, what.replace(" ", "_"))(bids, asks, back)
        self.deliver(self.other.update([(3, back + 1)], []))
        self.check()

    def change(self, bids, asks):
        """Change the market; a level that is there goes every other time."""
        sides = self.market.books[self.market.seq]
        bids, asks = (
            [
                (price, 0 if price in side and quantity == 1 else quantity)
                for price, quantity in told
            ]
            for side, told in zip(sides, (bids, asks), strict=True)
        )
        return self.market.update(bids, asks)

    def deliver(self, *updates):
        for update in updates:
            self.engine.take(update)
            if update.symbol == "BTC":
                self.sent.append(update)

    def go(self, bids, asks, back):
        self.deliver(self.change(bids, asks))

    def twice(self, bids, asks, back):
        update = self.change(bids, asks)
        self.deliver(update, update)

    def old(self, bids, asks, back):
        self.deliver(*self.sent[-1 - back :][:1])

    def lose(self, bids, asks, back):
        self.change(bids, asks)

    def swap(self, bids, asks, back):
        first, second = self.change(bids, asks), self.change(asks, bids)
        self.deliver(second, first)

    def cut(self, bids, asks, back):
        self.engine.disconnected(channel())
        self.change(bids, asks)

    def answer(self, bids, asks, back):
        if any(want.symbol == "BTC" for want in self.engine.asked()):
            self.give(self.market.snapshot())
            self.stale = 0

    def stale_answer(self, bids, asks, back):
        # REST may be behind what the link has told. The engine bears with it a few times.
        if self.engine.wants and self.stale < 2 and self.venue.recovery is Recovery.CALL:
            self.stale += 1
            self.engine.asked()
            seqs = sorted(self.market.books)
            self.give(self.market.snapshot(seqs[max(-1 - back, -len(seqs))]))

    def unasked_snapshot(self, bids, asks, back):
        if self.venue.recovery is Recovery.RESUBSCRIBE:
            self.give(self.market.snapshot())

    def give(self, snapshot):
        if self.venue.recovery is Recovery.CALL:
            self.engine.snapshot(snapshot)
        else:
            self.engine.take(snapshot)

    def check(self):
        for outgoing in self.engine.said[self.read :]:
            symbol = outgoing.topic.symbol
            self.readers[symbol].read(outgoing)
            if not isinstance(outgoing.content, Control):
                self.last[symbol] = outgoing.content.last_seq
        self.read = len(self.engine.said)
        for market in (self.market, self.other):
            symbol = market.symbol
            book, rebuilt = self.engine.normaliser.book(symbol), self.readers[symbol].book
            assert (book is None) == (rebuilt is None)
            if book is not None:
                truth = exact(market.books[self.last[symbol]])
                assert decimals(book) == truth
                assert rebuilt == truth


def exact(sides):
    return tuple(
        {
            Decimal(price).scaleb(-2): Decimal(quantity).scaleb(-2)
            for price, quantity in side.items()
        }
        for side in sides
    )


@pytest.mark.parametrize("venue", [Counting, Chaining, Beginning])
@given(steps=steps)
def test_a_book_is_right_or_known_to_be_broken_whatever_the_link_does(venue, steps):
    link = Link(venue())

    for step in steps:
        link.step(*step)

    # The other symbol never noticed.
    assert link.readers["ETH"].gaps == 0
    assert link.last["ETH"] == link.other.seq
    counts = link.engine.normaliser.counts
    if not {what for what, *_ in steps} & set(HARMFUL):
        assert counts.gaps == counts.resyncs == 0
        assert link.last["BTC"] == link.market.seq
    # Once the link is good, and what was asked for is given, the book is whole.
    link.deliver(link.market.update([(9, 9)], []))
    for _ in range(5):
        link.answer([], [], 0)
    link.deliver(link.market.update([(9, 8)], []))
    link.check()
    if venue is Beginning and link.engine.normaliser.book("BTC") is None:
        link.give(link.market.snapshot())  # As after a cut: the channel begins anew.
        link.check()
    assert link.engine.normaliser.book("BTC") is not None
    assert link.last["BTC"] == link.market.seq
    # Numbers have no holes: each message was counted, and none was counted that was not said.
    for outgoing in link.engine.said:
        said = [each for each in link.engine.said if each.topic is outgoing.topic]
        assert outgoing.topic.local_seq == len(said)

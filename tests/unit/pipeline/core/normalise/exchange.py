"""
Exchanges of the tests: how their numbers go, and the market behind one symbol.

The market remembers each book it ever had, so that whatever the engine claims can be held against
the truth at that very number.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zlib import crc32

from pipeline.core.encode import encode
from pipeline.core.messages import Aggressor, Control, OrderBook, Trade
from pipeline.core.normalise import Normaliser
from pipeline.core.venues.venue import Channel, Recovery, Step
from streams.core.templates import STANDARD

SECOND = 1_000_000_000


class Counting:
    """Numbers each change of a book: an update holds first_seq to last_seq."""

    name = "counting"
    recovery = Recovery.CALL
    checksum_depth = 3

    def joins(self, snapshot, update):
        return self.follows(snapshot.last_seq, update)

    def follows(self, last_seq, update, last_ns=0):
        if update.last_seq <= last_seq:
            return Step.OLD
        return Step.NEXT if update.first_seq <= last_seq + 1 else Step.GAP

    def checksum(self, bids, asks):
        return crc32(repr((list(bids), list(asks))).encode())


class Chaining(Counting):
    """Leaves numbers out; an update says where the one before ended."""

    name = "chaining"

    def joins(self, snapshot, update):
        if update.last_seq <= snapshot.last_seq:
            return Step.OLD
        return Step.NEXT if update.prev_seq <= snapshot.last_seq else Step.GAP

    def follows(self, last_seq, update, last_ns=0):
        if update.last_seq <= last_seq:
            return Step.OLD
        return Step.NEXT if update.prev_seq == last_seq else Step.GAP


class Beginning(Chaining):
    """Begins a channel with its snapshot."""

    name = "beginning"
    recovery = Recovery.RESUBSCRIBE


class Market:
    """One symbol's book; prices and quantities in hundredths."""

    def __init__(self, symbol, skip=0, exponent=-2):
        self.symbol = symbol
        self.seq = 100
        self.books: dict[int, tuple[dict[int, int], dict[int, int]]] = {100: ({}, {})}
        self._skip = skip
        self._exponent = exponent

    def update(self, bids, asks):
        """Change levels; return the update that tells so."""
        before = self.seq
        first = before + 1 + self._skip
        self.seq = first + 1
        mine = dict(self.books[before][0]), dict(self.books[before][1])
        for side, changes in zip(mine, (bids, asks), strict=True):
            for price, quantity in changes:
                side[price] = quantity
                if not quantity:
                    del side[price]
        self.books[self.seq] = mine
        return book_message(
            self.symbol, bids, asks, first_seq=first, last_seq=self.seq, prev_seq=before,
            event_ns=self.seq * SECOND, exponent=self._exponent,
        )  # fmt: skip

    def snapshot(self, seq=None):
        seq = self.seq if seq is None else seq
        bids, asks = self.books[seq]
        return book_message(
            self.symbol, list(bids.items()), list(asks.items()), first_seq=0, last_seq=seq,
            event_ns=seq * SECOND, snapshot=True, exponent=self._exponent,
        )  # fmt: skip


def book_message(symbol, bids, asks, *, exponent=-2, **more):
    return OrderBook(
        symbol=symbol,
        price_exponent=exponent,
        quantity_exponent=exponent,
        bid_prices=[price for price, _ in bids],
        bid_quantities=[quantity for _, quantity in bids],
        ask_prices=[price for price, _ in asks],
        ask_quantities=[quantity for _, quantity in asks],
        **{"event_ns": 0, **more},
    )


def trade(number, symbol="BTC", *, counted=True, at_s=None, first_seq=0):
    return Trade(
        symbol=symbol,
        event_ns=0,
        price_exponent=-2,
        quantity_exponent=-2,
        trade_id=str(number),
        seq=number if counted else 0,
        trade_ns=int((number if at_s is None else at_s) * SECOND),
        price=number,
        quantity=1,
        aggressor=Aggressor.BUYER,
        first_seq=first_seq,
    )


def channel(symbol="BTC", data_type="orderbook", interval="", name=""):
    return Channel(name or f"{symbol}@{data_type}{interval}", data_type, symbol, interval)


class Engine:
    """
    A normaliser, what it asked for, and what it published, encoded and numbered as in `flow`.

    Every message is checked: no identity twice, or JetStream would make a hole in the numbers.
    """

    def __init__(self, venue: Any = None, **options: Any) -> None:
        self.wants: list[Any] = []
        self.said: list[Any] = []
        self.ids: set[str] = set()
        options = {"can_call": True, "epoch": 1} | options
        venue = Counting() if venue is None else venue
        self.normaliser = Normaliser(venue, STANDARD, ask=self.wants.append, **options)

    def take(self, record, at_s=1.0):
        return self.note(self.normaliser.take(record, int(at_s * SECOND)))

    def snapshot(self, snapshot, at_s=1.0):
        return self.note(self.normaliser.snapshot(snapshot.symbol, snapshot, int(at_s * SECOND)))

    def backfilled(self, trades, symbol="BTC", at_s=1.0):
        return self.note(self.normaliser.backfilled(symbol, trades, int(at_s * SECOND)))

    def look(self, at_s):
        return self.note(self.normaliser.look(int(at_s * SECOND)))

    def disconnected(self, *channels, at_s=1.0):
        return self.note(
            self.normaliser.disconnected(channels, "closed by the peer", int(at_s * SECOND))
        )

    def subscribed(self, *channels, at_s=1.0):
        self.normaliser.subscribed(channels, int(at_s * SECOND))

    def asked(self):
        """Return what was asked for since the last time."""
        wants, self.wants[:] = list(self.wants), []
        return wants

    def note(self, messages):
        for outgoing in messages:
            envelope = encode(outgoing, outgoing.received_ns)
            assert envelope.msg_id not in self.ids
            self.ids.add(envelope.msg_id)
            outgoing.topic.local_seq += 1
        self.said += messages
        return [told(outgoing) for outgoing in messages]


def told(outgoing):
    """Return a message as a short word: `GAP`, or what it is and its number, and its flags."""
    content = outgoing.content
    if isinstance(content, Control):
        assert outgoing.flags == 2
        return content.kind.name
    if isinstance(content, Trade):
        number = content.seq or content.trade_id
    else:
        number = getattr(content, "last_seq", 0)
    flags = {0: "", 1: " snapshot", 4: " unsynced", 8: " backfill"}[outgoing.flags]
    return f"{number}{flags}"


class Reader:
    """A consumer that rebuilds one book from what is published, slowly and from the texts."""

    def __init__(self):
        self.book: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] | None = None
        self.resynced = False
        self.gaps = 0

    def read(self, outgoing):
        content = outgoing.content
        if isinstance(content, Control):
            kind = content.kind.name
            if kind in ("GAP", "DISCONNECT"):
                assert kind == "DISCONNECT" or not self.gaps, "a second GAP of one stretch"
                self.gaps += 1
                self.book = None
            if kind == "RESYNC":
                assert self.book is None
                assert not self.resynced
                self.resynced, self.gaps = True, 0
            return
        if outgoing.flags == 1:
            assert self.resynced or not self.gaps, "a snapshot after a GAP, and no RESYNC"
            self.book, self.resynced = ({}, {}), False
        assert self.book is not None, "an update of a book that is not whole"
        assert not self.resynced, "after RESYNC comes the snapshot"
        for side, (prices, quantities) in zip(self.book, _sides(content), strict=True):
            for price, quantity in zip(prices, quantities, strict=True):
                side[price] = quantity
                if not quantity:
                    del side[price]


def _sides(content):
    def price(number):
        return Decimal(number).scaleb(content.price_exponent)

    def quantity(number):
        return Decimal(number).scaleb(content.quantity_exponent)

    yield map(price, content.bid_prices), list(map(quantity, content.bid_quantities))
    yield map(price, content.ask_prices), list(map(quantity, content.ask_quantities))


def decimals(book):
    """Return the sides of a `Book` as the reader has them."""
    return tuple(
        {
            Decimal(price).scaleb(book.price_exponent): Decimal(quantity).scaleb(
                book.quantity_exponent
            )
            for price, quantity in side
        }
        for side in (book.bids(), book.asks())
    )

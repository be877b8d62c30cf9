"""
A made-up market in Binance's words: a small order book per symbol that trades change.

The sequences hold as those of the real exchange do: every change of a book has the next number, an
update begins where the one before ended, the best bid and offer is the top of that very book, and
trade numbers only grow. Prices are whole ticks inside and exact decimal text outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

# Levels on each side that are kept filled.
DEPTH = 20
MAX_LOTS = 25_000
MOVE_CHANCE = 0.25
TRADE_CHANCE = 0.7
# What a book may drift before it is pulled back, as a share of where it began.
DRIFT = 0.05


class Dice(Protocol):
    """What we ask of `random.Random`."""

    def random(self) -> float: ...

    def randrange(self, start: int, stop: int) -> int: ...


class Instrument(msgspec.Struct, frozen=True):
    """
    Attributes:
        price: Where it begins, in ticks. decimals: A tick is 10**-decimals.
        lot_decimals: A lot is 10**-lot_decimals of the base currency.
    """

    symbol: str
    price: int
    decimals: int
    lot_decimals: int


INSTRUMENTS = (
    Instrument("BTCUSDT", 6_184_000, 2, 5),
    Instrument("ETHUSDT", 268_500, 2, 4),
    Instrument("BNBUSDT", 51_230, 2, 3),
    Instrument("SOLUSDT", 16_234, 2, 2),
    Instrument("XRPUSDT", 6_112, 4, 1),
)


class Event(msgspec.Struct, frozen=True):
    """One frame's worth: the stream it belongs to and its data, as the exchange spells them."""

    stream: str
    data: dict[str, Any]


def decimal_text(number: int, decimals: int, width: int = 8) -> str:
    """Return number * 10**-decimals with `width` decimals: the exchange pads with zeros."""
    whole, rest = divmod(number * 10 ** (width - decimals), 10**width)
    return f"{whole}.{rest:0{width}d}"


class Book:
    """
    One symbol's book. Levels are ticks to lots.

    Attributes:
        update: Number of the last change. trade: Number of the last trade.
    """

    def __init__(self, instrument: Instrument, first_number: int, dice: Dice) -> None:
        self.instrument = instrument
        self.update = first_number
        self.trade = first_number
        self._dice = dice
        self._middle = instrument.price
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._told = first_number
        self._changed_bids: dict[int, int] = {}
        self._changed_asks: dict[int, int] = {}
        self._refill()

    def quote(self) -> None:
        """Somebody changes an order near the middle; now and then the whole price moves."""
        if self._happens(MOVE_CHANCE):
            self._move()
        bid_side = self._happens()
        offset = self._dice.randrange(1, DEPTH + 1)
        price = self._middle - offset if bid_side else self._middle + offset
        self._set(price, self._lots(), bid_side=bid_side)

    def take(self, now_ms: int) -> Event:
        """Somebody crosses the spread."""
        seller = self._happens()
        price = self.best_bid if seller else self.best_ask
        level = (self._bids if seller else self._asks)[price]
        lots = self._dice.randrange(1, level + 1)
        self._set(price, level - lots, bid_side=seller)
        self._refill()
        self.trade += 1
        return self._event(
            "trade",
            {
                "e": "trade",
                "E": now_ms,
                "s": self.instrument.symbol,
                "t": self.trade,
                "p": self._price(price),
                "q": self._quantity(lots),
                "T": now_ms,
                "m": seller,
                "M": True,
            },
        )

    def ticker(self) -> Event:
        bid, ask = self.best_bid, self.best_ask
        return self._event(
            "bookTicker",
            {
                "u": self.update,
                "s": self.instrument.symbol,
                "b": self._price(bid),
                "B": self._quantity(self._bids[bid]),
                "a": self._price(ask),
                "A": self._quantity(self._asks[ask]),
            },
        )

    def depth(self, now_ms: int) -> Event | None:
        """Return what changed since the last call; None when nothing did."""
        if self.update == self._told:
            return None
        first, self._told = self._told + 1, self.update
        bids, self._changed_bids = self._changed_bids, {}
        asks, self._changed_asks = self._changed_asks, {}
        return self._event(
            "depth@100ms",
            {
                "e": "depthUpdate",
                "E": now_ms,
                "s": self.instrument.symbol,
                "U": first,
                "u": self.update,
                "b": [
                    [self._price(price), self._quantity(lots)]
                    for price, lots in sorted(bids.items(), reverse=True)
                ],
                "a": [
                    [self._price(price), self._quantity(lots)]
                    for price, lots in sorted(asks.items())
                ],
            },
        )

    @property
    def best_bid(self) -> int:
        return max(self._bids)

    @property
    def best_ask(self) -> int:
        return min(self._asks)

    def _move(self) -> None:
        start = self.instrument.price
        pull = (start - self._middle) / (start * DRIFT)
        largest = max(2, start // 20_000)
        step = self._dice.randrange(1, largest + 1)
        self._middle += step if self._happens(0.5 + pull / 2) else -step
        self._refill()

    def _refill(self) -> None:
        """Take away what the middle has passed, and fill what is empty on both sides."""
        near = range(1, DEPTH + 1)
        bids = {self._middle - offset for offset in near}
        asks = {self._middle + offset for offset in near}
        for price in sorted(set(self._bids) - bids):
            self._set(price, 0, bid_side=True)
        for price in sorted(set(self._asks) - asks):
            self._set(price, 0, bid_side=False)
        for price in sorted(bids - set(self._bids)):
            self._set(price, self._lots(), bid_side=True)
        for price in sorted(asks - set(self._asks)):
            self._set(price, self._lots(), bid_side=False)

    def _set(self, price: int, lots: int, *, bid_side: bool) -> None:
        side = self._bids if bid_side else self._asks
        changed = self._changed_bids if bid_side else self._changed_asks
        if lots:
            side[price] = lots
        else:
            side.pop(price, None)
        changed[price] = lots
        self.update += 1

    def _happens(self, chance: float = 0.5) -> bool:
        return self._dice.random() < chance

    def _lots(self) -> int:
        return self._dice.randrange(1, MAX_LOTS + 1)

    def _price(self, ticks: int) -> str:
        return decimal_text(ticks, self.instrument.decimals)

    def _quantity(self, lots: int) -> str:
        return decimal_text(lots, self.instrument.lot_decimals)

    def _event(self, channel: str, data: dict[str, Any]) -> Event:
        return Event(f"{self.instrument.symbol.lower()}@{channel}", data)


class Market:
    """All books. Ask it for the events of one tenth of a second at a time."""

    def __init__(
        self,
        dice: Dice,
        first_number: int,
        instruments: Sequence[Instrument] = INSTRUMENTS,
    ) -> None:
        """
        Args:
            first_number: Update and trade numbers begin here; larger at each start than where
                the start before ended.
        """
        self._dice = dice
        self._books = [Book(instrument, first_number, dice) for instrument in instruments]

    def tenth(self, now_ms: int) -> Iterator[Event]:
        """Yield what happens in 100 ms: about 3 frames per symbol."""
        for book in self._books:
            for _ in range(self._dice.randrange(0, 3)):
                before = book.best_bid, book.best_ask
                book.quote()
                if (book.best_bid, book.best_ask) != before:
                    yield book.ticker()
            if self._dice.random() < TRADE_CHANCE:
                yield book.take(now_ms)
                yield book.ticker()
            if (update := book.depth(now_ms)) is not None:
                yield update


def streams(instruments: Sequence[Instrument] = INSTRUMENTS) -> list[str]:
    """Return the name of every stream there is."""
    return [
        f"{instrument.symbol.lower()}@{channel}"
        for instrument in instruments
        for channel in ("trade", "bookTicker", "depth@100ms")
    ]

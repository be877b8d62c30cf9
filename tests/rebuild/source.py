"""
Trading accounts as a MetaTrader 5 terminal knows them, altered at random: the truth.

Pure and seeded. An account is told in two ways, which are written apart from each other: `push` is
what the terminal sends, in MT5's names and with the broker's wall clock; `expected` is what a
consumer of the contract must hold, in the contract's names and with UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from operator import attrgetter
from random import Random
from typing import Any

CENT = Decimal("0.01")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_POSITIONS = 12
MOST_ORDERS = 8
# MT5 numbers them so.
SIDES = ("BUY", "SELL")
ORDER_TYPES = {
    "BUY_LIMIT": 2, "SELL_LIMIT": 3, "BUY_STOP": 4, "SELL_STOP": 5,
    "BUY_STOP_LIMIT": 6, "SELL_STOP_LIMIT": 7,
}  # fmt: skip
CANCELED, FILLED = 2, 4
RETAIL_NETTING, RETAIL_HEDGING = 0, 2


@dataclass(frozen=True)
class Instrument:
    symbol: str
    price: Decimal
    digits: int
    contract: int

    def rounded(self, price: Decimal) -> Decimal:
        return price.quantize(Decimal(1).scaleb(-self.digits), ROUND_HALF_EVEN)


INSTRUMENTS = {
    i.symbol: i
    for i in (
        Instrument("EURUSD", Decimal("1.10000"), 5, 100_000),
        Instrument("GBPUSD.ecn", Decimal("1.25000"), 5, 100_000),
        Instrument("XAUUSD", Decimal("2400.00"), 2, 100),
        Instrument("#US30", Decimal("39000.0"), 1, 1),
    )
}


@dataclass
class Position:
    """`identifier` is the ticket of the order that opened it; a reversal changes the ticket."""

    ticket: int
    identifier: int
    symbol: str
    side: str
    volume: Decimal
    open_price: Decimal
    opened_ms: int
    commission: Decimal
    swap: Decimal = Decimal("0.00")
    stop_loss: Decimal = Decimal(0)


@dataclass
class Order:
    ticket: int
    symbol: str
    type: str
    volume: Decimal
    price: Decimal
    placed_ms: int


@dataclass
class Terminal:
    """
    One account. `step` alters it; `offset_s` is how far its broker's clock is ahead of UTC.

    `tells_deals`: its Expert Advisor sends the deals, without which nobody knows a commission.
    """

    server: str
    login: int
    dice: Random
    offset_s: int = 0
    netting: bool = False
    tells_deals: bool = False
    leverage: int = 100
    balance: Decimal = Decimal("10000.00")
    positions: list[Position] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    prices: dict[str, Decimal] = field(
        default_factory=lambda: {i.symbol: i.price for i in INSTRUMENTS.values()}
    )
    ended: list[dict[str, int]] = field(default_factory=list)
    tickets: int = 0

    # What happens

    def step(self, now: datetime) -> str:
        """Let prices move and one thing happen, or none; return its name."""
        self.move()
        if self.dice.random() < 0.6:
            return "move"
        happening = self.dice.choice(HAPPENINGS)
        return happening if getattr(self, happening)(_milliseconds(now)) else "move"

    def move(self) -> None:
        for instrument in INSTRUMENTS.values():
            price = self.prices[instrument.symbol]
            drift = Decimal(self.dice.randint(-8, 8)) * Decimal("0.00005")
            # Back towards the first price, so that no account runs away.
            drift += (instrument.price / price - 1) * Decimal("0.02")
            self.prices[instrument.symbol] = instrument.rounded(price * (1 + drift))

    def open(self, now_ms: int) -> bool:
        symbol, side = self._symbol(), self.dice.choice(SIDES)
        if (self.netting and self._of(symbol)) or len(self.positions) >= MOST_POSITIONS:
            return False
        self._opened(self._ticket(), symbol, side, self._lots(), now_ms)
        return True

    def close(self, now_ms: int) -> bool:
        return self._closed(1)

    def close_a_part(self, now_ms: int) -> bool:
        return self._closed(2)

    def increase(self, now_ms: int) -> bool:
        """A netting position takes a second deal in: its open price becomes the mean."""
        if not (self.netting and self.positions):
            return False
        position = self.dice.choice(self.positions)
        _grow(position, self._lots(), self.prices[position.symbol])
        return True

    def reverse(self, now_ms: int) -> bool:
        """A netting position is sold off and beyond: it stands on the other side now."""
        if not (self.netting and self.positions):
            return False
        position = self.dice.choice(self.positions)
        self.balance += self.profit(position)
        position.ticket = self._ticket()
        position.side = SIDES[1 - SIDES.index(position.side)]
        position.volume = self._lots()
        position.open_price = self.prices[position.symbol]
        position.opened_ms = now_ms
        return True

    def protect(self, now_ms: int) -> bool:
        if not self.positions:
            return False
        position = self.dice.choice(self.positions)
        below = Decimal("0.99") if position.side == "BUY" else Decimal("1.01")
        position.stop_loss = INSTRUMENTS[position.symbol].rounded(
            self.prices[position.symbol] * below
        )
        return True

    def roll_over(self, now_ms: int) -> bool:
        for position in self.positions:
            position.swap -= CENT * self.dice.randint(0, 40)
        return bool(self.positions)

    def place(self, now_ms: int) -> bool:
        if len(self.orders) >= MOST_ORDERS:
            return False
        symbol, kind = self._symbol(), self.dice.choice(list(ORDER_TYPES))
        below = kind in ("BUY_LIMIT", "SELL_STOP", "SELL_STOP_LIMIT")
        away = Decimal("0.98") if below else Decimal("1.02")
        price = INSTRUMENTS[symbol].rounded(self.prices[symbol] * away)
        self.orders.append(Order(self._ticket(), symbol, kind, self._lots(), price, now_ms))
        return True

    def alter(self, now_ms: int) -> bool:
        if not self.orders:
            return False
        order = self.dice.choice(self.orders)
        order.price = INSTRUMENTS[order.symbol].rounded(order.price * Decimal("1.001"))
        return True

    def delete(self, now_ms: int) -> bool:
        return self._ended(CANCELED) is not None

    def execute(self, now_ms: int) -> bool:
        """An order becomes a position, which is known by the order's ticket."""
        if len(self.positions) >= MOST_POSITIONS:
            return False
        order = self._ended(FILLED)
        if order is None:
            return False
        if self.netting and (there := self._of(order.symbol)):
            _grow(there[0], order.volume, order.price)
            return True
        side = "BUY" if order.type.startswith("BUY") else "SELL"
        self._opened(order.ticket, order.symbol, side, order.volume, now_ms)
        return True

    def pay(self, now_ms: int) -> bool:
        self.balance += Decimal(self.dice.randint(-50_000, 100_000)) * CENT
        return True

    # What it is

    def profit(self, position: Position) -> Decimal:
        gain = self.prices[position.symbol] - position.open_price
        if position.side == "SELL":
            gain = -gain
        contract = INSTRUMENTS[position.symbol].contract
        return (gain * position.volume * contract).quantize(CENT, ROUND_HALF_EVEN)

    def amounts(self) -> dict[str, Decimal]:
        floating = sum((self.profit(p) + p.swap for p in self.positions), Decimal("0.00"))
        margin = sum(
            (p.open_price * p.volume * INSTRUMENTS[p.symbol].contract for p in self.positions),
            Decimal("0.00"),
        )
        margin = (margin / self.leverage).quantize(CENT, ROUND_HALF_EVEN)
        equity = self.balance + floating
        return {
            "balance": self.balance,
            "equity": equity,
            "profit": floating,
            "margin": margin,
            "margin_free": equity - margin,
        }

    def push(self) -> dict[str, Any]:
        """Return what the terminal says, as doubles: it knows no others."""
        said: dict[str, Any] = {
            "v": 1,
            "server_utc_offset": self.offset_s,
            "terminal": {"connected": True},
            "account": {
                "login": self.login,
                "server": self.server,
                "currency": "USD",
                "currency_digits": 2,
                "leverage": self.leverage,
                "margin_mode": RETAIL_NETTING if self.netting else RETAIL_HEDGING,
                **{name: float(amount) for name, amount in self.amounts().items()},
            },
            "positions": [self._pushed_position(position) for position in self.positions],
            "orders": [self._pushed_order(order) for order in self.orders],
            "history_orders": self.ended,
        }
        if self.tells_deals:
            said["deals"] = [
                {
                    "ticket": position.identifier * 10,
                    "order": position.identifier,
                    "position_id": position.identifier,
                    "commission": float(position.commission),
                }
                for position in self.positions
            ]
        return said

    def expected(self) -> dict[str, Any]:
        """Return what a consumer must hold; lists are by ticket."""
        amounts = self.amounts()
        return {
            "balance": amounts["balance"],
            "equity": amounts["equity"],
            "profit": amounts["profit"],
            "margin": amounts["margin"],
            "freeMargin": amounts["margin_free"],
            "currency": "USD",
            "leverage": self.leverage,
            "positions": [
                {
                    "ticket": position.ticket,
                    "symbol": position.symbol,
                    "type": position.side,
                    "volume": position.volume,
                    "openPrice": position.open_price,
                    "currentPrice": self.prices[position.symbol],
                    "profit": self.profit(position),
                    "swap": position.swap,
                    "commission": position.commission if self.tells_deals else None,
                    "openTime": _iso(position.opened_ms),
                }
                for position in sorted(self.positions, key=attrgetter("ticket"))
            ],
            "orders": [
                {
                    "ticket": order.ticket,
                    "symbol": order.symbol,
                    "type": order.type,
                    "volume": order.volume,
                    "price": order.price,
                    "currentPrice": self.prices[order.symbol],
                    "time": _iso(order.placed_ms),
                }
                for order in sorted(self.orders, key=attrgetter("ticket"))
            ],
        }

    def _pushed_position(self, position: Position) -> dict[str, Any]:
        return {
            "ticket": position.ticket,
            "identifier": position.identifier,
            "symbol": position.symbol,
            "type": SIDES.index(position.side),
            "volume": float(position.volume),
            "price_open": float(position.open_price),
            "price_current": float(self.prices[position.symbol]),
            "sl": float(position.stop_loss),
            "tp": 0.0,
            "profit": float(self.profit(position)),
            "swap": float(position.swap),
            "time": self._wall_clock(position.opened_ms) // 1000,
            "time_msc": self._wall_clock(position.opened_ms),
        }

    def _pushed_order(self, order: Order) -> dict[str, Any]:
        return {
            "ticket": order.ticket,
            "symbol": order.symbol,
            "type": ORDER_TYPES[order.type],
            "state": 1,
            "volume_initial": float(order.volume),
            "volume_current": float(order.volume),
            "price_open": float(order.price),
            "price_current": float(self.prices[order.symbol]),
            "price_stoplimit": float(order.price) if "STOP_LIMIT" in order.type else 0.0,
            "time_setup": self._wall_clock(order.placed_ms) // 1000,
            "time_setup_msc": self._wall_clock(order.placed_ms),
        }

    def _wall_clock(self, utc_ms: int) -> int:
        return utc_ms + self.offset_s * 1000

    def _ticket(self) -> int:
        self.tickets += 1
        return self.login * 100_000 + self.tickets

    def _symbol(self) -> str:
        return self.dice.choice(list(INSTRUMENTS))

    def _lots(self) -> Decimal:
        return CENT * self.dice.randint(2, 60)

    def _of(self, symbol: str) -> list[Position]:
        return [position for position in self.positions if position.symbol == symbol]

    def _opened(self, ticket: int, symbol: str, side: str, volume: Decimal, now_ms: int) -> None:
        price, cost = self.prices[symbol], _commission(volume)
        self.positions.append(Position(ticket, ticket, symbol, side, volume, price, now_ms, cost))

    def _closed(self, parts: int) -> bool:
        """Close the whole of a position, or one part of so many."""
        if not self.positions:
            return False
        position = self.dice.choice(self.positions)
        volume = max(CENT, (position.volume / parts).quantize(CENT, ROUND_HALF_EVEN))
        share = volume / position.volume
        swap = (position.swap * share).quantize(CENT, ROUND_HALF_EVEN)
        self.balance += (self.profit(position) * share).quantize(CENT, ROUND_HALF_EVEN) + swap
        position.swap -= swap
        position.volume -= volume
        if not position.volume:
            self.positions.remove(position)
        return True

    def _ended(self, state: int) -> Order | None:
        """Take an order off the book and into the terminal's history."""
        if not self.orders:
            return None
        order = self.orders.pop(self.dice.randrange(len(self.orders)))
        position_id = order.ticket if state == FILLED else 0
        ended = {"ticket": order.ticket, "state": state, "position_id": position_id}
        self.ended = [*self.ended[-9:], ended]
        return order


# Orders and positions come as often as they go.
HAPPENINGS = (
    "open", "open", "open", "close", "close_a_part", "close", "increase", "reverse", "protect",
    "roll_over", "place", "place", "alter", "delete", "execute", "pay",
)  # fmt: skip


def terminals(number: int, seed: int) -> list[Terminal]:
    """Return accounts on two servers. No login is there twice: the contract merges by login."""
    servers = (("Broker-Live", 3 * 3600), ("Other.Demo 2", -4 * 3600))
    return [
        Terminal(
            server=servers[i % 2][0],
            login=700_001 + i,
            dice=Random(f"{seed} {i}"),  # noqa: S311  no secret
            offset_s=servers[i % 2][1],
            netting=i % 3 == 0,
            tells_deals=i % 4 < 2,
            leverage=(30, 100, 500)[i % 3],
        )
        for i in range(number)
    ]


def book(entries: list[dict[str, Any]]) -> frozenset[tuple[Any, ...]]:
    """Return what a list of positions or orders holds besides what moves with the prices."""
    terms = ("ticket", "symbol", "type", "volume", "openPrice", "price")
    return frozenset(tuple(entry.get(name) for name in terms) for entry in entries)


def _grow(position: Position, volume: Decimal, price: Decimal) -> None:
    cost = position.open_price * position.volume + price * volume
    position.volume += volume
    position.open_price = INSTRUMENTS[position.symbol].rounded(cost / position.volume)
    position.commission += _commission(volume)


def _commission(volume: Decimal) -> Decimal:
    return (volume * Decimal("-3.5")).quantize(CENT, ROUND_HALF_EVEN)


def _milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def _iso(utc_ms: int) -> str:
    at = EPOCH + timedelta(milliseconds=utc_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{utc_ms % 1000:03d}Z"

"""
A simulated terminal: a pure function from (login, server, moment) to an account's state.

Nothing is stored and nothing is drawn: every choice is a hash, so that two processes, or one that
restarts, see the same account. Time is cut into seasons of 15 minutes. Within a season each account
has a few lanes, each cut into rounds of equal length; one round is the life of one trade:

    lane 0     a position for nearly the whole round, so that equity always moves
    lane 1     a position for a part of the round
    lane 2, 3  an order is placed, then deleted, or executed and closed as a position

The balance is the season's opening balance plus what its closed trades brought. At the turn of a
season every lane is flat and a deposit or withdrawal squares the books: otherwise the balance of
today would need every trade since the beginning.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from msgspec import Struct

from accounts.core.state import AccountState, Order, OrderType, Position, Side

SEASON_S = 900
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_ROUND_S = (36, 45, 50, 60, 75, 90, 100)  # Divisors of a season.
_LANES = 4
_CENT = Decimal("0.01")
_VOLUMES = tuple(Decimal(text) for text in ("0.01", "0.05", "0.10", "0.20", "0.30", "0.50"))


class Instrument(Struct, frozen=True):
    """`swing` and `noise` are parts of the price; `contract` is units per lot; money is USD."""

    symbol: str
    price: float
    digits: int
    contract: int
    swing: float
    noise: float


INSTRUMENTS = (
    Instrument("EURUSD", 1.10, 5, 100_000, 0.004, 0.00012),
    Instrument("GBPUSD", 1.25, 5, 100_000, 0.005, 0.00012),
    Instrument("AUDUSD", 0.66, 5, 100_000, 0.006, 0.00015),
    Instrument("NZDUSD", 0.60, 5, 100_000, 0.006, 0.00015),
    Instrument("XAUUSD", 2400.0, 2, 100, 0.008, 0.00020),
    Instrument("BTCUSD", 65000.0, 2, 1, 0.020, 0.00030),
)


class _Trade(Struct, frozen=True):
    """
    One round of one lane, in whole seconds since the beginning.

    Without `placed_s` it is a plain position; without `opened_s` an order that is deleted at
    `closed_s`.
    """

    instrument: Instrument
    side: Side
    volume: Decimal
    placed_s: int | None
    opened_s: int | None
    closed_s: int
    order_price: Decimal

    @property
    def ticket(self) -> int:
        first = self.opened_s if self.placed_s is None else self.placed_s
        assert first is not None, "a trade is placed or opened"
        return first


def state_at(login: str, server: str, now: datetime, *, leverage: int = 100) -> AccountState:
    """Return the account's state in the second of `now`. It never changes within that second."""
    second = (now - _BEGINNING) // timedelta(seconds=1)
    positions: list[Position] = []
    orders: list[Order] = []
    margin = Decimal(0)
    balance = _opening_balance(server, login, second // SEASON_S)
    for lane, trade in _trades(server, login, second):
        ticket = trade.ticket * 10 + lane
        if second >= trade.closed_s:
            balance += _profit(server, trade, trade.closed_s)
        elif trade.opened_s is not None and second >= trade.opened_s:
            positions.append(_position(server, trade, ticket, second))
            margin += _margin(server, trade, leverage)
        elif trade.placed_s is not None and second >= trade.placed_s:
            orders.append(_order(server, trade, ticket, second))
    profit = sum((entry.profit for entry in positions), Decimal(0)).quantize(_CENT)
    equity = balance + profit
    margin = margin.quantize(_CENT)
    return AccountState(
        balance=balance,
        equity=equity,
        profit=profit,
        margin=margin,
        free_margin=equity - margin,
        leverage=leverage,
        positions=tuple(positions),
        orders=tuple(orders),
    )


def _trades(server: str, login: str, second: int) -> Iterator[tuple[int, _Trade]]:
    """Yield the trades of the season that have begun by now, lane by lane, oldest first."""
    season = second // SEASON_S
    into_season = second % SEASON_S
    for lane in range(_LANES):
        round_s = _ROUND_S[_dice(server, login, "round", season, lane) % len(_ROUND_S)]
        for number in range(into_season // round_s + 1):
            yield lane, _trade(server, login, lane, season * SEASON_S + number * round_s, round_s)


# Room for the season of one shard. A cache that is never full grows for days before it forgets.
@lru_cache(maxsize=32_768)
def _trade(server: str, login: str, lane: int, start_s: int, round_s: int) -> _Trade:
    dice = _dice(server, login, "trade", lane, start_s)
    instrument = INSTRUMENTS[dice % len(INSTRUMENTS)]
    side: Side = "BUY" if dice >> 8 & 1 else "SELL"
    volume = _VOLUMES[(dice >> 9) % len(_VOLUMES)]
    # Three moments in the round, each in its own third, so that they never change places.
    first, second, third = (
        start_s + round_s * part // 3 + (dice >> shift) % (round_s // 3)
        for part, shift in ((0, 16), (1, 24), (2, 32))
    )
    placed_s: int | None = None
    opened_s: int | None
    if lane == 0:
        opened_s, closed_s = start_s + 1, start_s + round_s - 1
    elif lane == 1:
        opened_s, closed_s = first, third
    elif dice >> 40 & 1:
        placed_s, opened_s, closed_s = first, second, third
    else:
        placed_s, opened_s, closed_s = first, None, second
    if opened_s is not None:
        # What is executed is executed at its price.
        order_price = _price(server, instrument, opened_s)
    else:
        away = Decimal("1.03") if dice >> 41 & 1 else Decimal("0.97")
        order_price = _rounded(_price(server, instrument, first) * away, instrument.digits)
    return _Trade(instrument, side, volume, placed_s, opened_s, closed_s, order_price)


def _position(server: str, trade: _Trade, ticket: int, second: int) -> Position:
    assert trade.opened_s is not None
    return Position(
        ticket=ticket,
        symbol=trade.instrument.symbol,
        side=trade.side,
        volume=trade.volume,
        open_price=trade.order_price,
        current_price=_price(server, trade.instrument, second),
        profit=_profit(server, trade, second),
        commission=Decimal("0.00"),
        open_time=_BEGINNING + timedelta(seconds=trade.opened_s),
    )


def _order(server: str, trade: _Trade, ticket: int, second: int) -> Order:
    assert trade.placed_s is not None
    below = trade.order_price < _price(server, trade.instrument, trade.placed_s)
    kind: OrderType
    if trade.side == "BUY":
        kind = "BUY_LIMIT" if below else "BUY_STOP"
    else:
        kind = "SELL_STOP" if below else "SELL_LIMIT"
    return Order(
        ticket=ticket,
        symbol=trade.instrument.symbol,
        type=kind,
        volume=trade.volume,
        price=trade.order_price,
        current_price=_price(server, trade.instrument, second),
        time=_BEGINNING + timedelta(seconds=trade.placed_s),
    )


def _profit(server: str, trade: _Trade, second: int) -> Decimal:
    if trade.opened_s is None:
        return Decimal("0.00")
    gain = _price(server, trade.instrument, second) - trade.order_price
    if trade.side == "SELL":
        gain = -gain
    return _rounded(gain * trade.volume * trade.instrument.contract, 2)


def _margin(server: str, trade: _Trade, leverage: int) -> Decimal:
    return trade.order_price * trade.volume * trade.instrument.contract / leverage


@lru_cache(maxsize=16_384)
def _price(server: str, instrument: Instrument, second: int) -> Decimal:
    """Return the price that every account on the server sees: slow waves under a jitter."""
    wave = sum(
        math.sin(second / length_s + _dice(server, instrument.symbol, length_s) % 1000)
        for length_s in (47, 311, 1733)
    )
    jitter = _dice(server, instrument.symbol, "jitter", second) % 2001 / 1000 - 1
    price = instrument.price * (1 + instrument.swing * wave / 3 + instrument.noise * jitter)
    return _rounded(Decimal(price), instrument.digits)


@lru_cache(maxsize=8_192)
def _opening_balance(server: str, login: str, season: int) -> Decimal:
    base = 1000 * (5 + _dice(server, login, "balance") % 96)
    cents = _dice(server, login, "deposit", season) % (base * 4) - base * 2  # Within 2 %.
    return Decimal(base * 100 + cents).scaleb(-2)


def _rounded(number: Decimal, digits: int) -> Decimal:
    # The addition turns -0.00 into 0.00.
    return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN) + 0


def _dice(*choices: str | int) -> int:
    """Return 64 bits that only the choices decide."""
    text = "\x1f".join(map(str, choices))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())

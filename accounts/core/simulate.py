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

A busy account is for load tests: it has one position and one order at every moment, and its profit
is another one every second, so that every message that can be due is due. Each is replaced once in
a season, at a second of the account's own.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from msgspec import Struct

from accounts.core.state import AccountState, Order, OrderType, Position, Side

SEASON_S = 900
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_ROUND_S = (36, 45, 50, 60, 75, 90, 100)  # Divisors of a season.
_LANES = 4
_HELD_LANE, _WAITING_LANE = 8, 9  # Of a busy account.
_CENT = Decimal("0.01")
_NOTHING = Decimal("0.00")
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
# Of these a hundredth of a lot is worth a cent more or less with every step of the price.
_FINE_INSTRUMENTS = tuple(i for i in INSTRUMENTS if i.symbol != "BTCUSD")


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


def state_at(
    login: str, server: str, now: datetime, *, leverage: int = 100, busy: bool = False
) -> AccountState:
    """Return the account's state in the second of `now`. It never changes within that second."""
    second = (now - _BEGINNING) // timedelta(seconds=1)
    if busy:
        return _busy_state(server, login, second, leverage)
    positions: list[Position] = []
    orders: list[Order] = []
    margin = Decimal(0)
    season, into_season = divmod(second, SEASON_S)
    balance = _opening_balance(server, login, season)
    for lane in range(_LANES):
        round_s = _round_s(server, login, season, lane)
        number = into_season // round_s
        balance += _brought(server, login, lane, season, number)
        trade = _trade(server, login, lane, season * SEASON_S + number * round_s, round_s)
        price = _price(server, trade.instrument, second)
        ticket = trade.ticket * 10 + lane
        if second >= trade.closed_s:
            balance += _profit_at_close(server, trade)
        elif trade.opened_s is not None and second >= trade.opened_s:
            positions.append(_position(trade, ticket, price))
            margin += _margin(trade, leverage)
        elif trade.placed_s is not None and second >= trade.placed_s:
            orders.append(_order(server, trade, ticket, price))
    return _account(balance, margin, leverage, positions, orders)


def _busy_state(server: str, login: str, second: int, leverage: int) -> AccountState:
    held = _busy_trade(server, login, _HELD_LANE, second)
    waiting = _busy_trade(server, login, _WAITING_LANE, second)
    price = _restless(_price(server, held.instrument, second), held.instrument, second)
    return _account(
        _opening_balance(server, login, held.ticket // SEASON_S),
        _margin(held, leverage),
        leverage,
        [_position(held, held.ticket * 10 + _HELD_LANE, price)],
        [
            _order(
                server,
                waiting,
                waiting.ticket * 10 + _WAITING_LANE,
                _price(server, waiting.instrument, second),
            )
        ],
    )


def _account(
    balance: Decimal,
    margin: Decimal,
    leverage: int,
    positions: list[Position],
    orders: list[Order],
) -> AccountState:
    profit = sum((entry.profit for entry in positions), Decimal("0.00"))
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


@lru_cache(maxsize=16_384)
def _round_s(server: str, login: str, season: int, lane: int) -> int:
    return _ROUND_S[_dice(server, login, "round", season, lane) % len(_ROUND_S)]


class _Sum(Struct):
    """What the first `rounds` rounds of a lane brought; replaced as a whole, for many threads."""

    rounds: int = 0
    brought: Decimal = _NOTHING


@lru_cache(maxsize=16_384)
def _remembered(server: str, login: str, lane: int, season: int) -> list[_Sum]:
    """Return one sum, where the next one is left: a new round costs one trade, not a season's."""
    return [_Sum()]


def _brought(server: str, login: str, lane: int, season: int, rounds: int) -> Decimal:
    """Return what the lane's first rounds of the season brought."""
    remembered = _remembered(server, login, lane, season)
    known = remembered[0]
    if known.rounds > rounds:
        known = _Sum()
    brought = known.brought
    round_s = _round_s(server, login, season, lane)
    for number in range(known.rounds, rounds):
        trade = _trade(server, login, lane, season * SEASON_S + number * round_s, round_s)
        brought += _profit_at_close(server, trade)
    remembered[0] = _Sum(rounds, brought)
    return brought


def _busy_trade(server: str, login: str, lane: int, second: int) -> _Trade:
    phase = _busy_phase(server, login, lane)
    start_s = max(0, second - (second - phase) % SEASON_S)
    return _trade_of_season(server, login, lane, start_s)


@lru_cache(maxsize=65_536)
def _busy_phase(server: str, login: str, lane: int) -> int:
    return _dice(server, login, "phase", lane) % SEASON_S


# Room for both trades of thirty thousand accounts: a load test asks for all of them every second.
@lru_cache(maxsize=65_536)
def _trade_of_season(server: str, login: str, lane: int, start_s: int) -> _Trade:
    """Return a position, or an order that nobody executes, that lasts a whole season."""
    dice = _dice(server, login, "season", lane, start_s)
    instrument = _FINE_INSTRUMENTS[dice % len(_FINE_INSTRUMENTS)]
    order_price = _price(server, instrument, start_s)
    if lane == _WAITING_LANE:
        away = Decimal("1.03") if dice >> 41 & 1 else Decimal("0.97")
        order_price = _rounded(order_price * away, instrument.digits)
    return _Trade(
        instrument,
        "BUY" if dice >> 8 & 1 else "SELL",
        _VOLUMES[(dice >> 9) % len(_VOLUMES)],
        start_s if lane == _WAITING_LANE else None,
        start_s if lane == _HELD_LANE else None,
        start_s + SEASON_S,
        order_price,
    )


def _restless(price: Decimal, instrument: Instrument, second: int) -> Decimal:
    """Return the price with a last digit that is even and odd in turn: it never stands still."""
    points = int(price.scaleb(instrument.digits))
    return Decimal(points - points % 2 + second % 2).scaleb(-instrument.digits)


# Room for what goes on in a few shards. A cache that is never full grows for days before it
# forgets.
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


def _position(trade: _Trade, ticket: int, price: Decimal) -> Position:
    assert trade.opened_s is not None
    return Position(
        ticket=ticket,
        symbol=trade.instrument.symbol,
        side=trade.side,
        volume=trade.volume,
        open_price=trade.order_price,
        current_price=price,
        profit=_profit(trade, price),
        commission=_NOTHING,
        open_time=_BEGINNING + timedelta(seconds=trade.opened_s),
    )


def _order(server: str, trade: _Trade, ticket: int, price: Decimal) -> Order:
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
        current_price=price,
        time=_BEGINNING + timedelta(seconds=trade.placed_s),
    )


def _profit(trade: _Trade, price: Decimal) -> Decimal:
    gain = price - trade.order_price
    if trade.side == "SELL":
        gain = -gain
    return _rounded(gain * trade.volume * trade.instrument.contract, 2)


def _profit_at_close(server: str, trade: _Trade) -> Decimal:
    """Return nothing for an order that was deleted."""
    if trade.opened_s is None:
        return _NOTHING
    return _profit(trade, _price(server, trade.instrument, trade.closed_s))


def _margin(trade: _Trade, leverage: int) -> Decimal:
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

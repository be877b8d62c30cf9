"""
The state of one account at one moment, as every provider hands it over.

Money and prices are `Decimal`, so that what is sent is what was received, digit by digit. Two
amounts are compared as whole numbers of the currency's smallest unit: see `units`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from accounts.core.errors import BadState

# Beyond these an amount is no money and a price no price, and the arithmetic would round.
LIMIT = Decimal(10) ** 15
MOST_DECIMALS = 10
# Outside, a shift to UTC could leave the calendar.
YEARS = (1970, 9998)

Side = Literal["BUY", "SELL"]
OrderType = Literal[
    "BUY_LIMIT", "SELL_LIMIT", "BUY_STOP", "SELL_STOP", "BUY_STOP_LIMIT", "SELL_STOP_LIMIT"
]
Ticket = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Symbol = Annotated[str, Meta(min_length=1, max_length=64)]
# A time without an offset would be the broker's wall clock: we do not guess which.
Moment = Annotated[datetime, Meta(tz=True)]


def units(amount: Decimal, digits: int) -> int:
    """Return the amount as a whole number of 10**-digits, halves to even."""
    return int(amount.scaleb(digits).to_integral_value(ROUND_HALF_EVEN))


def _check(*values: Decimal | datetime | None) -> None:
    """Raise ValueError, which msgspec turns into an error that names the field's place."""
    for value in values:
        if value is None:
            continue
        if isinstance(value, datetime):
            if not YEARS[0] <= value.year <= YEARS[1]:
                raise ValueError(f"{value.isoformat()} is out of range")
            continue
        if not value.is_finite() or abs(value) >= LIMIT:
            raise ValueError(f"{value} is out of range")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -MOST_DECIMALS:
            raise ValueError(f"{value} has more than {MOST_DECIMALS} decimals")


class Position(Struct, frozen=True, kw_only=True, rename="camel"):
    """An open position. `volume` in lots; `profit` floating, in the account's currency."""

    ticket: Ticket
    symbol: Symbol
    side: Side = field(name="type")
    volume: Decimal
    open_price: Decimal
    current_price: Decimal
    profit: Decimal
    swap: Decimal = Decimal("0.00")
    # A terminal's position has none: it is known only where the provider read the deals.
    commission: Decimal | None = None
    open_time: Moment

    def __post_init__(self) -> None:
        _check(
            self.volume, self.open_price, self.current_price,
            self.profit, self.swap, self.commission, self.open_time,
        )  # fmt: skip


class Order(Struct, frozen=True, kw_only=True, rename="camel"):
    """A pending order. `volume` in lots."""

    ticket: Ticket
    symbol: Symbol
    type: OrderType
    volume: Decimal
    price: Decimal
    current_price: Decimal
    time: Moment

    def __post_init__(self) -> None:
        _check(self.volume, self.price, self.current_price, self.time)


class AccountState(Struct, frozen=True, kw_only=True, rename="camel"):
    """
    One account. `profit` is floating; `currency_digits` says how many decimals its money has.

    The defaults are those of the contract, for providers that leave a field out.
    """

    balance: Decimal
    equity: Decimal
    profit: Decimal
    margin: Decimal
    free_margin: Decimal
    currency: Annotated[str, Meta(min_length=1, max_length=16)] = "USD"
    leverage: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 100
    currency_digits: Annotated[int, Meta(ge=0, le=8)] = 2
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()

    def __post_init__(self) -> None:
        _check(self.balance, self.equity, self.profit, self.margin, self.free_margin)


def read(data: object) -> AccountState:
    """
    Return the state that plain JSON values describe.

    Raises:
        BadState: They do not; the message names the field.
    """
    try:
        return msgspec.convert(data, AccountState)
    except (msgspec.ValidationError, ArithmeticError, RecursionError) as e:
        raise BadState(str(e) or type(e).__name__) from e


def stored(state: AccountState) -> str:
    """Return the state as JSON, for a row; decimals become text, so that none is rounded."""
    return _encode(state).decode()


def restored(text: str) -> AccountState:
    """
    Return the state that `stored` wrote.

    Raises:
        BadState: It is none; the message names the field.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError) as e:
        raise BadState(str(e) or type(e).__name__) from e


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AccountState).decode

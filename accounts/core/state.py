"""
The state of one account at one moment, as every provider hands it over.

Money and prices are `Decimal`, so that what is sent is what was received, digit by digit. Two
amounts are compared as whole numbers of the currency's smallest unit: see `units`.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from accounts.core.errors import BadState

# Beyond these an amount is no money and a price no price, and the arithmetic would round.
LIMIT_DIGITS = 15
MOST_DECIMALS = 10
_USUAL = Decimal(10) ** 9
_FINEST = Decimal(1).scaleb(-MOST_DECIMALS)
# Outside, a shift to UTC could leave the calendar.
YEARS = (1970, 9998)

Side = Literal["BUY", "SELL"]
OrderType = Literal[
    "BUY_LIMIT", "SELL_LIMIT", "BUY_STOP", "SELL_STOP", "BUY_STOP_LIMIT", "SELL_STOP_LIMIT"
]
OrderState = Literal[
    "STARTED", "PLACED", "CANCELED", "PARTIAL", "FILLED", "REJECTED", "EXPIRED",
    "REQUEST_ADD", "REQUEST_MODIFY", "REQUEST_CANCEL",
]  # fmt: skip
OrderTime = Literal["GTC", "DAY", "SPECIFIED", "SPECIFIED_DAY"]
OrderFilling = Literal["FOK", "IOC", "RETURN", "BOC"]
OrderReason = Literal["CLIENT", "MOBILE", "WEB", "EXPERT", "SL", "TP", "SO"]
TradeMode = Literal["DEMO", "CONTEST", "REAL"]
MarginMode = Literal["RETAIL_NETTING", "EXCHANGE", "RETAIL_HEDGING"]
Ticket = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Symbol = Annotated[str, Meta(min_length=1, max_length=64)]
Comment = Annotated[str, Meta(max_length=256)]
# Signed in a terminal, unsigned in a trade request: both are met.
Magic = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# A time without an offset would be the broker's wall clock: we do not guess which.
Moment = Annotated[datetime, Meta(tz=True)]


# Whether what is being read was written by `stored`: then it was checked when it came in.
_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)


def units(amount: Decimal, digits: int) -> int:
    """Return the amount as a whole number of 10**-digits, halves to even."""
    return int(amount.scaleb(digits).to_integral_value(ROUND_HALF_EVEN))


def check(struct: Struct, *names: str) -> None:
    """
    Raise ValueError, which msgspec turns into an error that names the place.

    Args:
        names: The fields that hold a number or a moment, or None.
    """
    if _is_ours.get():
        return
    for name in names:
        value = getattr(struct, name)
        if value is None:
            continue
        if isinstance(value, datetime):
            if not YEARS[0] <= value.year <= YEARS[1]:
                raise ValueError(f"`{_shown(struct, name)}` is out of range")
            continue
        # Nearly every number is good, and this finds it out twice as fast.
        if value.is_finite() and -_USUAL < value < _USUAL and value == value.quantize(_FINEST):
            continue
        if not value.is_finite() or value.adjusted() >= LIMIT_DIGITS:
            raise ValueError(f"`{_shown(struct, name)}` is out of range")
        if value.adjusted() < -MOST_DECIMALS or value != value.quantize(_FINEST):
            raise ValueError(f"`{_shown(struct, name)}` has more than {MOST_DECIMALS} decimals")


def check_volume(struct: Struct, name: str = "volume") -> None:
    volume = getattr(struct, name)
    if volume is not None and volume < 0:
        raise ValueError(f"`{_shown(struct, name)}` is below zero")


def _shown(struct: Struct, name: str) -> str:
    return struct.__struct_encode_fields__[struct.__struct_fields__.index(name)]


class Position(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    An open position. `volume` in lots; `profit` floating, in the account's currency.

    `ticket` may change while it is open (a broker re-opens it over night); `identifier` never does.
    """

    ticket: Ticket
    identifier: Ticket | None = None
    symbol: Symbol
    side: Side = field(name="type")
    volume: Decimal
    open_price: Decimal
    current_price: Decimal
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    profit: Decimal
    swap: Decimal = Decimal("0.00")
    # A terminal's position has none: it is known only where the provider read the deals.
    commission: Decimal | None = None
    open_time: Moment
    magic: Magic = 0
    comment: Comment = ""

    def __post_init__(self) -> None:
        check(
            self, "volume", "open_price", "current_price", "stop_loss", "take_profit",
            "profit", "swap", "commission", "open_time",
        )  # fmt: skip
        check_volume(self)

    @property
    def key(self) -> int:
        """What it is known by as long as it is open."""
        return self.ticket if self.identifier is None else self.identifier


class Order(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    A pending order. `volume` in lots, what is not yet filled; `volume_initial` what was ordered.

    `price` is where it is triggered; `stop_limit_price` where a stop limit order is then filled.
    """

    ticket: Ticket
    symbol: Symbol
    type: OrderType
    state: OrderState = "PLACED"
    volume: Decimal
    volume_initial: Decimal | None = None
    price: Decimal
    stop_limit_price: Decimal | None = None
    current_price: Decimal
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    time: Moment
    time_type: OrderTime = "GTC"
    expiration: Moment | None = None
    filling: OrderFilling = "RETURN"
    magic: Magic = 0
    comment: Comment = ""

    def __post_init__(self) -> None:
        check(
            self, "volume", "volume_initial", "price", "stop_limit_price", "current_price",
            "stop_loss", "take_profit", "time", "expiration",
        )  # fmt: skip
        check_volume(self)
        check_volume(self, "volume_initial")


class DoneOrder(Struct, frozen=True, kw_only=True):
    """How an order ended, and which position it opened, changed or closed (0: none)."""

    ticket: Ticket
    state: OrderState
    reason: OrderReason | None = None
    position_id: Ticket = 0


class AccountState(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """
    One account. `profit` is floating; `currency_digits` says how many decimals its money has.

    The defaults are those of the contract, for providers that leave a field out.
    """

    balance: Decimal
    equity: Decimal
    profit: Decimal
    margin: Decimal
    free_margin: Decimal
    credit: Decimal = Decimal("0.00")
    margin_level: Decimal | None = None
    currency: Annotated[str, Meta(min_length=1, max_length=16)] = "USD"
    leverage: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 100
    currency_digits: Annotated[int, Meta(ge=0, le=8)] = 2
    trade_mode: TradeMode | None = None
    margin_mode: MarginMode | None = None
    trade_allowed: bool = True
    # The broker's wall clock less UTC, when this was read.
    utc_offset_s: int = 0
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()

    def __post_init__(self) -> None:
        check(
            self, "balance", "equity", "profit", "margin", "free_margin", "credit", "margin_level"
        )


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
    token = _is_ours.set(True)
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError) as e:
        raise BadState(str(e) or type(e).__name__) from e
    finally:
        _is_ours.reset(token)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AccountState).decode

"""
What a terminal pushes, in the names of MetaTrader 5, as an account's state in ours.

A push is one JSON object. The keys of the envelope are ours:

    v                   1
    server_utc_offset   the broker's wall clock less UTC, in seconds
    terminal            TerminalInfo: `connected`, whether the terminal hears its broker
    account             AccountInfo
    positions, orders   all that are open: TradePosition, TradeOrder
    history_orders      TradeOrder that were filled, cancelled, … lately: they tell how an order
                        ended that is no longer among `orders`
    deals               TradeDeal of open positions: only they tell a position's commission

Inside, names and enumerations are those of MQL5 and of the MetaTrader5 package for Python; an
enumeration is its number or its full name. Times are the broker's wall clock, counted as if it were
UTC. What is not listed here is ignored, so that `account_info()._asdict()` can be sent as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Generic, Literal, TypeVar, cast, get_args

import msgspec
from msgspec import Meta, Struct, field

from accounts.core.errors import BadState
from accounts.core.state import (
    LIMIT_DIGITS,
    MOST_DECIMALS,
    AccountState,
    Comment,
    DoneOrder,
    Magic,
    MarginMode,
    Order,
    OrderFilling,
    OrderReason,
    OrderState,
    OrderTime,
    OrderType,
    Position,
    Side,
    Symbol,
    Ticket,
    TradeMode,
)

VERSION = 1
# Django takes a little more.
MOST_BYTES = 2 * 1024 * 1024
MOST_ENTRIES = 2_000
MOST_ACCOUNTS = 500
# Nowhere on earth, nor at any broker, is a clock further from UTC.
MOST_OFFSET_S = 15 * 3600
# A terminal hands out doubles, and these are the digits that a double keeps.
_SAFE_DIGITS = 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_T = TypeVar("_T")
_Default = Literal["currency", "leverage"]


class Push(Struct, frozen=True, kw_only=True):
    """
    What one terminal says.

    `state` is None where the terminal does not hear its broker: what it shows then is what it
    remembers, or nothing. `left_out` names what it did not say about the account: there the
    operator's word counts. `done` says how orders ended lately.
    """

    server: str
    login: int
    state: AccountState | None
    utc_offset_s: int
    connected: bool
    left_out: tuple[_Default, ...] = ()
    done: tuple[DoneOrder, ...] = ()


class Codes(Struct, Generic[_T], frozen=True):
    """One of MetaTrader's enumerations: `prefix` and our name make the official one."""

    prefix: str
    names: tuple[_T, ...]  # By number.

    def named(self, key: str, code: int | str) -> _T:
        """
        Return our name of what stands under the key.

        Raises:
            ValueError: It is neither a number nor a full name of this enumeration.
        """
        for number, name in enumerate(self.names):
            if code in (number, f"{self.prefix}{name}"):
                return name
        raise ValueError(f"`{key}` {code!r} is no {self.prefix.removesuffix('_')}")


POSITION_TYPE = Codes[Side]("POSITION_TYPE_", get_args(Side))
ORDER_TYPE = Codes[Literal["CLOSE_BY"] | Side | OrderType](
    "ORDER_TYPE_", (*get_args(Side), *get_args(OrderType), "CLOSE_BY")
)
ORDER_STATE = Codes[OrderState]("ORDER_STATE_", get_args(OrderState))
ORDER_TIME = Codes[OrderTime]("ORDER_TIME_", get_args(OrderTime))
ORDER_FILLING = Codes[OrderFilling]("ORDER_FILLING_", get_args(OrderFilling))
ORDER_REASON = Codes[OrderReason]("ORDER_REASON_", get_args(OrderReason))
TRADE_MODE = Codes[TradeMode]("ACCOUNT_TRADE_MODE_", get_args(TradeMode))
MARGIN_MODE = Codes[MarginMode]("ACCOUNT_MARGIN_MODE_", get_args(MarginMode))

Code = Annotated[int, Meta(ge=0, le=2**31 - 1)] | Annotated[str, Meta(max_length=64)]
Seconds = Annotated[int, Meta(ge=0, le=253_370_764_800)]
Milliseconds = Annotated[int, Meta(ge=0, le=253_370_764_800_000)]
_ZERO = Decimal(0)


class TerminalInfo(Struct):
    connected: bool = True


class AccountInfo(Struct):
    login: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    server: Annotated[str, Meta(min_length=1, max_length=64)]
    balance: Decimal
    equity: Decimal
    profit: Decimal
    margin: Decimal
    margin_free: Decimal
    credit: Decimal = _ZERO
    margin_level: Decimal | None = None
    currency: Annotated[str, Meta(max_length=16)] = ""
    currency_digits: Annotated[int, Meta(ge=0, le=8)] = 2
    leverage: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    trade_mode: Code | None = None
    margin_mode: Code | None = None
    trade_allowed: bool = True

    def __post_init__(self) -> None:
        _clean(
            self, "balance", "equity", "profit", "margin", "margin_free", "credit", "margin_level"
        )


class TradePosition(Struct):
    """One of `time` and `time_msc` must be there."""

    ticket: Ticket
    symbol: Symbol
    type: Code
    volume: Decimal
    price_open: Decimal
    price_current: Decimal
    profit: Decimal
    time: Seconds = 0
    time_msc: Milliseconds = 0
    identifier: Ticket = 0
    sl: Decimal = _ZERO
    tp: Decimal = _ZERO
    swap: Decimal = _ZERO
    magic: Magic = 0
    comment: Comment = ""

    def __post_init__(self) -> None:
        _clean(self, "volume", "price_open", "price_current", "profit", "sl", "tp", "swap")
        _check_volume("volume", self.volume)
        POSITION_TYPE.named("type", self.type)


class TradeOrder(Struct):
    """One of `time_setup` and `time_setup_msc` must be there."""

    ticket: Ticket
    symbol: Symbol
    type: Code
    volume_current: Decimal
    price_open: Decimal
    price_current: Decimal
    time_setup: Seconds = 0
    time_setup_msc: Milliseconds = 0
    time_expiration: Seconds = 0
    volume_initial: Decimal | None = None
    sl: Decimal = _ZERO
    tp: Decimal = _ZERO
    price_stoplimit: Decimal = _ZERO
    state: Code = 1
    type_time: Code = 0
    type_filling: Code = 2
    magic: Magic = 0
    comment: Comment = ""

    def __post_init__(self) -> None:
        _clean(
            self, "volume_current", "volume_initial", "price_open", "price_current",
            "price_stoplimit", "sl", "tp",
        )  # fmt: skip
        _check_volume("volume_current", self.volume_current)
        _check_volume("volume_initial", self.volume_initial)
        ORDER_TYPE.named("type", self.type)
        ORDER_STATE.named("state", self.state)
        ORDER_TIME.named("type_time", self.type_time)
        ORDER_FILLING.named("type_filling", self.type_filling)


class HistoryOrder(Struct):
    """As much of a TradeOrder as tells how it ended."""

    ticket: Ticket
    state: Code
    reason: Code | None = None
    position_id: Ticket = 0

    def __post_init__(self) -> None:
        ORDER_STATE.named("state", self.state)
        if isinstance(self.reason, str):
            ORDER_REASON.named("reason", self.reason)


class TradeDeal(Struct):
    ticket: Ticket
    order: Ticket = 0
    position_id: Ticket = 0
    commission: Decimal = _ZERO
    fee: Decimal = _ZERO

    def __post_init__(self) -> None:
        _clean(self, "commission", "fee")


class Body(Struct):
    """A push as it is written."""

    v: Literal[1]
    server_utc_offset: Annotated[int, Meta(ge=-MOST_OFFSET_S, le=MOST_OFFSET_S)]
    account: AccountInfo
    positions: Annotated[list[TradePosition], Meta(max_length=MOST_ENTRIES)]
    orders: Annotated[list[TradeOrder], Meta(max_length=MOST_ENTRIES)]
    terminal: TerminalInfo = field(default_factory=TerminalInfo)
    history_orders: Annotated[list[HistoryOrder], Meta(max_length=MOST_ENTRIES)] = []
    deals: Annotated[list[TradeDeal], Meta(max_length=MOST_ENTRIES)] = []

    def __post_init__(self) -> None:
        _check_unique("positions", "ticket", (p.ticket for p in self.positions))
        _check_unique("positions", "identifier", (_identity(p) for p in self.positions))
        _check_unique("orders", "ticket", (o.ticket for o in self.orders))


class Bulk(Struct):
    accounts: Annotated[list[msgspec.Raw], Meta(max_length=MOST_ACCOUNTS)]


class Item(Struct):
    account_id: Annotated[str, Meta(min_length=1, max_length=64)] = field(name="accountId")


_decode = msgspec.json.Decoder(Body).decode
_decode_bulk = msgspec.json.Decoder(Bulk).decode
_decode_item = msgspec.json.Decoder(Item).decode


def push(body: bytes | msgspec.Raw) -> Push:
    """
    Return what one terminal says.

    Raises:
        BadState: It is no push; the message names the field.
    """
    found = _read(body, _decode)
    connected = found.terminal.connected
    try:
        state = _state(found) if connected else None
    except ValueError as e:
        raise BadState(str(e)) from e
    return Push(
        server=found.account.server,
        login=found.account.login,
        state=state,
        utc_offset_s=found.server_utc_offset,
        connected=connected,
        left_out=tuple(name for name in get_args(_Default) if not getattr(found.account, name)),
        done=tuple(map(_done, found.history_orders)),
    )


def pushes(body: bytes) -> list[tuple[str, Push | BadState]]:
    """
    Return what many terminals say, each under the `accountId` that stands beside its keys.

    A push that is none spoils only itself; an entry without an `accountId` has an empty one.

    Raises:
        BadState: The body is no list of pushes at all.
    """
    found: list[tuple[str, Push | BadState]] = []
    for raw in _read(body, _decode_bulk).accounts:
        account_id = ""
        try:
            account_id = _read(raw, _decode_item).account_id
            found.append((account_id, push(raw)))
        except BadState as e:
            found.append((account_id, e))
    return found


def _read(body: bytes | msgspec.Raw, decode: Callable[[bytes | msgspec.Raw], _T]) -> _T:
    size = memoryview(body).nbytes
    if size > MOST_BYTES:
        raise BadState(f"a body of {size} bytes; {MOST_BYTES} are taken")
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError) as e:
        raise BadState(str(e) or type(e).__name__) from e


def _state(found: Body) -> AccountState:
    account = found.account
    digits = account.currency_digits
    offset = timedelta(seconds=found.server_utc_offset)
    commissions = _commissions(found.deals)
    positions: list[Position] = []
    for place, position in enumerate(found.positions):
        with _at(f"positions[{place}]"):
            positions.append(_position(position, offset, digits, commissions))
    orders: list[Order] = []
    for place, order in enumerate(found.orders):
        kind = ORDER_TYPE.named("type", order.type)
        # A market order under way, or one that closes a position: nothing that is pending.
        if kind not in ("BUY", "SELL", "CLOSE_BY"):
            with _at(f"orders[{place}]"):
                orders.append(_order(order, cast(OrderType, kind), offset))
    with _at("account"):
        trade_mode = account.trade_mode
        margin_mode = account.margin_mode
        return AccountState(
            balance=_money(account.balance, digits),
            equity=_money(account.equity, digits),
            profit=_money(account.profit, digits),
            margin=_money(account.margin, digits),
            free_margin=_money(account.margin_free, digits),
            credit=_money(account.credit, digits),
            margin_level=account.margin_level,
            currency=account.currency or "USD",
            leverage=account.leverage or 100,
            currency_digits=digits,
            trade_mode=None if trade_mode is None else TRADE_MODE.named("trade_mode", trade_mode),
            margin_mode=(
                None if margin_mode is None else MARGIN_MODE.named("margin_mode", margin_mode)
            ),
            trade_allowed=account.trade_allowed,
            utc_offset_s=found.server_utc_offset,
            positions=tuple(positions),
            orders=tuple(orders),
        )


def _position(
    found: TradePosition, offset: timedelta, digits: int, commissions: dict[int, Decimal]
) -> Position:
    commission = commissions.get(_identity(found))
    return Position(
        ticket=found.ticket,
        identifier=_identity(found),
        symbol=found.symbol,
        side=POSITION_TYPE.named("type", found.type),
        volume=found.volume,
        open_price=found.price_open,
        current_price=found.price_current,
        stop_loss=found.sl or None,
        take_profit=found.tp or None,
        profit=_money(found.profit, digits),
        swap=_money(found.swap, digits),
        commission=None if commission is None else _money(commission, digits),
        open_time=_utc("time", found.time, found.time_msc, offset),
        magic=found.magic,
        comment=found.comment,
    )


def _order(found: TradeOrder, kind: OrderType, offset: timedelta) -> Order:
    expires = found.time_expiration
    return Order(
        ticket=found.ticket,
        symbol=found.symbol,
        type=kind,
        state=ORDER_STATE.named("state", found.state),
        volume=found.volume_current,
        volume_initial=found.volume_initial,
        price=found.price_open,
        stop_limit_price=found.price_stoplimit or None,
        current_price=found.price_current,
        stop_loss=found.sl or None,
        take_profit=found.tp or None,
        time=_utc("time_setup", found.time_setup, found.time_setup_msc, offset),
        time_type=ORDER_TIME.named("type_time", found.type_time),
        expiration=_utc("time_expiration", expires, 0, offset) if expires else None,
        filling=ORDER_FILLING.named("type_filling", found.type_filling),
        magic=found.magic,
        comment=found.comment,
    )


def _done(found: HistoryOrder) -> DoneOrder:
    reason = found.reason
    # A terminal newer than we are may know more reasons; how the order ended counts all the same.
    unknown = isinstance(reason, int) and reason >= len(ORDER_REASON.names)
    return DoneOrder(
        ticket=found.ticket,
        state=ORDER_STATE.named("state", found.state),
        reason=None if reason is None or unknown else ORDER_REASON.named("reason", reason),
        position_id=found.position_id,
    )


def _commissions(deals: Iterable[TradeDeal]) -> dict[int, Decimal]:
    """
    Return what each position cost, where that is known.

    A position is identified by the order that opened it. Without that order's deal the list began
    later than the position, and the sum would be too small.
    """
    costs: dict[int, Decimal] = {}
    complete: set[int] = set()
    for deal in deals:
        identifier = deal.position_id
        costs[identifier] = costs.get(identifier, _ZERO) + deal.commission + deal.fee
        if deal.order == identifier:
            complete.add(identifier)
    return {identifier: cost for identifier, cost in costs.items() if identifier in complete}


def _identity(position: TradePosition) -> int:
    return position.identifier or position.ticket


def _utc(key: str, seconds: int, milliseconds: int, offset: timedelta) -> datetime:
    """Raise ValueError where there is no time, or none after 1970."""
    if not (seconds or milliseconds):
        raise ValueError(f"`{key}` is missing")
    at = _EPOCH + timedelta(milliseconds=milliseconds or seconds * 1000) - offset
    if at < _EPOCH:
        raise ValueError(f"`{key}` is out of range")
    return at


def _clean(struct: Struct, *keys: str) -> None:
    """
    Take the noise of doubles out of these numbers, in place.

    Raises:
        ValueError: One is no amount and no price; msgspec makes it an error that names the place.
    """
    for key in keys:
        value: Decimal | None = getattr(struct, key)
        if value is None:
            continue
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int) or len(digits) + exponent > LIMIT_DIGITS:
            raise ValueError(f"`{key}` is out of range")
        if len(digits) > _SAFE_DIGITS or exponent < -MOST_DECIMALS:
            setattr(struct, key, _without_noise(value))


def _without_noise(value: Decimal) -> Decimal:
    decimals = min(MOST_DECIMALS, _SAFE_DIGITS - 1 - value.adjusted())
    rounded = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    return Decimal(format(rounded.normalize(), "f"))


def _check_volume(key: str, volume: Decimal | None) -> None:
    if volume is not None and volume < 0:
        raise ValueError(f"`{key}` is below zero")


def _check_unique(entries: str, key: str, values: Iterable[int]) -> None:
    seen: set[int] = set()
    for place, value in enumerate(values):
        if value in seen:
            raise ValueError(f"`{entries}[{place}].{key}` {value} is there twice")
        seen.add(value)


def _money(amount: Decimal, digits: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Let an error say where it arose, as msgspec's do."""
    try:
        yield
    except ValueError as e:
        raise ValueError(f"{e} - at `$.{place}`") from e

"""
The four messages of the account contract, key by key and in its order.

`login` is text, `timestamp` has exactly three decimals and a Z, and every number is written digit
by digit from its decimal, so that 10000.00 stays 10000.00. Behind the contract's keys come ours:
`server, accountId, epoch, seq, v`. Within one `epoch` of an account, `seq` grows by one from
message to message; a consumer that meets a gap, or an epoch it does not know, waits for the next
snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, overload

import msgspec
from msgspec import Struct

from accounts.core import diff
from accounts.core.shard import shard_of
from accounts.core.state import AccountState, Order, Position

VERSION = 1
# Below 10 to this power Decimal writes an exponent.
_SMALLEST = -6

Kind = Literal["account", "update", "positions", "orders"]
KINDS: tuple[Kind, ...] = ("account", "update", "positions", "orders")


class Plain(Decimal):
    """A number that Decimal would write with an exponent."""


def _as_digits(number: object) -> msgspec.Raw:
    if not isinstance(number, Plain):
        raise NotImplementedError
    return msgspec.Raw(format(number, "f").encode())


encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_digits).encode

_WIRE_NAME = {
    "balance": "balance",
    "equity": "equity",
    "profit": "profit",
    "margin": "margin",
    "free_margin": "freeMargin",
}


class Sender(Struct, frozen=True, kw_only=True):
    """Whose messages these are. `key` is the sender's row and never travels."""

    key: int
    server: str
    login: str
    account_id: str
    epoch: int


class Message(Struct, frozen=True, kw_only=True):
    """
    One encoded message. `account` says in a log whose it is.

    `id` is the same when the message is sent again, so that a consumer knows it has it.
    """

    id: str
    key: int
    server: str
    login: str
    kind: Kind
    seq: int
    payload: bytes

    @property
    def account(self) -> str:
        return f"{self.server}/{self.login}"

    @property
    def shard(self) -> int:
        return shard_of(self.key)


def message(  # noqa: PLR0913  each is a different thing, and two are keywords
    kind: Kind,
    sender: Sender,
    state: AccountState,
    held: AccountState | None,
    *,
    seq: int,
    at: datetime,
) -> Message:
    """
    Return one message about `state`. Only an update looks at `held`, what consumers hold now.

    Args:
        at: When the state was read; any time zone.
    """
    body: dict[str, Any] = {"type": kind, "login": sender.login}
    match kind:
        case "account":
            body |= snapshot(state)
        case "update":
            body |= update(state, held)
        case "positions":
            body |= {
                "positions": [position(entry, state.currency_digits) for entry in state.positions]
            }
        case "orders":
            body |= {"orders": [order(entry) for entry in state.orders]}
    body |= {
        "timestamp": timestamp(at),
        "server": sender.server,
        "accountId": sender.account_id,
        "epoch": sender.epoch,
        "seq": seq,
        "v": VERSION,
    }
    return Message(
        id=f"{sender.account_id}:{sender.epoch}:{seq}",
        key=sender.key,
        server=sender.server,
        login=sender.login,
        kind=kind,
        seq=seq,
        payload=encode(body),
    )


def snapshot(state: AccountState) -> Mapping[str, Any]:
    return {
        **{
            _WIRE_NAME[name]: _money(getattr(state, name), state.currency_digits)
            for name in diff.WATCHED
        },
        "currency": state.currency,
        "leverage": state.leverage,
        "positions": [position(entry, state.currency_digits) for entry in state.positions],
        "orders": [order(entry) for entry in state.orders],
    }


def update(state: AccountState, held: AccountState | None) -> Mapping[str, Any]:
    """Return the watched fields that changed, or all of them where nothing is held yet."""
    names = diff.WATCHED if held is None else diff.changed(held, state)
    return {_WIRE_NAME[name]: _money(getattr(state, name), state.currency_digits) for name in names}


def position(entry: Position, digits: int) -> Mapping[str, Any]:
    return {
        "ticket": entry.ticket,
        "symbol": entry.symbol,
        "type": entry.side,
        "volume": plain(entry.volume),
        "openPrice": plain(entry.open_price),
        "currentPrice": plain(entry.current_price),
        "profit": _money(entry.profit, digits),
        "swap": _money(entry.swap, digits),
        "commission": None if entry.commission is None else _money(entry.commission, digits),
        "openTime": timestamp(entry.open_time),
    }


def order(entry: Order) -> Mapping[str, Any]:
    return {
        "ticket": entry.ticket,
        "symbol": entry.symbol,
        "type": entry.type,
        "volume": plain(entry.volume),
        "price": plain(entry.price),
        "currentPrice": plain(entry.current_price),
        "time": timestamp(entry.time),
    }


def timestamp(at: datetime) -> str:
    """Return `2025-11-14T10:30:00.000Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@overload
def plain(number: Decimal) -> Decimal: ...
@overload
def plain(number: None) -> None: ...
def plain(number: Decimal | None) -> Decimal | None:
    """Return the number so that it is written digit by digit: 1E-7 is JSON, but who expects it?"""
    if number is None:
        return None
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a state holds finite numbers only"
    # The rule by which Decimal chooses an exponent.
    return Plain(number) if exponent > 0 or number.adjusted() < _SMALLEST else number


def _money(amount: Decimal, digits: int) -> Decimal:
    # The addition turns -0.00 into 0.00.
    return plain(amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN) + 0)

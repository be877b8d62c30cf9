"""What differs between what consumers hold and what is true now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from msgspec.structs import replace

from accounts.core.state import AccountState, Order, Position, units

# In the order in which the contract prints them.
WATCHED = ("balance", "equity", "profit", "margin", "free_margin")
# No broker's price or volume is finer. What differs by less is the noise of a double.
FINEST_DIGITS = 8


def changed(held: AccountState, now: AccountState, *, deadband: int = 1) -> tuple[str, ...]:
    """
    Return the watched fields that differ enough.

    Args:
        deadband: By how many of the currency's smallest units they must differ.
    """
    digits = now.currency_digits
    return tuple(
        name
        for name in WATCHED
        if abs(units(getattr(held, name), digits) - units(getattr(now, name), digits)) >= deadband
    )


def scaled(number: Decimal | None) -> int | None:
    """Return a price or a volume as a whole number, so that noise makes no difference."""
    return None if number is None else units(number, FINEST_DIGITS)


def differ(one: Decimal | None, other: Decimal | None) -> bool:
    # Nearly always they are equal, and that is found out much faster.
    return one != other and scaled(one) != scaled(other)


def terms_changed(held: AccountState, now: AccountState) -> bool:
    """Return whether something differs that only a snapshot carries."""
    return _terms(held) != _terms(now)


def positions_changed(held: AccountState, now: AccountState) -> bool:
    """Return whether a position was opened, closed or resized. Its profit does not count."""
    return _book(held.positions, _exact) != _book(now.positions, _exact) and (
        _book(held.positions, scaled) != _book(now.positions, scaled)
    )


def orders_changed(held: AccountState, now: AccountState) -> bool:
    """Return whether an order was placed, altered, deleted or executed."""
    return _book(held.orders, _exact) != _book(now.orders, _exact) and (
        _book(held.orders, scaled) != _book(now.orders, scaled)
    )


def applied(held: AccountState | None, now: AccountState, kinds: Iterable[str]) -> AccountState:
    """Return what consumers hold once they have merged messages of these kinds about `now`."""
    for kind in kinds:
        if kind == "account" or held is None:
            held = now
        elif kind == "update":
            held = replace(held, **{name: getattr(now, name) for name in WATCHED})
        elif kind == "positions":
            held = replace(held, positions=now.positions)
        elif kind == "orders":
            held = replace(held, orders=now.orders)
    assert held is not None, "nothing was sent, so nothing is held"
    return held


def _terms(state: AccountState) -> tuple[object, ...]:
    return (state.currency, state.leverage, state.currency_digits)


def _book(
    entries: Iterable[Position | Order], number: Callable[[Decimal], object]
) -> frozenset[tuple[object, ...]]:
    """What the contract's lists show of the structure. Stops are no part of them."""
    return frozenset(
        (entry.ticket, entry.symbol, entry.side, number(entry.volume), number(entry.open_price))
        if isinstance(entry, Position)
        else (entry.ticket, entry.symbol, entry.type, number(entry.volume), number(entry.price))
        for entry in entries
    )


def _exact(number: Decimal) -> Decimal:
    # Nearly always this finds no difference, and finds that out several times as fast.
    return number

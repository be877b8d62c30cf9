"""What differs between what consumers hold and what is true now."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from accounts.core.state import AccountState, Order, Position, units

# In the order in which the contract prints them.
WATCHED = ("balance", "equity", "profit", "margin", "free_margin")


def changed(held: AccountState, now: AccountState) -> tuple[str, ...]:
    """Return the watched fields that differ by at least one smallest unit of the currency."""
    digits = now.currency_digits
    return tuple(
        name
        for name in WATCHED
        if units(getattr(held, name), digits) != units(getattr(now, name), digits)
    )


def terms_changed(held: AccountState, now: AccountState) -> bool:
    """Return whether something differs that only a snapshot carries."""
    return _terms(held) != _terms(now)


def positions_changed(held: AccountState, now: AccountState) -> bool:
    """Return whether a position was opened, closed or resized. Its profit does not count."""
    return _book(held.positions) != _book(now.positions)


def orders_changed(held: AccountState, now: AccountState) -> bool:
    """Return whether an order was placed, altered, deleted or executed."""
    return _book(held.orders) != _book(now.orders)


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


def _book(entries: Iterable[Position | Order]) -> frozenset[tuple[object, ...]]:
    # Decimals compare by value: 0.1 lots are 0.10 lots.
    return frozenset(
        (entry.ticket, entry.symbol, entry.side, entry.volume, entry.open_price)
        if isinstance(entry, Position)
        else (entry.ticket, entry.symbol, entry.type, entry.volume, entry.price)
        for entry in entries
    )

"""States and messages as the account contract prints them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from accounts.core.messages import Sender
from accounts.core.state import AccountState, Order, Position

NOW = datetime(2025, 11, 14, 10, 30, tzinfo=UTC)
SENDER = Sender(
    key=1,
    server="Broker-Live",
    login="261632689",
    account_id="3f0e5f8e-0000-4000-8000-000000000001",
    epoch=3,
)
POSITION = Position(
    ticket=123456789,
    symbol="EURUSD",
    side="BUY",
    volume=Decimal("0.1"),
    open_price=Decimal("1.10000"),
    current_price=Decimal("1.10500"),
    profit=Decimal("50.00"),
    swap=Decimal("-1.20"),
    commission=Decimal("0.00"),
    open_time=datetime(2025, 11, 14, 8, tzinfo=UTC),
)
ORDER = Order(
    ticket=987654321,
    symbol="GBPUSD",
    type="BUY_LIMIT",
    volume=Decimal("0.05"),
    price=Decimal("1.25000"),
    current_price=Decimal("1.25500"),
    time=datetime(2025, 11, 14, 9, tzinfo=UTC),
)


def state(**changes) -> AccountState:
    values = {
        "balance": "10000.00",
        "equity": "10150.25",
        "profit": "150.25",
        "margin": "500.00",
        "free_margin": "9650.25",
    }
    money: dict[str, Any] = {
        name: Decimal(changes.pop(name, text)) for name, text in values.items()
    }
    return AccountState(**money, **changes)


moments = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
money = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
prices = st.decimals(min_value=0, max_value=10**6, places=5)
stops = st.none() | prices
tickets = st.integers(0, 2**63 - 1)
volumes = st.decimals(min_value=0, max_value=100, places=2)
magics = st.integers(-(2**63), 2**63 - 1)
comments = st.text(max_size=8)


def positions_of(tickets):
    return st.builds(
        Position,
        ticket=tickets,
        identifier=st.none() | tickets,
        symbol=st.text(min_size=1, max_size=12),
        side=st.sampled_from(["BUY", "SELL"]),
        volume=volumes,
        open_price=prices,
        current_price=prices,
        stop_loss=stops,
        take_profit=stops,
        profit=money,
        swap=money,
        commission=st.none() | money,
        open_time=moments,
        magic=magics,
        comment=comments,
    )


def orders_of(tickets):
    return st.builds(
        Order,
        ticket=tickets,
        symbol=st.text(min_size=1, max_size=12),
        type=st.sampled_from(["BUY_LIMIT", "SELL_LIMIT", "BUY_STOP", "SELL_STOP_LIMIT"]),
        state=st.sampled_from(["PLACED", "PARTIAL", "REQUEST_MODIFY"]),
        volume=volumes,
        volume_initial=st.none() | volumes,
        price=prices,
        stop_limit_price=stops,
        current_price=prices,
        stop_loss=stops,
        take_profit=stops,
        time=moments,
        time_type=st.sampled_from(["GTC", "SPECIFIED"]),
        expiration=st.none() | moments,
        magic=magics,
        comment=comments,
    )


positions = positions_of(tickets)
orders = orders_of(tickets)
states = st.builds(
    AccountState,
    balance=money,
    equity=money,
    profit=money,
    margin=money,
    free_margin=money,
    currency=st.sampled_from(["USD", "EUR"]),
    leverage=st.integers(1, 1000),
    positions=st.lists(positions, max_size=4, unique_by=lambda p: p.key).map(tuple),
    orders=st.lists(orders, max_size=4, unique_by=lambda o: o.ticket).map(tuple),
)

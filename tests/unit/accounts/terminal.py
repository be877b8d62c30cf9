"""What a terminal would push, in its own names."""

from __future__ import annotations

import json
from typing import Any

# 08:00 and 09:00 UTC at a broker two hours ahead.
POSITION: dict[str, Any] = {
    "ticket": 123456789,
    "identifier": 123456789,
    "time": 1763114400,
    "time_msc": 1763114400250,
    "type": 0,
    "magic": 7,
    "reason": 3,
    "volume": 0.1,
    "price_open": 1.1,
    "sl": 1.09,
    "tp": 0.0,
    "price_current": 1.105,
    "swap": -1.2,
    "profit": 50.0,
    "symbol": "EURUSD",
    "comment": "a robot",
    "external_id": "",
}
ORDER: dict[str, Any] = {
    "ticket": 987654321,
    "time_setup": 1763118000,
    "time_setup_msc": 1763118000000,
    "time_expiration": 1763200800,
    "type": "ORDER_TYPE_BUY_LIMIT",
    "type_time": "ORDER_TIME_SPECIFIED",
    "type_filling": 2,
    "state": 1,
    "magic": 0,
    "volume_initial": 0.05,
    "volume_current": 0.05,
    "price_open": 1.25,
    "sl": 0.0,
    "tp": 1.3,
    "price_current": 1.255,
    "price_stoplimit": 0.0,
    "symbol": "GBPUSD",
    "comment": "",
}
ACCOUNT: dict[str, Any] = {
    "login": 261632689,
    "trade_mode": 2,
    "leverage": 200,
    "limit_orders": 200,
    "margin_so_mode": 0,
    "trade_allowed": True,
    "trade_expert": True,
    "margin_mode": "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING",
    "currency_digits": 2,
    "fifo_close": False,
    "balance": 10000.0,
    "credit": 0.0,
    "profit": 150.25,
    "equity": 10150.25,
    "margin": 500.0,
    "margin_free": 9650.25,
    "margin_level": 2030.05,
    "margin_so_call": 50.0,
    "margin_so_so": 30.0,
    "margin_initial": 0.0,
    "margin_maintenance": 0.0,
    "assets": 0.0,
    "liabilities": 0.0,
    "commission_blocked": 0.0,
    "name": "A. Trader",
    "server": "Broker-Live",
    "currency": "EUR",
    "company": "Broker Ltd",
}


def said(**keys: Any) -> dict[str, Any]:
    """Return a push as JSON values; None takes a key away."""
    push = {
        "v": 1,
        "server_utc_offset": 7200,
        "account": ACCOUNT,
        "positions": [],
        "orders": [],
    } | keys
    return {key: value for key, value in push.items() if value is not None}


def body(**keys: Any) -> bytes:
    return json.dumps(said(**keys)).encode()

"""What bodies and answers look like, for the description of the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

ACCOUNT_ID = "7f2d4c3e-6a51-4a0e-9c7e-0d8f6a1b2c3d"
OTHER_ID = "0b8a5d1e-93c4-4f6b-8f57-2d6c1e4a9b70"
AT = "2025-11-14T10:30:00Z"

STATE = {
    "balance": 10000.00,
    "equity": 10150.25,
    "profit": 150.25,
    "margin": 500.00,
    "freeMargin": 9650.25,
    "positions": [
        {
            "ticket": 123456789,
            "symbol": "EURUSD",
            "type": "BUY",
            "volume": 0.1,
            "openPrice": 1.1,
            "currentPrice": 1.105,
            "profit": 50.0,
            "swap": -1.2,
            "commission": None,
            "openTime": "2025-11-14T08:00:00.000Z",
            "identifier": 123456789,
            "stopLoss": 1.09,
            "takeProfit": None,
            "magic": 0,
            "comment": "",
        }
    ],
    "orders": [],
    "credit": 0.0,
    "marginLevel": 2030.05,
    "currency": "USD",
    "currencyDigits": 2,
    "leverage": 100,
    "tradeMode": "REAL",
    "marginMode": "RETAIL_HEDGING",
    "tradeAllowed": True,
}
INTERVALS = {"accountS": 30, "updateS": 3, "positionsS": 5, "ordersS": 10}
OWN_INTERVALS = {"accountS": None, "updateS": 5, "positionsS": None, "ordersS": None}
ACCOUNT = {
    "accountId": ACCOUNT_ID,
    "server": "Broker-Live",
    "login": "261632689",
    "label": "Desk 4",
    "currency": "USD",
    "leverage": 100,
    "provider": "push",
    "deployed": True,
    "lastStateAt": AT,
    "lastPublishedAt": AT,
    "lastError": "",
    "state": STATE,
    "lifecycle": "DEPLOYED",
    "lifecycleReason": "",
    "lifecycleSince": AT,
    "connection": "CONNECTED",
    "connectionReason": "",
    "connectionSince": AT,
    "group": "Desk",
    "tags": ["live"],
    "source": "",
    "intervals": OWN_INTERVALS,
    "effectiveIntervals": INTERVALS | {"updateS": 5},
    "ageMs": 850,
    "epoch": 3,
    "seq": 40213,
    "eventNumber": 17,
    "hasPassword": False,
    "snapshotOwed": {"nats": False, "rabbitmq": False},
    "utcOffsetS": 7200,
    "isDemo": False,
    "createdAt": AT,
}
NEW_ACCOUNT = {
    "server": "Broker-Live",
    "login": "261632689",
    "label": "Desk 4",
    "provider": "push",
    "group": "Desk",
    "tags": ["live"],
    "intervals": {"updateS": 5},
    "password": "the investor password",
}


def asked(value: Any, name: str = "A body") -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def answered(value: Any, name: str = "An answer", code: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(code)])

"""
The description of the calls with which terminals push.

They are plain Django views, because they are called a hundred times as often as all the rest, so
nothing can be read off them; `docs/protocol.md` tells the fields in full.
"""

from __future__ import annotations

from typing import Any

from accounts.api import examples

Described = dict[str, Any]

PUSH: Described = {
    "v": 1,
    "server_utc_offset": 7200,
    "terminal": {"connected": True},
    "account": {
        "login": 261632689,
        "server": "Broker-Live",
        "balance": 10000.00,
        "equity": 10150.25,
        "profit": 150.25,
        "margin": 500.00,
        "margin_free": 9650.25,
        "currency": "USD",
        "currency_digits": 2,
        "leverage": 100,
    },
    "positions": [],
    "orders": [],
}
TAKEN = {"accountId": examples.ACCOUNT_ID, "deployed": True, "events": 0}
REFUSALS = {
    "400": ("Bad Request", "Object missing required field `equity` - at `$.account`"),
    "401": ("Unauthorized", "the token is unknown or was revoked"),
    "409": (
        "Conflict",
        "account is Broker-Live/5, but this account is Broker-Live/261632689",
    ),
    "413": ("Request Entity Too Large", "the body has more than 2097152 bytes"),
    "415": ("Unsupported Media Type", "Content-Type must be application/json"),
    "503": ("Service Unavailable", "too many pushes are waiting"),
}
FORBIDDEN = {"403": ("Forbidden", "the token does not cover this account")}


def pushes(result: Described, generator: object, request: object, public: object) -> Described:
    """Add both calls to the description; called by the generator when it has all others."""
    result["paths"] |= {
        "/api/v1/accounts/{account_id}/state": {
            "post": _call(
                "accounts_state_create",
                "Take in the state of one account, in the names of MetaTrader 5.",
                PUSH,
                TAKEN,
                REFUSALS | FORBIDDEN,
            )
            | {"parameters": [_ACCOUNT_ID]}
        },
        "/api/v1/accounts/states": {
            "post": _call(
                "accounts_states_create",
                "Take in the states of many accounts; one that is refused spoils only itself.",
                {"accounts": [{"accountId": examples.ACCOUNT_ID} | PUSH]},
                {"accounts": [TAKEN]},
                {code: found for code, found in REFUSALS.items() if code != "409"},
            )
        },
    }
    return result


_ACCOUNT_ID = {
    "in": "path",
    "name": "account_id",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}


def _call(
    name: str, description: str, body: Described, answer: Described, refusals: dict[str, Any]
) -> Described:
    answers = {"200": _content("", answer)} | {
        code: _content(phrase, {"error": said}, "Error")
        for code, (phrase, said) in refusals.items()
    }
    return {
        "operationId": name,
        "description": description,
        "tags": ["accounts"],
        "security": [{"accountToken": []}],
        "requestBody": {"required": True} | _content("", body),
        "responses": dict(sorted(answers.items())),
    }


def _content(phrase: str, example: Described, component: str = "") -> Described:
    schema = {"$ref": f"#/components/schemas/{component}"} if component else {"type": "object"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": phrase, "content": content}

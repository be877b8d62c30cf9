"""A consumer that was written from the contract, and knows nothing of what else a message holds."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from operator import itemgetter
from typing import Any

Account = dict[str, Any]
# What `account` carries beside type, login and timestamp.
FIELDS = (
    "balance", "equity", "profit", "margin", "freeMargin", "currency", "leverage",
    "positions", "orders",
)  # fmt: skip


class Consumer:
    """
    What each account looks like: `account` replaces it, the others replace the fields they hold.

    `by_login` is what the contract knows; `by_server` reads the `server` that we add.
    """

    def __init__(self) -> None:
        self.by_login: dict[str, Account] = {}
        self.by_server: dict[tuple[str, str], Account] = {}
        self.messages = 0
        self.batches = 0

    def take(self, body: bytes) -> list[Account]:
        """Merge what RabbitMQ handed over as one message; return the contract's messages in it."""
        texts = filter(None, re.split(r"\s*\n+\s*", body.decode()))
        messages = [json.loads(text, parse_float=Decimal) for text in texts]
        self.batches += 1
        self.messages += len(messages)
        for message in messages:
            login = message["login"]
            _merge(self.by_login.setdefault(login, {}), message)
            _merge(self.by_server.setdefault((message["server"], login), {}), message)
        return messages


def _merge(account: Account, message: Account) -> None:
    if message["type"] == "account":
        account.clear()
    account.update({name: message[name] for name in FIELDS if name in message})


def comparable(account: Account | None) -> Account:
    """Return the account with its lists by ticket: the contract says nothing of their order."""
    return {
        name: sorted(value, key=itemgetter("ticket")) if isinstance(value, list) else value
        for name, value in (account or {}).items()
    }

"""A consumer written from the account contract alone: split on newlines, merge by account."""

from __future__ import annotations

import json
import re
from decimal import Decimal

KINDS = ("account", "update", "positions", "orders")
ENVELOPE = ("type", "login", "timestamp", "server", "accountId", "epoch", "seq", "v")


class Consumer:
    """`held` is what each account looks like, by (server, login). Numbers are exact decimals."""

    def __init__(self):
        self.held = {}
        self.last = {}
        self.gaps = []
        self.messages = []

    def feed(self, payload: bytes) -> None:
        for text in re.split(r"\s*\n+\s*", payload.decode()):
            if text:
                self.accept(json.loads(text, parse_float=Decimal))

    def accept(self, message) -> None:
        if message["type"] not in KINDS:
            return
        self.messages.append(message)
        key = (message["server"], message["login"])
        place = (message["epoch"], message["seq"])
        if message["type"] == "account":
            self.held[key] = {}
        elif self.last.get(key, (0, 0)) != (place[0], place[1] - 1):
            self.gaps.append((key, self.last.get(key), place))
        self.last[key] = place
        self.held[key] |= {k: v for k, v in message.items() if k not in ENVELOPE}

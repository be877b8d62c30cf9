"""
Which streams a client of the exchange listens to: by its URL, and by requests while it listens.

    /stream?streams=btcusdt@trade/btcusdt@bookTicker    frames wrapped in {"stream", "data"}
    /ws/btcusdt@trade                                   data alone
    {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec


class UnknownPath(ValueError):
    """The exchange serves nothing under this path."""


class Subscription:
    """
    What one client hears.

    Attributes:
        combined: Whether its frames are wrapped.
        named: Whether it named any stream in its URL.
    """

    def __init__(self, path: str) -> None:
        """
        Raises:
            UnknownPath: Neither /stream nor /ws.
        """
        parts = urlsplit(path)
        head, _, rest = unquote(parts.path).removeprefix("/").partition("/")
        if head == "stream" and not rest:
            self.combined = True
            listed = "/".join(parse_qs(parts.query).get("streams", []))
        elif head == "ws":
            self.combined = False
            listed = rest
        else:
            raise UnknownPath(parts.path)
        self.streams = {name for name in listed.split("/") if name}
        self.named = bool(self.streams)

    def hears(self, stream: str) -> bool:
        return stream in self.streams

    def answer(self, request: str | bytes) -> bytes:
        """Carry out a request and return the reply to it; a bad one changes nothing."""
        try:
            asked = msgspec.json.decode(request, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _error(2, "Invalid request: not a request object", None)
        match asked.method:
            case "SUBSCRIBE" if asked.params:
                self.streams |= set(asked.params)
            case "UNSUBSCRIBE" if asked.params:
                self.streams -= set(asked.params)
            case "LIST_SUBSCRIPTIONS":
                return _reply(sorted(self.streams), asked.id)
            case _:
                return _error(2, "Invalid request: unknown method or no params", asked.id)
        return _reply(None, asked.id)


class _Request(msgspec.Struct):
    method: str
    params: list[str] = []
    id: int | str | None = None


def _reply(result: object, request_id: object) -> bytes:
    return msgspec.json.encode({"result": result, "id": request_id})


def _error(code: int, text: str, request_id: object) -> bytes:
    body: dict[str, Any] = {"error": {"code": code, "msg": text}, "id": request_id}
    return msgspec.json.encode(body)

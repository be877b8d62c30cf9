"""
Which streams a client of Binance listens to: by its URL, and by requests while it listens.

    /stream?streams=btcusdt@trade/btcusdt@bookTicker    frames wrapped in {"stream", "data"}
    /ws/btcusdt@trade                                   data alone
    {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}

A stream that does not exist is taken like any other, and stays silent: so does the exchange.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from pipeline.core.simulate.mouth import Close, Say, UnknownPath

COMBINED, PLAIN = "combined", "plain"
MOST_STREAMS = 1024
# Since 2026 USD-M speaks of these at /public only, and of all else at /market only.
PUBLIC_KINDS = ("depth", "bookTicker")
# Too much of this and the link is closed.
POLICY_VIOLATION = 1008


def _nobody(stream: str) -> bool:
    return False


class Session:
    """
    Attributes:
        named: Whether the client named any stream in its URL.
        route: What stands before /ws or /stream: empty, `public` or `market`.
    """

    def __init__(
        self,
        path: str,
        *,
        refuses: Callable[[str], bool] = _nobody,
        messages_per_s: int = 1_000_000,
        parted: bool = False,
    ) -> None:
        """
        Args:
            parted: Whether /public and /market speak of different things.

        Raises:
            UnknownPath: Neither /stream nor /ws.
        """
        parts = urlsplit(path)
        names = unquote(parts.path).removeprefix("/").split("/")
        self.route = names.pop(0) if parted and names[0] in ("public", "market") else ""
        if names == ["stream"]:
            self.form = COMBINED
            listed = "/".join(parse_qs(parts.query).get("streams", [])).split("/")
        elif names[:1] == ["ws"] and all(map(_may_be_a_stream, names[1:])):
            self.form = PLAIN
            listed = names[1:]
        else:
            raise UnknownPath(parts.path)
        self.channels = {name for name in listed if name and not refuses(name)}
        self.named = bool(self.channels)
        self.fresh: set[str] = set()
        self._refuses = refuses
        self._messages_per_s = messages_per_s
        self._parted = parted
        self._asked_s: deque[float] = deque()

    def hears(self, channel: str, kind: str = "") -> bool:
        if self._parted and (kind in PUBLIC_KINDS) is (self.route == "market"):
            return False
        return channel in self.channels

    def answer(self, request: str | bytes, now_s: float = 0.0) -> list[Say]:
        """Carry out a request and return the reply to it; a bad one changes nothing."""
        if self._hurries(now_s):
            return [Close(POLICY_VIOLATION, "Too many requests")]
        try:
            asked = msgspec.json.decode(request, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error(2, "Invalid request: not a request object", None)]
        return [self._carried_out(asked)]

    def due(self, now_s: float) -> list[Say]:
        return []

    def _carried_out(self, asked: _Request) -> bytes:
        named = set(asked.params)
        match asked.method:
            case "SUBSCRIBE" if any(map(self._refuses, asked.params)):
                return _error(2, "Invalid request: invalid stream", asked.id)
            case "SUBSCRIBE" if len(self.channels | named) > MOST_STREAMS:
                return _error(2, "Invalid request: too many streams", asked.id)
            case "SUBSCRIBE" if named:
                self.channels |= named
            case "UNSUBSCRIBE" if named:
                self.channels -= named
            case "LIST_SUBSCRIPTIONS":
                return _reply(sorted(self.channels), asked.id)
            case _:
                return _error(2, "Invalid request: unknown method or no params", asked.id)
        return _reply(None, asked.id)

    def _hurries(self, now_s: float) -> bool:
        self._asked_s.append(now_s)
        while self._asked_s[0] <= now_s - 1:
            self._asked_s.popleft()
        return len(self._asked_s) > self._messages_per_s


def _may_be_a_stream(name: str) -> bool:
    return not name or "@" in name or name.startswith("!")


class _Request(msgspec.Struct):
    method: str
    params: list[str] = []
    id: int | str | None = None


def _reply(result: object, request_id: object) -> bytes:
    return msgspec.json.encode({"result": result, "id": request_id})


def _error(code: int, text: str, request_id: object) -> bytes:
    body: dict[str, Any] = {"error": {"code": code, "msg": text}, "id": request_id}
    return msgspec.json.encode(body)

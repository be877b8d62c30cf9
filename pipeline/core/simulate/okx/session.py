"""
One client of OKX: what it subscribes to, and that it must not be silent.

    {"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT"}], "id": "1"}
    ping

Source: www.okx.com/docs-v5/en/#overview-websocket
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.core.simulate.mouth import Close, Say, UnknownPath, json

SILENCE_S = 30.0
SILENT = Close(4004, "No data received in 30s.")
MAX_REQUEST = 64 * 1024
CONNECTION = "a4d3ae55"

NO_SUCH_CHANNEL, BAD_REQUEST, BAD_OPERATION = "60018", "60012", "60012"
PATHS = ("public", "business")


class Session:
    """
    Attributes:
        path: `public` or `business`: they serve different channels.
    """

    form = ""

    def __init__(self, path: str, now_s: float, takes: Callable[[str, str, str], bool]) -> None:
        """
        Args:
            takes: Whether path, channel and symbol make a subscription.

        Raises:
            UnknownPath: Neither /ws/v5/public nor /ws/v5/business.
        """
        head, _, name = path.partition("?")[0].rpartition("/")
        if head != "/ws/v5" or name not in PATHS:
            raise UnknownPath(path)
        self.path = name
        self.channels: set[str] = set()
        self.fresh: set[str] = set()
        self._takes = takes
        self._heard_s = now_s

    def hears(self, channel: str, kind: str = "") -> bool:
        return channel in self.channels

    def answer(self, request: str | bytes, now_s: float) -> list[Say]:
        self._heard_s = now_s
        if request in ("ping", b"ping"):
            return [b"pong"]
        try:
            asked = msgspec.json.decode(request, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error(BAD_REQUEST, "Invalid request: not a request object", "")]
        if asked.op not in ("subscribe", "unsubscribe") or not asked.args:
            return [_error(BAD_OPERATION, f"Invalid request: {asked.op}", asked.id)]
        return [self._carried_out(asked, arg) for arg in asked.args]

    def due(self, now_s: float) -> list[Say]:
        return [SILENT] if now_s - self._heard_s > SILENCE_S else []

    def _carried_out(self, asked: _Request, arg: dict[str, str]) -> bytes:
        name, symbol = arg.get("channel", ""), arg.get("instId", "")
        if not self._takes(self.path, name, symbol):
            text = (
                f"Wrong URL or channel:{name},instId:{symbol} doesn't exist. "
                "Please use the correct URL, channel and parameters referring to API document."
            )
            return _error(NO_SUCH_CHANNEL, text, asked.id)
        channel = f"{name}:{symbol}"
        if asked.op == "subscribe":
            self.channels.add(channel)
            self.fresh.add(channel)
        else:
            self.channels.discard(channel)
            self.fresh.discard(channel)
        return json(_with_id({"event": asked.op, "arg": arg, "connId": CONNECTION}, asked.id))


class _Request(msgspec.Struct):
    op: str
    args: list[dict[str, str]] = []
    id: str = ""


def _error(code: str, text: str, request_id: str) -> bytes:
    body = {"event": "error", "code": code, "msg": text, "connId": CONNECTION}
    return json(_with_id(body, request_id))


def _with_id(body: dict[str, Any], request_id: str) -> dict[str, Any]:
    return {"id": request_id, **body} if request_id else body

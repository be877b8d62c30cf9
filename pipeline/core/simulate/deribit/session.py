"""
One client of Deribit: its requests, its credits, and whether it is still there.

    {"jsonrpc": "2.0", "id": 1, "method": "public/subscribe", "params": {"channels": [...]}}

A request costs credits, which come back with time; who has none left is disconnected. Who wished
for heartbeats is asked whether it is there, and disconnected if it does not answer.

Source: docs.deribit.com, pages "JSON-RPC 2.0 Protocol", "Rate Limits", "public/set_heartbeat",
"public/subscribe"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.core.simulate.mouth import Close, Say, UnknownPath, json

PATH = "/ws/api/v2"
LEAST_HEARTBEAT_S = 10
MOST_CHANNELS = 500

CREDITS, CREDITS_PER_S = 50_000, 10_000
SUBSCRIPTION_CREDITS, CALL_CREDITS = 3_000, 500
MOST_SUBSCRIPTION_CREDITS = 30_000

BAD_REQUEST, NO_METHOD, BAD_PARAMS, PARSE = -32600, -32601, -32602, -32700
TOO_MANY, NO_LOGIN, RAW_NEEDS_LOGIN = 10028, 13004, 13778

GONE = Close(1000, "no answer to test_request")
EXHAUSTED = Close(1008, "too_many_requests")
TEST_REQUEST = json({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}})
HEARTBEAT = json({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}})


class Refusal(Exception):
    """The request is not as the venue wants it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Session:
    form = ""

    def __init__(
        self,
        path: str,
        now_s: float,
        *,
        takes: Callable[[str], bool],
        other: Callable[[str, dict[str, Any]], Any],
        raw_for_all: bool = False,
    ) -> None:
        """
        Args:
            takes: Whether a channel can be subscribed to.
            other: Answers the methods that concern no session; raises Refusal.
            raw_for_all: Raw channels need no login.

        Raises:
            UnknownPath: Not Deribit's.
        """
        if path.partition("?")[0] != PATH:
            raise UnknownPath(path)
        self.channels: set[str] = set()
        self.fresh: set[str] = set()
        self._takes = takes
        self._other = other
        self._credits = float(CREDITS)
        self._subscription_credits = float(MOST_SUBSCRIPTION_CREDITS)
        self._counted_s = now_s
        self._every_s = 0.0
        self._asked_s = 0.0
        self._waits = False
        self._logged_on = raw_for_all
        self._own: dict[str, Callable[[dict[str, Any]], Any]] = {
            "public/subscribe": self._subscribe,
            "public/unsubscribe": self._unsubscribe,
            "public/unsubscribe_all": self._unsubscribe_all,
            "public/auth": self._log_on,
        }

    def hears(self, channel: str, kind: str = "") -> bool:
        return channel in self.channels

    def answer(self, request: str | bytes, now_s: float) -> list[Say]:
        try:
            asked = msgspec.json.decode(request, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error(PARSE, "Parse error", None)]
        if not self._pays(asked.method, now_s):
            return [_error(TOO_MANY, "too_many_requests", asked.id), EXHAUSTED]
        try:
            result = self._carried_out(asked.method, asked.params, now_s)
        except Refusal as e:
            return [_error(e.code, str(e), asked.id)]
        return [json({"jsonrpc": "2.0", "id": asked.id, "result": result, "testnet": False})]

    def due(self, now_s: float) -> list[Say]:
        if not self._every_s or now_s - self._asked_s < self._every_s:
            return []
        if self._waits:
            return [GONE]
        self._asked_s, self._waits = now_s, True
        return [HEARTBEAT, TEST_REQUEST]

    def _carried_out(self, method: str, params: dict[str, Any], now_s: float) -> Any:
        if method == "public/test":
            self._waits = False
        elif method == "public/set_heartbeat":
            return self._set_heartbeat(params, now_s)
        elif method == "public/disable_heartbeat":
            self._every_s = 0.0
            return "ok"
        elif method in self._own:
            return self._own[method](params)
        return self._other(method, params)

    def _unsubscribe(self, params: dict[str, Any]) -> list[str]:
        named = _channels(params)
        self.channels.difference_update(named)
        self.fresh.difference_update(named)
        return named

    def _unsubscribe_all(self, params: dict[str, Any]) -> str:
        self.channels.clear()
        self.fresh.clear()
        return "ok"

    def _subscribe(self, params: dict[str, Any]) -> list[str]:
        named = _channels(params)
        if not self._logged_on and any(name.endswith(".raw") for name in named):
            raise Refusal(RAW_NEEDS_LOGIN, "raw_subscriptions_not_available_for_unauthorized")
        taken = [name for name in dict.fromkeys(named) if self._takes(name)]
        self.channels.update(taken)
        self.fresh.update(taken)
        return taken

    def _set_heartbeat(self, params: dict[str, Any], now_s: float) -> str:
        every_s = params.get("interval")
        if not isinstance(every_s, int | float) or every_s < LEAST_HEARTBEAT_S:
            raise Refusal(BAD_PARAMS, "Invalid params")
        self._every_s, self._asked_s, self._waits = float(every_s), now_s, False
        return "ok"

    def _log_on(self, params: dict[str, Any]) -> dict[str, Any]:
        if not params.get("client_id") or params.get("client_secret") in (None, "", "wrong"):
            raise Refusal(NO_LOGIN, "invalid_credentials")
        self._logged_on = True
        return {
            "access_token": "made-up",
            "expires_in": 900,
            "refresh_token": "made-up",
            "scope": "connection",
            "token_type": "bearer",
        }

    def _pays(self, method: str, now_s: float) -> bool:
        passed_s, self._counted_s = now_s - self._counted_s, now_s
        back = passed_s * CREDITS_PER_S
        self._credits = min(CREDITS, self._credits + back)
        self._subscription_credits = min(
            MOST_SUBSCRIPTION_CREDITS, self._subscription_credits + back
        )
        if method in ("public/subscribe", "public/unsubscribe"):
            self._subscription_credits -= SUBSCRIPTION_CREDITS
        else:
            self._credits -= CALL_CREDITS
        return self._credits >= 0 and self._subscription_credits >= 0


class _Request(msgspec.Struct):
    method: str
    params: dict[str, Any] = {}
    id: int | str | None = None
    jsonrpc: str = "2.0"


def _channels(params: dict[str, Any]) -> list[str]:
    named = params.get("channels")
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise Refusal(BAD_PARAMS, "Invalid params")
    if len(named) > MOST_CHANNELS:
        raise Refusal(BAD_PARAMS, "Invalid params")
    return named


def _error(code: int, text: str, request_id: int | str | None) -> bytes:
    return json({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}})

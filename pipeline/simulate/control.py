"""
Faults on demand over HTTP, for whoever plays with a simulator by hand; from this machine only.

    POST /simulator/faults?do=drop_next&venue=okx&symbol=BTC-USDT&channel=books
    POST /simulator/faults?do=rest&hitch=busy&path=depth&count=3
    POST /simulator/faults?do=disconnect
    GET  /simulator/state
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from pipeline.core.simulate.mouth import Answer, json
from pipeline.simulate.exchange import Exchange

ROOT = "/simulator/"
Parameters: TypeAlias = dict[str, Callable[[str], Any]]

SYMBOL_AND_CHANNEL: Parameters = {"symbol": str, "channel": str}
COUNTED: Parameters = {**SYMBOL_AND_CHANNEL, "count": int}

# What may be asked for, with its parameters.
ON_FAULTS: dict[str, Parameters] = {
    "drop_next": COUNTED,
    "duplicate_next": COUNTED,
    "reorder_next": COUNTED,
    "bad_checksum": COUNTED,
    "stall": SYMBOL_AND_CHANNEL,
    "resume": {},
    "refuse": COUNTED,
    "old_snapshot": {"symbol": str, "changes": int, "count": int},
    "no_snapshot": {"symbol": str, "count": int},
    "rest": {"hitch": str, "path": str, "count": int, "seconds": float},
    "clear": {},
}
ON_EXCHANGE: dict[str, Parameters] = {
    "disconnect": {"code": int, "reason": str},
    "farewell": {},
    "pass_time": {"seconds": float},
}


def answer(
    exchanges: Mapping[str, Exchange],
    *,
    method: str,
    path: str,
    query: Mapping[str, str],
    host: str,
) -> Answer:
    """Carry out what is asked for, at one exchange or at all."""
    if not ipaddress.ip_address(host).is_loopback:
        return _said(HTTPStatus.FORBIDDEN, "from this machine only")
    wanted = query.get("venue", "")
    if wanted and wanted not in exchanges:
        return _said(HTTPStatus.BAD_REQUEST, f"venue: one of {', '.join(exchanges)}")
    chosen = [exchanges[wanted]] if wanted else list(exchanges.values())
    match method, path.removeprefix(ROOT):
        case "GET", "state":
            return Answer(HTTPStatus.OK, json({each.venue: _state(each) for each in chosen}))
        case "POST", "faults":
            return _ordered(chosen, query)
        case _:
            return _said(HTTPStatus.NOT_FOUND, "GET /simulator/state or POST /simulator/faults")


def _ordered(chosen: list[Exchange], query: Mapping[str, str]) -> Answer:
    deed = query.get("do", "")
    known = ON_FAULTS.get(deed, ON_EXCHANGE.get(deed))
    if known is None:
        return _said(HTTPStatus.BAD_REQUEST, f"do: one of {', '.join([*ON_FAULTS, *ON_EXCHANGE])}")
    given = {name: text for name, text in query.items() if name not in ("do", "venue")}
    if unknown := set(given) - set(known):
        return _said(HTTPStatus.BAD_REQUEST, f"{unknown.pop()}: {deed} knows no such parameter")
    values = {}
    for name, text in given.items():
        try:
            values[name] = known[name](text)
        except ValueError:
            return _said(HTTPStatus.BAD_REQUEST, f"{name}: {text!r} is no number")
    for exchange in chosen:
        try:
            getattr(exchange.faults if deed in ON_FAULTS else exchange, deed)(**values)
        except (TypeError, ValueError) as e:
            return _said(HTTPStatus.BAD_REQUEST, f"{deed}: {e}")
    return _said(HTTPStatus.OK, "ordered")


def _state(exchange: Exchange) -> dict[str, Any]:
    return {
        "endpoint": exchange.endpoint,
        "rest_endpoint": exchange.rest_endpoint,
        "links": exchange.links,
        "channels": sorted(exchange.channels),
        "calls": [[call.path, call.status] for call in exchange.calls],
        "faults": [
            [done.fault.value, done.frame.channel, done.frame.number]
            for done in exchange.faults.done
        ],
    }


def _said(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, json({"message": text}))

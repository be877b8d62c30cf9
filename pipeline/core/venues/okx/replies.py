"""
What OKX says of subscriptions and of itself.

    {"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}}

Source: www.okx.com/docs-v5/en/#overview-websocket and #error-code-websocket
"""

from __future__ import annotations

import re

import msgspec

from pipeline.core.messages import Accepted, Farewell, Rejected, Skipped
from pipeline.core.shown import shortened
from pipeline.core.venues.okx import shapes
from pipeline.core.venues.reading import parsed

UPGRADE = "64008"
# Down, busy, asked too often. Another link may ask again; this one would give the channel up.
TEMPORARY = frozenset({"50001", "50011", "50013", "50026", "60014", "64007"})

_NUMBER = re.compile(r"[0-9]{1,18}")
# What the venue says of a channel that it does not have.
_NOT_HAD = re.compile(r"channel:\s*([\w-]{1,40}),\s*instId:\s*([^\s,]{1,64})")


def reply(head: shapes.Head) -> Accepted | Rejected | Farewell | Skipped:
    number = int(head.id) if _NUMBER.fullmatch(head.id) else 0
    match head.event:
        case "subscribe":
            return Accepted(number, _told(head.arg))
        case "error" if head.code in TEMPORARY:
            return Farewell(shortened(f"{head.code} {head.msg}"))
        case "error":
            channels = _told(head.arg)
            if found := _NOT_HAD.search(head.msg):
                channels = (f"{found[1]}:{found[2]}",)
            return Rejected(number, shortened(head.code), shortened(head.msg), channels)
        case "notice" if head.code == UPGRADE:
            return Farewell("OKX upgrades its service")
    return Skipped.REPLY


def _told(arg: msgspec.Raw) -> tuple[str, ...]:
    if not arg:
        return ()
    found = parsed(shapes.any_arg, arg)
    return (shortened(f"{found.channel}:{found.inst_id}"),)

"""
What Binance answers to our requests.

    {"result": null, "id": 1}          or {"error": {"code": 2, "msg": "..."}, "id": 1}

Sources: as of `shapes`, "Live Subscribing/Unsubscribing to streams" and "Error Messages".
"""

from __future__ import annotations

from msgspec import UNSET

from pipeline.core.messages import Accepted, Heard, Rejected, Skipped
from pipeline.core.shown import shortened
from pipeline.core.venues.binance import shapes
from pipeline.core.venues.reading import Data, parsed


def reply(head: shapes.Head, frame: Data) -> Heard:
    number = head.id if isinstance(head.id, int) else 0
    if head.error is UNSET and head.code is UNSET:
        # A list is what LIST_SUBSCRIPTIONS answers; null is what the others do.
        done = head.result is not UNSET and bytes(head.result) == b"null"
        return Accepted(number) if number and done else Skipped.REPLY
    error = parsed(shapes.error, frame if head.error is UNSET else head.error)
    return Rejected(number, str(error.code), shortened(error.msg))

"""
What Deribit answers to our requests.

    {"jsonrpc": "2.0", "id": 1, "result": [...]}          or "error": {"code": 1, "message": "..."}

Source: docs.deribit.com, pages "public/subscribe" and "RPC Error Codes"
"""

from __future__ import annotations

import msgspec

from pipeline.core.messages import Accepted, Farewell, Heard, Rejected, Skipped
from pipeline.core.shown import shortened
from pipeline.core.venues.deribit import shapes
from pipeline.core.venues.deribit.channels import OWN
from pipeline.core.venues.reading import parsed

# Too many requests, retry, settlement in progress, matching engine's queue full, too many requests
# at once, maintenance, internal error, temporarily unavailable, timed out.
TEMPORARY = frozenset({10028, 10040, 10041, 10047, 10066, 11051, 11094, 13028, 13888})


def accepted(number: int | str | None, result: msgspec.Raw) -> Heard:
    # Only subscriptions are answered with a list; what is said to `OWN` requests is no news.
    if not isinstance(number, int) or not shapes.text(result).startswith("["):
        return Skipped.REPLY
    names = parsed(shapes.names, result)
    # It lists the channels it knows; an unknown one is merely not there.
    return Accepted(number, names) if names else Rejected(number, "", "no such channel")


def rejected(number: int | str | None, error: shapes.Error) -> Rejected | Farewell:
    said = (
        error.message
        if error.data == shapes.NOTHING
        else f"{error.message}: {shapes.text(error.data)}"
    )
    if error.code in TEMPORARY:
        # Another link may ask again; on this one the channel would be given up for good.
        return Farewell(shortened(f"{error.code} {said}"))
    return Rejected(number if isinstance(number, int) else OWN, str(error.code), shortened(said))

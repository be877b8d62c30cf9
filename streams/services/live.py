"""What JetStream has, as it says it."""

from __future__ import annotations

from typing import Any

from streams.services.linked import link

JsonObject = dict[str, Any]


def live_streams() -> list[JsonObject]:
    """
    Return JetStream's info of every stream, page by page: the server gives 256 at a time.

    Raises:
        BrokerAway, ApiRefused: See `Link.api`.
    """
    found: list[JsonObject] = []
    while True:
        page = link().api("STREAM.LIST", {"offset": len(found)})
        found += page.get("streams") or []
        if not page.get("streams") or len(found) >= page["total"]:
            return found

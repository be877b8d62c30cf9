"""Writes down who changed what in NATS."""

from __future__ import annotations

from typing import Any

from streams.models import BrokerAct

JsonObject = dict[str, Any]


def note(  # noqa: PLR0913  each is a column
    *,
    actor: str,
    action: str,
    kind: str,
    name: str,
    before: JsonObject | None = None,
    after: JsonObject | None = None,
    detail: str = "",
) -> BrokerAct:
    """
    Keep one change. The caller leaves passwords and their hashes out of `before` and `after`.

    Args:
        kind: stream, consumer, cluster, node, user, tls or template.
        name: Of the object; a consumer's is `STREAM/consumer`.
    """
    # A long reason must not be why an act goes unrecorded.
    return BrokerAct.objects.create(
        actor=actor[:150],
        action=action[:32],
        kind=kind[:16],
        name=name[:520],
        before=before,
        after=after,
        detail=detail[:500],
    )

"""Takes what NATS has into the records."""

from __future__ import annotations

from collections.abc import Collection

import msgspec


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Names of streams and, as `STREAM/consumer`, of consumers. `known` had records already."""

    created: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def import_streams(
    *, actor: str, names: Collection[str] | None = None, policy: str = "observe"
) -> Imported:
    """
    Make a record of each stream and durable consumer in NATS that has none; change no other.

    Args:
        names: Of streams; None means all. Those that NATS does not have are in `missing`.

    Raises:
        BrokerAway, ApiRefused: NATS cannot be asked. Nothing was recorded.
    """
    raise NotImplementedError

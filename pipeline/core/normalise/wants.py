"""What the state of a source needs from outside. The shell does it when it may."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from pipeline.core.messages import Trade


class FetchSnapshot(msgspec.Struct, frozen=True):
    """
    The snapshot of one book, by REST. Answered by `Normaliser.snapshot`.

    Attributes:
        attempt: 1 for the first; each further one shall wait longer.
    """

    symbol: str
    attempt: int = 1


class Resubscribe(msgspec.Struct, frozen=True):
    """The channel of one book anew: it begins with a snapshot."""

    symbol: str
    data_type: str = "orderbook"
    attempt: int = 1


class BackfillTrades(msgspec.Struct, frozen=True):
    """The trades after this one, by REST. Answered by `Normaliser.backfilled`."""

    symbol: str
    after: Trade


Want: TypeAlias = FetchSnapshot | Resubscribe | BackfillTrades

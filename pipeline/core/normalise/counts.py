"""What happened to the data of one source, beside going through."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct):
    """
    Attributes:
        repeated: Records dropped because they, or later ones, had been said before.
        unasked: Records dropped because nothing that is subscribed to brings them, or no longer.
        gaps, resyncs, stale, disconnects: Control messages.
        backfilled: Trades that were asked for afterwards.
        bad_checksums: Books that did not match the venue's.
    """

    repeated: int = 0
    unasked: int = 0
    gaps: int = 0
    resyncs: int = 0
    stale: int = 0
    disconnects: int = 0
    backfilled: int = 0
    bad_checksums: int = 0

"""What a publisher counted."""

from __future__ import annotations

import msgspec


class PublishCounters(msgspec.Struct, frozen=True, kw_only=True):
    """
    Attributes:
        acknowledged: Stored, `duplicates` included.
        duplicates: Of those, the ones the stream had already.
        resent: Times a record was written again.
        refused: Error answers; each of these records is still kept and tried again.
        rejected: Records that the stream will never take. They are lost, and logged.
        in_flight: Written and not yet acknowledged. waiting: Not yet written.
    """

    submitted: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    resent: int = 0
    refused: int = 0
    rejected: int = 0
    in_flight: int = 0
    waiting: int = 0

"""What a publisher counted, and what a consumer."""

from __future__ import annotations

import msgspec


class PublishCounters(msgspec.Struct, frozen=True, kw_only=True):
    """
    Attributes:
        acknowledged: Stored, `duplicates` included.
        duplicates: Of those, the ones the stream said it had already. It says so of a record
            that was sent alone; inside a fast batch it drops them silently.
        batched: Of those acknowledged, the ones that went in fast batches.
        resent: Times a record was written again.
        refused: Error answers; each of these records is still kept and tried again.
        rejected: Records that the stream will never take. They are lost, and logged.
        in_flight: Written and not yet acknowledged. waiting: Not yet written.
    """

    submitted: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    batched: int = 0
    resent: int = 0
    refused: int = 0
    rejected: int = 0
    in_flight: int = 0
    waiting: int = 0


class ConsumeCounters(msgspec.Struct, frozen=True, kw_only=True):
    """
    Attributes:
        received: Messages, those that came again included; `redelivered` are the latter.
        acknowledged, returned, terminated: What was answered. Answered is not yet told: `unsent`
            answers wait for their turn, or for the link.
        failed: Times the handler raised.
        held: Handed over, or waiting to be, and not settled.
        wanted: Asked for and not come yet.
        silences: Times that heartbeats stayed out. links: New ones.
    """

    received: int = 0
    redelivered: int = 0
    acknowledged: int = 0
    returned: int = 0
    terminated: int = 0
    failed: int = 0
    held: int = 0
    held_bytes: int = 0
    wanted: int = 0
    unsent: int = 0
    requests: int = 0
    silences: int = 0
    links: int = 0
    recreated: int = 0

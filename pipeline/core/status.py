"""What a worker says of itself, once a second, as one JSON line per saying."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.core.counters import PublishCounters


class State(enum.Enum):
    """
    Where a source stands.

    * connecting: the first attempt is under way
    * running: messages come in
    * reconnecting: the link was lost and is tried again
    * degraded: as before, and more often in vain than the operator allows; still tried
    * refused: the source does not want us; not tried until its settings change
    * stopped: no longer wanted; its last counters are still told
    """

    CONNECTING = "connecting"
    RUNNING = "running"
    RECONNECTING = "reconnecting"
    DEGRADED = "degraded"
    REFUSED = "refused"
    STOPPED = "stopped"


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """
    Attributes:
        began_ns: When its counters began at 0: when this worker first started it.
        since_ns: When it entered its state. Times are UTC nanoseconds since 1970; 0 means never.
        received, ignored, undecodable: Frames.
        published: Messages.
        by_type: Data messages published, by type of data.
        channels: Subscriptions that the venue took. links: Open ones.
        repeated, unasked, gaps, resyncs, stale, disconnects, backfilled, bad_checksums: See
            `pipeline.core.normalise.normaliser.Counts`.
        problems: Undecodable frames by reason.
    """

    source_id: str
    began_ns: int
    state: State
    since_ns: int
    last_error: str = ""
    received: int = 0
    published: int = 0
    ignored: int = 0
    undecodable: int = 0
    last_message_ns: int = 0
    by_type: dict[str, int] = {}
    problems: dict[str, int] = {}
    channels: int = 0
    links: int = 0
    repeated: int = 0
    unasked: int = 0
    gaps: int = 0
    resyncs: int = 0
    stale: int = 0
    disconnects: int = 0
    backfilled: int = 0
    bad_checksums: int = 0


class PublisherStatus(PublishCounters, frozen=True, kw_only=True):
    """A worker's publisher: what it counted, and whether it has a link to NATS now."""

    connected: bool = False


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    sources: tuple[SourceStatus, ...] = ()
    publisher: PublisherStatus = PublisherStatus()


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The first line a worker reads. On stdin, because a URL may hold a password and everybody on
    the machine can read a command line.

    Attributes:
        buffer_bytes: What is kept at most while NATS is away; then sources are not read.
        drain_s: How long the end may wait for what is not stored yet.
    """

    nats_url: str
    log_level: str = "INFO"
    nats_log_level: str = "OFF"
    nats_events: bool = False
    status_every_s: Annotated[float, Meta(gt=0)] = 1.0
    drain_s: Annotated[float, Meta(ge=0)] = 5.0
    buffer_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 64 * 1024 * 1024

    def __repr__(self) -> str:
        return "WorkerSettings(***)"

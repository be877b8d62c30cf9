"""What a DataSource row becomes at the border. Plain data: it can cross to a worker process."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]


class Credentials(msgspec.Struct, frozen=True):
    """A login. Neither part is ever shown."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Attributes:
        source_id: Unique; in logs and counters.
        protocol, venue: Keys of `pipeline.receive.KINDS` and `pipeline.core.decode.VENUES`.
        silence_s: Without a complete message for so long the link counts as lost.
        reconnect_interval: Seconds; the pauses between attempts grow up to here.
        max_reconnect_attempts: After so many failures in a row the source is degraded: still
            tried, and more rarely.
        buffer_size: Bytes of one read.
        templates: How subjects are built, by type of data; see `streams.core.templates`.
    """

    source_id: str
    protocol: str
    endpoint: str
    venue: str
    silence_s: Seconds = 30.0
    reconnect_interval: Seconds = 5.0
    max_reconnect_attempts: Annotated[int, Meta(ge=0)] = 10
    buffer_size: Annotated[int, Meta(ge=1024, le=1024 * 1024)] = 16_384
    credentials: Credentials | None = None
    templates: dict[str, str] = {}

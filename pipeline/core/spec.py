"""What a DataSource row becomes at the border. Plain data: it can cross to a worker process."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]


class Credentials(msgspec.Struct, frozen=True):
    """A login. Neither part is ever shown."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


class HandshakeStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One step of an operator's own handshake, before any subscription.

    Attributes:
        send: Sent as it is; empty for none.
        expect: A text that the next frame must hold; empty for none. Such frames are not data.
        within_s: How long that may take.
    """

    send: str = ""
    expect: str = ""
    within_s: Seconds = 10.0

    def __repr__(self) -> str:
        return "HandshakeStep(***)"  # It may log in.


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Attributes:
        source_id: Unique; in logs and counters.
        protocol, venue: Keys of `pipeline.receive.KINDS` and `pipeline.core.venues.VENUES`.
        endpoint: Empty for the venue's public one. It may name its streams itself.
        rest_endpoint: Empty for none: then no snapshots, no backfill, no symbol table.
        types, symbols, intervals: What to subscribe to. A symbol may hold `*` and `?`: then the
            venue's symbol table says which ones there are.
        options: The venue's own; see `Venue.options`.
        silence_s: Without a complete message for so long the link counts as lost.
        stale_s: Without a message of one channel for so long it counts as stale, by type of data.
        link_life_s: A link is renewed, make before break, after so long; 0 for the venue's limit.
        renew_at: Instead, at this time of each day, `HH:MM` UTC; empty for none.
        reconnect_interval: Seconds; the pauses between attempts grow up to here.
        max_reconnect_attempts: After so many failures in a row the source is degraded: still
            tried, and more rarely.
        buffer_size: Bytes of one read.
        linger_ms: How long what was received may wait for more before it is handed on: waiting
            spares processor time.
        trusted: The peer's frames are taken without checks of their text and reserved bits.
        checksums: Whether the venue's checksums are compared.
        backfill: Whether trades missed during an interruption are asked for.
        handshake: What to say and hear first; see `HandshakeStep`.
        ping_text, ping_every_s: An application-level ping instead of the venue's; empty for none.
        epoch: Grows with each start of a worker; it is in each message.
        templates: How subjects are built, by type of data; see `streams.core.templates`.
    """

    source_id: str
    protocol: str
    endpoint: str
    venue: str
    rest_endpoint: str = ""
    types: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ("1m",)
    options: dict[str, str] = {}
    silence_s: Seconds = 30.0
    stale_s: dict[str, Seconds] = {}
    link_life_s: Annotated[float, Meta(ge=0)] = 0.0
    renew_at: str = ""
    reconnect_interval: Seconds = 5.0
    max_reconnect_attempts: Annotated[int, Meta(ge=0)] = 10
    buffer_size: Annotated[int, Meta(ge=1024, le=1024 * 1024)] = 16_384
    linger_ms: Literal[0, 1, 5] = 0
    trusted: bool = False
    checksums: bool = True
    backfill: bool = True
    handshake: tuple[HandshakeStep, ...] = ()
    ping_text: str = ""
    ping_every_s: Seconds = 20.0
    credentials: Credentials | None = None
    epoch: Annotated[int, Meta(ge=0)] = 0
    templates: dict[str, str] = {}


def declares(spec: SourceSpec) -> bool:
    """Return whether there is anything to ask for; else the address says it all."""
    return bool(spec.types and spec.symbols)

"""A message of a source that is no exchange -> the bytes of an `Envelope`."""

from __future__ import annotations

import msgspec

from pipeline.core.errors import DecodeError
from pipeline.core.venues.reading import parsed
from streams.core.proto.pipeline_pb2 import (
    CONTENT_BINARY,
    CONTENT_JSON,
    CONTENT_TEXT,
    Content,
    Envelope,
)

# Walks through all of it and builds nothing.
_json = msgspec.json.Decoder(msgspec.Raw)
_BLANKS = b" \t\r\n"


def content_of(payload: bytes) -> Content:
    """Return what a look at the payload tells."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return CONTENT_BINARY
    if payload.lstrip(_BLANKS)[:1] not in (b"{", b"["):
        return CONTENT_TEXT
    try:
        parsed(_json, payload)
    except DecodeError:
        return CONTENT_TEXT
    return CONTENT_JSON


def enveloped(
    payload: bytes, source_id: str, *, received_ns: int, sequence: int, epoch: int
) -> bytes:
    return Envelope(
        source_id=source_id,
        received_ns=received_ns,
        sequence=sequence,
        content=content_of(payload),
        payload=payload,
        epoch=epoch,
    ).SerializeToString()

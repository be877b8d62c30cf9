"""
Publishes as they go over the wire, many to a write.

pika hands each frame of a message to the socket by itself: three calls of the system for a message,
and the broker wakes for each. That was more than half of what a message cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from pika import frame, spec

from accounts.publish.window import Parcel

# As much is joined into one write. What a socket does not take is copied, so not all at once.
WRITE_BYTES = 64 * 1024
# The head and the end of a frame.
FRAME_BYTES = 8
# Where the broker names no bound.
FRAME_MAX = 131_072


def writes(
    parcels: Iterable[Parcel], *, channel: int, exchange: str, frame_max: int, at: int
) -> Iterator[bytes]:
    """
    Yield the bytes of these publishes, in order and never cut within a frame.

    Args:
        frame_max: Of the connection; 0: no bound.
        at: The seconds since 1970 that each message is stamped with.
    """
    frames: list[bytes] = []
    size = 0
    for parcel in parcels:
        frames += _frames(parcel, channel, exchange, (frame_max or FRAME_MAX) - FRAME_BYTES, at)
        size += len(parcel.payload)
        if size > WRITE_BYTES:
            yield b"".join(frames)
            frames, size = [], 0
    if frames:
        yield b"".join(frames)


def _frames(parcel: Parcel, channel: int, exchange: str, most: int, at: int) -> Iterator[bytes]:
    body = parcel.payload
    yield _method(channel, exchange, parcel.key)
    properties = spec.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        timestamp=at,
        message_id=parcel.id,
        headers=parcel.headers,
    )
    yield frame.Header(channel, len(body), properties).marshal()
    for first in range(0, len(body), most):
        yield frame.Body(channel, body[first : first + most]).marshal()


@lru_cache(maxsize=4096)
def _method(channel: int, exchange: str, key: str) -> bytes:
    method = spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=True)
    return frame.Method(channel, method).marshal()

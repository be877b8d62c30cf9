"""What we would like to say to a peer that does not read."""

from __future__ import annotations

from picows import WSFrame, WSTransport

MAX_UNSENT = 64 * 1024


def has_room(transport: WSTransport) -> bool:
    unsent: int = transport.underlying_transport.get_write_buffer_size()
    return unsent <= MAX_UNSENT


def answer_ping(transport: WSTransport, frame: WSFrame) -> None:
    """Answer, unless the peer has left earlier answers lying."""
    if has_room(transport):
        transport.send_pong(frame.get_payload_as_bytes())

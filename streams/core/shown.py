"""A stored message as a person can read it: decoded where that is possible, and never too long."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.core import market
from streams.core.errors import BadSubject

# Of a longer payload so much is shown: a page of fifty stays under a megabyte.
LONGEST = 16_384
# What is decoded at all. A full order book has some tens of kilobytes.
LONGEST_PROTOBUF = 262_144
HEXED = LONGEST // 2

PROTOBUF, JSON, TEXT, HEX, EMPTY = "protobuf", "json", "text", "hex", "empty"


class Shown(msgspec.Struct, frozen=True):
    """
    Attributes:
        kind: protobuf, json, text, hex or empty.
        value: For protobuf and json what was decoded; else, and for all that is `truncated`, text.
    """

    kind: str
    value: Any
    truncated: bool = False


def shown(payload: bytes, data_type: str | None = None) -> Shown:
    """
    Return a payload in the form that says most.

    Args:
        data_type: What its subject promises; a key of `streams.core.templates.TYPES`.
    """
    if not payload:
        return Shown(EMPTY, "")
    # No message of ours begins like a JSON object: 0x7b would be a group, 0x5b a fixed64 group.
    if payload[:1] not in (b"{", b"[") and (found := _protobuf(payload, data_type)):
        return found
    return _json(payload) or _text(payload) or _hex(payload)


def _protobuf(payload: bytes, data_type: str | None) -> Shown | None:
    if data_type not in market.KINDS or len(payload) > LONGEST_PROTOBUF:
        return None
    try:
        value = market.words(market.decoded(data_type, payload))
    except (BadSubject, market.Undecodable):
        return None
    text = msgspec.json.encode(value)
    if len(text) > LONGEST:
        return Shown(PROTOBUF, text[:LONGEST].decode(errors="ignore"), truncated=True)
    return Shown(PROTOBUF, value)


def _json(payload: bytes) -> Shown | None:
    if len(payload) > LONGEST:
        return None  # Cut, it is text; decoding a megabyte in order to cut it is wasted.
    try:
        return Shown(JSON, msgspec.json.decode(payload))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _text(payload: bytes) -> Shown | None:
    cut = payload[:LONGEST]
    truncated = len(payload) > len(cut)
    try:
        # A character may have been cut in two, three bytes of which can be left.
        text = cut.decode() if not truncated else _decoded_but_for_the_end(cut)
    except UnicodeDecodeError:
        return None
    if any(not c.isprintable() and c not in "\t\n\r" for c in text):
        return None
    return Shown(TEXT, text, truncated)


def _decoded_but_for_the_end(cut: bytes) -> str:
    try:
        return cut.decode()
    except UnicodeDecodeError as e:
        if e.start < len(cut) - 3:
            raise
        return cut[: e.start].decode()


def _hex(payload: bytes) -> Shown:
    return Shown(HEX, payload[:HEXED].hex(" "), truncated=len(payload) > HEXED)

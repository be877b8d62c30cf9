"""
Recorded exchange traffic, line by line, in the two forms that other projects publish.

    hftbacktest   <nanoseconds> <frame>
    cryptofeed    <seconds.fraction>: <frame>, between lines that begin with wss:// and tell of
                  connections

A frame is served as the bytes it was recorded with. A frame that belongs to no stream, such as the
answer to a REST call, is passed over.
"""

from __future__ import annotations

import enum
import re
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

NS_PER_S = 1_000_000_000

_HFTBACKTEST = re.compile(rb"(\d{1,19}) (?=\{)")
_CRYPTOFEED = re.compile(rb"(\d{1,10}(?:\.\d{1,9})?): (?=[\[{])")
_CONNECTION = re.compile(rb"wss?://")


class Form(enum.Enum):
    HFTBACKTEST = "hftbacktest"
    CRYPTOFEED = "cryptofeed"


class RecordedFrame(msgspec.Struct, frozen=True):
    """
    Attributes:
        at_ns: When it was received, UTC nanoseconds since 1970.
    """

    at_ns: int
    stream: str
    data: bytes


class BadLine(ValueError):
    """The line is not what its form promises."""


class _Head(msgspec.Struct):
    stream: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET


_head = msgspec.json.Decoder(_Head)
_anything = msgspec.json.Decoder()


def form_of(line: bytes) -> Form:
    """
    Return the form that a first line shows.

    Raises:
        BadLine: Neither.
    """
    if _HFTBACKTEST.match(line):
        return Form.HFTBACKTEST
    if _CONNECTION.match(line) or _CRYPTOFEED.match(line):
        return Form.CRYPTOFEED
    raise BadLine("neither the hftbacktest nor the cryptofeed form")


def parse(form: Form, line: bytes) -> RecordedFrame | None:
    """
    Return the frame of one line without its line end; None when it holds none to serve.

    Raises:
        BadLine: Not of this form, or the frame is no JSON.
    """
    if not line.strip() or (form is Form.CRYPTOFEED and _CONNECTION.match(line)):
        return None
    found = (_HFTBACKTEST if form is Form.HFTBACKTEST else _CRYPTOFEED).match(line)
    if found is None:
        raise BadLine("no receive time in front of a JSON frame")
    data = line[found.end() :]
    try:
        head = _head.decode(data)
        _anything.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise BadLine(f"the frame is no JSON: {e}") from None
    if head.stream is UNSET or head.data is UNSET:
        return None
    if form is Form.HFTBACKTEST:
        at_ns = int(found[1])
    else:
        at_ns = int(Decimal(found[1].decode()) * NS_PER_S)
    return RecordedFrame(at_ns, head.stream, data)

"""
Recorded exchange traffic, line by line, in the two forms that other projects publish.

    hftbacktest   <nanoseconds> <frame>
    cryptofeed    <seconds.fraction>: <frame>, between lines that begin with wss:// and tell of
                  connections; and <url> -> <seconds.fraction>: <answer> of REST calls

A frame is served as the bytes it was recorded with. What the exchange answered to requests over the
WebSocket is passed over: whoever replays gives answers of its own.
"""

from __future__ import annotations

import enum
import re
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import UNSET, UnsetType

NS_PER_S = 1_000_000_000

_HFTBACKTEST = re.compile(rb"(\d{1,19}) (?=\{)")
_SECONDS = rb"(\d{1,10}(?:\.\d{1,9})?)"
_CRYPTOFEED = re.compile(_SECONDS + rb": (?=[\[{])")
_ANSWER = re.compile(rb"(https?://\S{1,2000}) -> " + _SECONDS + rb": (?=[\[{])")
_TOLD = re.compile(rb"wss?://|configuration: ")


class Form(enum.Enum):
    HFTBACKTEST = "hftbacktest"
    CRYPTOFEED = "cryptofeed"


class Speech(enum.Enum):
    """Whose frames they are."""

    BINANCE = "binance"
    OKX = "okx"
    DERIBIT = "deribit"


class RecordedFrame(msgspec.Struct, frozen=True):
    """
    Attributes:
        at_ns: When it was received, UTC nanoseconds since 1970.
        stream: The subscription it came by, as the exchange names it; OKX's is `books:BTC-USDT`.
    """

    at_ns: int
    stream: str
    data: bytes
    speech: Speech = Speech.BINANCE


class RecordedAnswer(msgspec.Struct, frozen=True):
    """
    What a REST call was answered.

    Attributes:
        path: Empty for a snapshot of a book that was recorded without its address.
    """

    at_ns: int
    path: str
    query: dict[str, str]
    body: bytes


Recorded: TypeAlias = RecordedFrame | RecordedAnswer


class BadLine(ValueError):
    """The line is not what its form promises."""


class _Arg(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""


class _Params(msgspec.Struct):
    channel: str | UnsetType = UNSET


class _Head(msgspec.Struct):
    stream: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    arg: _Arg | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: _Params | UnsetType = UNSET
    snapshot: int | UnsetType = msgspec.field(default=UNSET, name="lastUpdateId")


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
    if any(form.match(line) for form in (_TOLD, _CRYPTOFEED, _ANSWER)):
        return Form.CRYPTOFEED
    raise BadLine("neither the hftbacktest nor the cryptofeed form")


def parse(form: Form, line: bytes) -> Recorded | None:
    """
    Return what one line without its line end holds; None when that is nothing to serve.

    Raises:
        BadLine: Not of this form, or the frame is no JSON.
    """
    if not line.strip():
        return None
    if form is Form.CRYPTOFEED:
        if answer := _ANSWER.match(line):
            return _answered(answer, line[answer.end() :])
        if _TOLD.match(line):
            return None
    found = (_HFTBACKTEST if form is Form.HFTBACKTEST else _CRYPTOFEED).match(line)
    if found is None:
        raise BadLine("no receive time in front of a JSON frame")
    return _said(_at_ns(form, found[1]), line[found.end() :])


def _at_ns(form: Form, text: bytes) -> int:
    return int(text) if form is Form.HFTBACKTEST else int(Decimal(text.decode()) * NS_PER_S)


def _answered(found: re.Match[bytes], body: bytes) -> RecordedAnswer:
    _checked(body)
    try:
        parts = urlsplit(found[1].decode())
    except ValueError:
        raise BadLine("no address in front of an answer") from None
    at_ns = _at_ns(Form.CRYPTOFEED, found[2])
    return RecordedAnswer(at_ns, parts.path, dict(parse_qsl(parts.query)), body)


def _said(at_ns: int, data: bytes) -> Recorded | None:
    _checked(data)
    try:
        head = _head.decode(data)
    except msgspec.ValidationError:
        return None  # Some other exchange's, or a list.
    if head.snapshot is not UNSET:
        return RecordedAnswer(at_ns, "", {}, data)
    if head.stream is not UNSET and head.data is not UNSET:
        return RecordedFrame(at_ns, head.stream, data)
    if head.arg is not UNSET and head.data is not UNSET:
        stream = f"{head.arg.channel}:{head.arg.inst_id}"
        return RecordedFrame(at_ns, stream, data, Speech.OKX)
    if head.method == "subscription" and head.params is not UNSET:
        channel = head.params.channel
        if channel is not UNSET:
            return RecordedFrame(at_ns, channel, data, Speech.DERIBIT)
    return None


def _checked(data: bytes) -> None:
    try:
        _anything.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise BadLine(f"the frame is no JSON: {e}") from None

"""
The words that browsers and the hub exchange: text in, commands out; events in, text out.

    → {"id":1,"action":"subscribe","topics":["account.>","market.*.*.ticker"]}
    ← {"type":"subscribed","id":1,"topics":["account.>","market.*.*.ticker"]}
    → {"id":2,"action":"unsubscribe","topics":["account.>"]}
    ← {"type":"unsubscribed","id":2,"topics":["account.>"]}
    → {"id":3,"action":"ping"}
    ← {"type":"pong","id":3,"timeMs":1763116200000}
    ← {"type":"error","id":4,"code":"bad_topic","message":"…","topic":"…"}

Unasked, the server says:

    ← {"type":"hello","epoch":"5f0c…","heartbeatS":30.0,"timeMs":…}   first of all
    ← {"type":"link","state":"up"}                   whether live data reach this server at all
    ← {"type":"heartbeat","timeMs":…}
    ← {"type":"message","topic":"account.Demo.261632689.update","data":{…}}

`epoch` names one life of the hub: another one means that messages may have been missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from realtime.core.errors import Refused, Undecodable
from streams.core import market
from streams.core.errors import BadSubject
from streams.core.templates import STANDARD, Templates

MAX_INBOUND = 64 * 1024
MAX_ID = 64

CommandId = int | str | None


class Subscribe(msgspec.Struct, tag_field="action", tag="subscribe"):
    topics: list[str]
    id: CommandId = None


class Unsubscribe(msgspec.Struct, tag_field="action", tag="unsubscribe"):
    topics: list[str]
    id: CommandId = None


class Ping(msgspec.Struct, tag_field="action", tag="ping"):
    id: CommandId = None


Command = Subscribe | Unsubscribe | Ping


class Frame(msgspec.Struct, frozen=True, gc=False):
    """
    One ready-made text for the wire, shared by all who get it. Only messages have a topic.

    Attributes:
        is_control: It says what happened to the data of its topic and holds none itself.
    """

    text: str
    topic: str = ""
    is_control: bool = False


class _Identified(msgspec.Struct):
    id: CommandId = None


class _Message(msgspec.Struct):
    topic: str
    data: dict[str, msgspec.Raw]


_decode_command: Callable[[str], Command] = msgspec.json.Decoder(Command).decode
_decode_id = msgspec.json.Decoder(_Identified).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def command(text: str) -> Command:
    """
    Return the command in a client's text.

    Raises:
        Refused: `bad_message`; it carries the command's id when that could be read.
    """
    if len(text) > MAX_INBOUND:
        raise Refused("bad_message", f"a message has at most {MAX_INBOUND} characters")
    try:
        found = _decode_command(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as e:
        raise Refused("bad_message", str(e), command_id=_id(text)) from e
    if isinstance(found.id, str) and len(found.id) > MAX_ID:
        raise Refused("bad_message", f"an id has at most {MAX_ID} characters")
    return found


def _id(text: str) -> CommandId:
    try:
        found = _decode_id(text).id
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return None if isinstance(found, str) and len(found) > MAX_ID else found


def hello(*, epoch: str, heartbeat_s: float, time_ms: int) -> Frame:
    return _frame({"type": "hello", "epoch": epoch, "heartbeatS": heartbeat_s, "timeMs": time_ms})


def link(state: Literal["up", "down"]) -> Frame:
    return _frame({"type": "link", "state": state})


def heartbeat(time_ms: int) -> Frame:
    return _frame({"type": "heartbeat", "timeMs": time_ms})


def subscribed(asked: Subscribe) -> Frame:
    return _frame({"type": "subscribed", "id": asked.id, "topics": asked.topics})


def unsubscribed(asked: Unsubscribe) -> Frame:
    return _frame({"type": "unsubscribed", "id": asked.id, "topics": asked.topics})


def pong(asked: Ping, time_ms: int) -> Frame:
    return _frame({"type": "pong", "id": asked.id, "timeMs": time_ms})


def error(refused: Refused) -> Frame:
    words = {
        "type": "error",
        "id": refused.command_id,
        "code": refused.code,
        "message": refused.message,
    }
    return _frame(words if refused.topic is None else words | {"topic": refused.topic})


def message(subject: str, payload: bytes, templates: Templates = STANDARD) -> Frame:
    """
    Return the frame for one message of NATS.

    Market data in protobuf become JSON; JSON passes through as it is; other text becomes a string.

    Raises:
        Undecodable: The payload is none of these.
    """
    if templates.parse(subject):
        try:
            said = market.readable(subject, payload, templates)
            return _message(subject, _encode(said).decode(), is_control="control" in said)
        except (BadSubject, market.Undecodable, ValueError):
            pass  # Others may publish JSON there as well.
    return _message(subject, _json(subject, payload))


def merged(older: Frame, newer: Frame) -> Frame:
    """
    Return one frame that says what both say, the newer one where they disagree.

    For messages that hold changed fields only. Where one of them is not an object, the newer one
    is all that can be said.
    """
    try:
        old, new = _decode_message(older.text), _decode_message(newer.text)
    except msgspec.DecodeError:
        return newer
    return _message(newer.topic, _encode(old.data | new.data).decode())


def _json(subject: str, payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError as e:
        raise Undecodable(f"{subject}: not UTF-8") from e
    try:
        _decode_any(text)
    except (msgspec.DecodeError, RecursionError):
        return _encode(text).decode()
    return text


def _message(topic: str, data: str, *, is_control: bool = False) -> Frame:
    text = f'{{"type":"message","topic":{_encode(topic).decode()},"data":{data}}}'
    return Frame(text, topic, is_control)


def _frame(words: dict[str, Any]) -> Frame:
    return Frame(_encode(words).decode())

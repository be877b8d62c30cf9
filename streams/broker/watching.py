"""
Reads what a stream holds, message by message, and asks nothing of its consumers.

STREAM.MSG.GET and not a consumer, so that a work queue loses nothing and no limit on consumers
counts; and not DIRECT.GET, which any replica may answer with what it knew a moment ago. A page of
fifty costs some ten milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.core.errors import ApiRefused, BrokerAway
from streams.core.headers import headers

JsonObject = dict[str, Any]

CALL_S = 5.0
NO_MESSAGE = 10037

# One page gets no more messages than this beside its own, where much must be stepped over; and
# holds no more bytes than that.
GETS_BESIDES = 400
PAGE_BYTES = 16 * 1024 * 1024

# What a direct get adds to a message's own headers.
_ADDED = frozenset(
    ("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending",
     "Nats-Last-Sequence")
)  # fmt: skip


class Stored(msgspec.Struct, frozen=True):
    """One message as it is stored."""

    seq: int
    subject: str
    at: datetime
    payload: bytes
    headers: dict[str, list[str]]


class Found(msgspec.Struct, frozen=True):
    """
    Attributes:
        next_seq: Where to go on in the same direction; None: there is nothing beyond.
        complete: False when there were so many to step over that it was given up.
    """

    messages: list[Stored]
    next_seq: int | None
    complete: bool


class _Spent(Exception):
    """The page has read as often as it may."""


class _Reader:
    """Gets single messages of one stream, so many and no more."""

    def __init__(self, client: Client, stream: str, subject: str, gets: int) -> None:
        self._client = client
        self._stream = stream
        self._subject = subject
        self._gets = gets

    async def at_or_after(self, seq: int) -> Stored | None:
        if self._gets <= 0:
            raise _Spent
        self._gets -= 1
        asked = {"seq": max(seq, 1), "next_by_subj": self._subject}
        return await get(self._client, self._stream, asked)


async def get(client: Client, stream: str, asked: Mapping[str, Any]) -> Stored | None:
    """
    Return the message that a STREAM.MSG.GET finds; None when there is none.

    Raises:
        ApiRefused: JetStream answered with another error.
        OSError, TimeoutError, nats.errors.Error: The link did not carry it.
    """
    reply = await client.request(
        f"$JS.API.STREAM.MSG.GET.{stream}", msgspec.json.encode(asked), timeout=CALL_S
    )
    answer: JsonObject = msgspec.json.decode(reply.data)
    if error := answer.get("error"):
        if error.get("err_code") == NO_MESSAGE:
            return None
        raise ApiRefused(error.get("err_code", 0), error.get("description", "refused"))
    message = answer["message"]
    return Stored(
        seq=message["seq"],
        subject=message["subject"],
        at=datetime.fromisoformat(message["time"]),
        payload=b64decode(message.get("data") or ""),
        headers=headers(b64decode(message.get("hdrs") or "")),
    )


async def forwards(client: Client, stream: str, *, start: int, subject: str, limit: int) -> Found:
    """Return up to `limit` messages from `start` on, oldest first."""
    reader = _Reader(client, stream, subject, limit + 1)
    found: list[Stored] = []
    room = PAGE_BYTES
    seq = start
    while message := await reader.at_or_after(seq):
        if len(found) == limit or room <= 0:
            return Found(found, message.seq, complete=len(found) == limit)
        found.append(message)
        room -= len(message.payload)
        seq = message.seq + 1
    return Found(found, None, complete=True)


async def backwards(  # noqa: PLR0913
    client: Client, stream: str, *, start: int, floor: int, subject: str, limit: int, span: int
) -> Found:
    """
    Return up to `limit` messages from `start` down, newest first.

    JetStream steps forwards only. So a window below what is known is read forwards: a wider one
    where the last held little, half of it where it holds more than is wanted.

    Args:
        floor: The stream's first sequence.
        span: How wide the first window is. No wider than `limit`, so that it always brings some.
    """
    reader = _Reader(client, stream, subject, 3 * limit + GETS_BESIDES)
    found: list[Stored] = []
    top = start
    while top >= floor:
        room = PAGE_BYTES - sum(len(message.payload) for message in found)
        if room <= 0:
            return Found(found, top, complete=False)
        bottom = max(floor, top - span + 1)
        try:
            window = await _window(reader, bottom, top, limit + 1 - len(found), room)
        except _Spent:
            return Found(found, top, complete=False)
        if window is None:
            span = (top - bottom + 1) // 2
            continue
        found += reversed(window)
        if len(found) > limit:
            return Found(found[:limit], found[limit].seq, complete=True)
        top = bottom - 1
        span *= 2 if window else 4
    return Found(found, None, complete=True)


async def _window(
    reader: _Reader, bottom: int, top: int, wanted: int, room: int
) -> list[Stored] | None:
    """Return what is from `bottom` to `top`; None when it is more messages or bytes than fit."""
    found: list[Stored] = []
    seq = bottom
    while seq <= top:
        message = await reader.at_or_after(seq)
        if message is None or message.seq > top:
            break
        room -= len(message.payload)
        # One message fits always.
        if len(found) == wanted or (room < 0 and top > bottom):
            return None
        found.append(message)
        seq = message.seq + 1
    return found


async def latest(
    client: Client, stream: str, *, subjects: Sequence[str], limit: int
) -> tuple[list[Stored], bool]:
    """
    Return the last message of each subject under these patterns, and whether that is all of them.

    Raises:
        ApiRefused: With the code 413, too many subjects; see `get` for others.
    """
    body = {"multi_last": list(subjects), "batch": limit, "max_bytes": PAGE_BYTES}
    found, end = await batch(client, f"$JS.API.DIRECT.GET.{stream}", body, limit)
    status = (end.headers or {}).get("Status", "") if end else ""
    if status not in ("", "204", "404"):
        assert end is not None
        raise ApiRefused(int(status), (end.headers or {}).get("Description", "refused"))
    left = int((end.headers or {}).get("Nats-Num-Pending", "0")) if end else 0
    return [_direct(message) for message in found], left == 0


async def count_from(client: Client, stream: str, seq: int, subject: str) -> int:
    """Return how many messages there are from a sequence on, the server's own count."""
    body = {"seq": seq, "next_by_subj": subject, "batch": 1}
    found, _end = await batch(client, f"$JS.API.DIRECT.GET.{stream}", body, 1)
    left = [int((message.headers or {})["Nats-Num-Pending"]) for message in found]
    return left[0] + 1 if left else 0


async def batch(
    client: Client, subject: str, body: Mapping[str, Any], limit: int
) -> tuple[list[Msg], Msg | None]:
    """
    Return the messages that one request brings, and the message without content that ended them.

    Args:
        limit: So many end them too; one more, the end, is waited for where there may be one.

    Raises:
        BrokerAway: Nobody answers.
        OSError, TimeoutError, nats.errors.Error: The link did not carry it.
    """
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    sub = await client.subscribe(inbox, cb=arrived.put)
    found: list[Msg] = []
    try:
        await client.publish(subject, msgspec.json.encode(body), reply=inbox)
        while True:
            message = await asyncio.wait_for(arrived.get(), CALL_S)
            status = (message.headers or {}).get("Status", "")
            if status == "503":
                raise BrokerAway(f"nobody answers to {subject}")
            if status:
                return found, message
            found.append(message)
            if len(found) == limit and message.reply:
                return found, None  # Of a consumer; it says no more once it has sent them all.
    finally:
        with contextlib.suppress(nats.errors.Error):  # Closed meanwhile; so was the subscription.
            await sub.unsubscribe()


def _direct(message: Msg) -> Stored:
    told = message.headers or {}
    return Stored(
        seq=int(told["Nats-Sequence"]),
        subject=told["Nats-Subject"],
        at=datetime.fromisoformat(told["Nats-Time-Stamp"]),
        payload=message.data,
        headers={name: [value] for name, value in told.items() if name not in _ADDED},
    )

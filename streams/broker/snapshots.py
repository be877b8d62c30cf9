"""
Takes a stream out of the server as one piece, and brings it back: JetStream's snapshots.

Memory is bounded by the window that the server is given. Only silence ends it, however long it
takes: hundreds of gigabytes are as good as one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.core.errors import ApiRefused, BadBackup

JsonObject = dict[str, Any]

CHUNK = 128 * 1024
WINDOW = 4 * 1024 * 1024
# The server waits as long for us.
SILENCE_S = 15.0
LOOK_S = 0.5
# After its last chunk a restore may still have work on its disk.
END_S = 600.0
ENDED_WELL = "204"


async def take(
    client: Client,
    stream: str,
    *,
    begin: Callable[[JsonObject, JsonObject], None],
    write: Callable[[bytes], None],
) -> None:
    """
    Hand a stream and its consumers to `write`, chunk by chunk, in a thread of its own.

    Args:
        begin: Called once before, with the configuration and the state that are in the snapshot.

    Raises:
        ApiRefused: JetStream does not begin.
        BadBackup: It ended half-way, or something is missing. What was written is worth nothing.
        OSError, TimeoutError, nats.errors.Error: The link did not carry the request.
    """
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    sub = await client.subscribe(inbox, cb=arrived.put)
    try:
        body = {"deliver_subject": inbox, "chunk_size": CHUNK, "window_size": WINDOW}
        told = await _asked(client, f"$JS.API.STREAM.SNAPSHOT.{stream}", body)
        await asyncio.to_thread(begin, told["config"], told["state"])
        index = 0
        while (message := await _next(client, arrived)).data:
            index += 1
            if message.reply and _index(message.reply) != index:
                raise BadBackup("a part of the snapshot was lost on its way")
            await asyncio.to_thread(write, message.data)
            if message.reply:
                await client.publish(message.reply)
        _check_end(message)
    finally:
        with contextlib.suppress(nats.errors.Error):  # Closed meanwhile; so was the subscription.
            await sub.unsubscribe()


async def bring(
    client: Client,
    config: JsonObject,
    state: JsonObject,
    chunks: Iterator[bytes],
    *,
    begun: Callable[[], None],
) -> JsonObject:
    """
    Make a stream out of a snapshot; return JetStream's info of it.

    Args:
        chunks: Read in a thread of its own; none larger than the server takes.
        begun: Called once JetStream has agreed: from here on a part of the stream may be there.

    Raises:
        ApiRefused: JetStream does not begin. BadBackup: It refused a part, or the whole.
        OSError, TimeoutError, nats.errors.Error: The link did not carry it.
    """
    name = config["name"]
    told = await _asked(
        client, f"$JS.API.STREAM.RESTORE.{name}", {"config": config, "state": state}
    )
    begun()
    subject = told["deliver_subject"]
    while chunk := await asyncio.to_thread(next, chunks, b""):
        reply = await _request(client, subject, chunk, SILENCE_S)
        if reply.data:
            _refuse(reply.data)
    reply = await _request(client, subject, b"", END_S)
    return _refuse(reply.data)


async def _request(client: Client, subject: str, payload: bytes, within_s: float) -> Msg:
    """Ask, and look now and then whether anybody can still answer."""
    asking = asyncio.ensure_future(client.request(subject, payload, timeout=within_s))
    try:
        while not (await asyncio.wait({asking}, timeout=LOOK_S))[0]:
            _check_connected(client)
        return asking.result()
    finally:
        asking.cancel()


async def _asked(client: Client, subject: str, body: JsonObject) -> JsonObject:
    reply = await client.request(subject, msgspec.json.encode(body), timeout=SILENCE_S)
    answer: JsonObject = msgspec.json.decode(reply.data)
    if error := answer.get("error"):
        raise ApiRefused(error.get("err_code", 0), error.get("description", "refused"))
    return answer


async def _next(client: Client, arrived: asyncio.Queue[Msg]) -> Msg:
    waited_s = 0.0
    while waited_s < SILENCE_S:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(arrived.get(), LOOK_S)
        waited_s += LOOK_S
        _check_connected(client)
    raise BadBackup(f"NATS sent nothing for {SILENCE_S:g} s")


def _check_connected(client: Client) -> None:
    # The server drops a snapshot with its connection, so it is of no use to wait for the next.
    if not client.is_connected:
        raise BadBackup("the link to NATS was lost half-way")


def _index(reply: str) -> int:
    # …{size}.{index}
    last = reply.rpartition(".")[2]
    return int(last) if last.isdigit() else -1


def _check_end(message: Msg) -> None:
    told = message.headers or {}
    # A snapshot that fits into its first chunk ends without a status.
    if told.get("Status", ENDED_WELL) != ENDED_WELL:
        raise BadBackup(f"NATS ended the snapshot: {told.get('Description') or told['Status']}")


def _refuse(data: bytes) -> JsonObject:
    answer: JsonObject = msgspec.json.decode(data)
    if error := answer.get("error"):
        raise BadBackup(f"NATS refused the backup: {error.get('description', 'no reason given')}")
    return answer

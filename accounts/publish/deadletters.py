"""
Takes dead letters off RabbitMQ: events that their consumers refused for good.

Whatever stands in one was written by others or went through their hands, so nothing in it is
believed: what cannot be read is left empty, and the letter is kept all the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pika
from msgspec import Struct
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from accounts.core.errors import BrokerAway
from accounts.publish.loop import parameters
from accounts.publish.topology import NOT_FOUND, Topology

Default = TypeVar("Default", int, None)

HEARTBEAT_S = 5
MOST_NUMBER = 2**63 - 1
# As long as the texts are kept.
LONGEST_TEXT = 64


class DeadLetter(Struct, frozen=True, kw_only=True):
    """
    One event that died. `account_id` is the account's public id.

    `reason` is RabbitMQ's word: rejected, delivery_limit, expired or maxlen. `deaths` counts them.
    """

    message_id: str
    routing_key: str
    payload: bytes
    account_id: str = ""
    server: str = ""
    login: str = ""
    kind: str = ""
    number: int | None = None
    reason: str = ""
    deaths: int = 1


def collect(
    url: str,
    limit: int,
    keep: Callable[[Sequence[DeadLetter]], None],
    *,
    topology: Topology = Topology(),  # noqa: B008  frozen
) -> int:
    """
    Hand the oldest dead letters to `keep`, take them off the queue, and return how many.

    `keep` must have stored them for good when it returns. Should this process end before the broker
    hears of it, they come again, under the same message ids.

    Raises:
        BadAddress: The URL is none that pika understands.
        BrokerAway: Not reachable; what `keep` has stored comes again.
    """
    with _channel(url) as channel:
        letters, last = _taken(channel, topology.dead, limit)
        if letters:
            keep(letters)
            channel.basic_ack(last, multiple=True)
        return len(letters)


def dead_letter(
    routing_key: str | None,
    message_id: str | None,
    headers: Mapping[str, Any] | None,
    payload: bytes,
) -> DeadLetter:
    """Return what can be read of a message; never fails."""
    told = dict(headers or {})
    written = _written(payload)
    deaths = told.get("x-death")
    deaths = [d for d in deaths if isinstance(d, dict)] if isinstance(deaths, list) else []
    number = told.get("number", written.get("number"))
    return DeadLetter(
        message_id=_text(message_id),
        routing_key=routing_key or "",
        payload=payload,
        account_id=_uuid(written.get("accountId")),
        server=_text(told.get("server", written.get("server"))),
        login=_text(told.get("login", written.get("login"))),
        kind=_text(told.get("kind", written.get("kind"))),
        number=_count(number, None),
        # The latest comes first.
        reason=_text(deaths[0].get("reason")) if deaths else "",
        deaths=sum(_count(death.get("count"), 0) for death in deaths) or 1,
    )


@contextlib.contextmanager
def _channel(url: str) -> Iterator[BlockingChannel]:
    asked = parameters(url)
    asked.heartbeat = HEARTBEAT_S
    try:
        connection = pika.BlockingConnection(asked)
    except (AMQPError, OSError) as e:
        raise BrokerAway(f"RabbitMQ cannot be reached: {type(e).__name__}") from e
    try:
        yield connection.channel()
    except AMQPError as e:
        raise BrokerAway(f"RabbitMQ's link was lost: {type(e).__name__}") from e
    finally:
        # What was not acknowledged goes back to the queue.
        with contextlib.suppress(AMQPError):
            connection.close()


def _taken(channel: BlockingChannel, queue: str, limit: int) -> tuple[list[DeadLetter], int]:
    letters: list[DeadLetter] = []
    last = 0
    while len(letters) < limit:
        try:
            method, properties, body = channel.basic_get(queue)
        except ChannelClosedByBroker as e:
            if e.reply_code == NOT_FOUND:
                return [], 0  # Nobody has published yet, so nothing died.
            raise
        if method is None or properties is None or body is None:
            break
        last = method.delivery_tag or last
        letters.append(
            dead_letter(method.routing_key, properties.message_id, properties.headers, body)
        )
    return letters, last


def _written(payload: bytes) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _uuid(value: object) -> str:
    try:
        return str(UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _text(value: object) -> str:
    # No database of ours keeps a NUL in a text.
    return str(value).replace("\0", "")[:LONGEST_TEXT] if isinstance(value, str | int) else ""


def _count(value: object, otherwise: Default) -> int | Default:
    # pika reads a long number as a subclass of int.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_NUMBER:
        return int(value)
    return otherwise

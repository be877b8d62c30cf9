"""JetStream's API over a connection of one's own: raw JSON in, raw JSON out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client

from streams.core.errors import ApiRefused, BrokerAway

JsonObject = dict[str, Any]

CALL_S = 5.0


def prefix(domain: str = "") -> str:
    """Return where the API of a JetStream domain is asked; without one, that of the account."""
    return f"$JS.{domain}.API" if domain else "$JS.API"


async def call(
    client: Client,
    verb: str,
    body: Mapping[str, Any] | None = None,
    *,
    domain: str = "",
    within_s: float = CALL_S,
) -> JsonObject:
    """
    Call for example `CONSUMER.INFO.MARKET_DATA.reader`; return the answer as it is.

    Raises:
        BrokerAway: No answer in time, JetStream is off, or the user may not ask this.
        ApiRefused: JetStream answered with an error.
    """
    payload = msgspec.json.encode(body) if body is not None else b""
    try:
        reply = await client.request(f"{prefix(domain)}.{verb}", payload, timeout=within_s)
        end_if_cancelled()
        answer: JsonObject = msgspec.json.decode(reply.data)
    except nats.errors.NoRespondersError as e:
        raise BrokerAway("nobody answers: is JetStream on?") from e
    except (OSError, TimeoutError, nats.errors.Error) as e:
        raise BrokerAway(f"{verb}: no answer: {str(e) or type(e).__name__}") from e
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise BrokerAway(f"{verb}: what answers is not JetStream") from e
    if error := answer.get("error"):
        raise ApiRefused(error.get("err_code", 0), error.get("description", "refused"))
    return answer


def end_if_cancelled() -> None:
    """nats-py swallows a cancellation that meets it while it writes."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def refuse_closed(client: Client) -> None:
    """
    Raises:
        BrokerAway: The connection was closed for good, for example by a wrong password.
    """
    if client.is_closed:
        raise BrokerAway(f"the connection to NATS was closed: {client.last_error}")

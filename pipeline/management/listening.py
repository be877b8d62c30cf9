"""Listens on NATS for a while, as any consumer would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import nats.errors
from nats.aio.msg import Msg

from pipeline.core.tally import Tally
from streams.broker.connect import connect
from streams.core.errors import BrokerAway

CONNECT_S = 5.0
FLUSH_S = 5
# How often is told how far it is.
STEP_S = 0.25
MAX_PENDING_BYTES = 64 * 1024 * 1024


def listen(
    *, url: str, patterns: Iterable[str], seconds: float, tally: Tally,
    tell: Callable[[float], None],
) -> int:  # fmt: skip
    """
    Give the tally all that is published under these patterns from now on; return how often the
    link was lost meanwhile.

    Args:
        tell: Called several times a second with the seconds that have passed.

    Raises:
        BrokerAway: NATS cannot be reached, or not any more.
    """
    return asyncio.run(_listen(url, patterns, seconds, tally, tell))


async def _listen(
    url: str,
    patterns: Iterable[str],
    seconds: float,
    tally: Tally,
    tell: Callable[[float], None],
) -> int:
    losses = 0

    async def lost() -> None:
        nonlocal losses
        losses += not client.is_closed

    async def heard(message: Msg) -> None:
        tally.take(message.subject, message.data)

    client = await connect(url, name="verify", patience_s=CONNECT_S, on_disconnect=lost)
    try:
        for pattern in patterns:
            await client.subscribe(pattern, cb=heard, pending_bytes_limit=MAX_PENDING_BYTES)
        await client.flush(timeout=FLUSH_S)
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds:
            tell(passed_s)
            await asyncio.sleep(min(STEP_S, seconds - passed_s))
        tell(seconds)
    except (OSError, nats.errors.Error) as e:
        raise BrokerAway(f"NATS did not answer: {str(e) or type(e).__name__}") from e
    finally:
        await client.close()
    return losses

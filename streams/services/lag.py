"""How far consumers are, and their being paused, resumed and set back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Refreshed:
    """How many rows of consumers were refreshed; `missing` ones are not in NATS."""

    seen: int
    missing: int
    failed: tuple[tuple[str, str], ...] = ()


def refresh_consumers(*, now: datetime) -> Refreshed:
    """
    Write JetStream's counts into the rows of declared consumers: one call per 256 of a stream.

    Raises:
        BrokerAway: NATS cannot be asked at all. A stream that fails alone is in `failed`.
    """
    raise NotImplementedError


def pause(*, stream: str, consumer: str, until: datetime, actor: str, now: datetime) -> datetime:
    """
    Let a consumer deliver nothing until then; return until when it is paused.

    Raises:
        Guarded: It is not declared, or its policy is "observe".
        BadDefinition: `until` is not in the future.
        BrokerAway, ApiRefused: See `Link.api`.
    """
    raise NotImplementedError


def resume(*, stream: str, consumer: str, actor: str) -> None:
    """
    Let a paused consumer deliver again.

    Raises:
        As `pause`.
    """
    raise NotImplementedError


def reset(
    *, stream: str, consumer: str, typed_name: str, actor: str, seq: int | None = None
) -> int:
    """
    Set a consumer's position; return the sequence it goes on from.

    Args:
        seq: The next message it gets; without it, the one after its acknowledged ones.

    Raises:
        Unconfirmed: `typed_name` is not the consumer's.
        Guarded: As `pause`, and "protect".
        BadDefinition, BrokerAway, ApiRefused: As `pause`; older servers than 2.14 refuse.
    """
    raise NotImplementedError

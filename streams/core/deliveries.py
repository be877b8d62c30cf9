"""
What JetStream says of one delivery, in the subject that acknowledges it, and of a request's end.

    $JS.ACK.{stream}.{consumer}.{deliveries}.{stream seq}.{consumer seq}.{time}.{pending}
    $JS.ACK.{domain}.{account}.{stream}.{consumer}.{...the same}[.{anything}]

Servers up to 2.15 send the former; the latter is announced, with `_` where there is no domain.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from streams.core.errors import BadSubject

PREFIX = "$JS.ACK."
SHORT, LONG = 9, 11

# What a worker says of a message. A delay is in nanoseconds, as JSON.
ACK = "+ACK"
NAK = "-NAK"
IN_PROGRESS = "+WPI"
TERM = "+TERM"

REASON_CHARACTERS = 200


class Told(enum.Enum):
    """
    What a status message means for the requests.

    * alive: an idle heartbeat; the request stands
    * over: this request has ended, as requests do; ask again
    * unsure: this request has ended because something changes; look at the consumer first
    * gone: somebody deleted the consumer
    * refused: asking again cannot help
    """

    ALIVE = "alive"
    OVER = "over"
    UNSURE = "unsure"
    GONE = "gone"
    REFUSED = "refused"


@dataclass(frozen=True)
class Place:
    """
    Where a message stands.

    Attributes:
        deliveries: How often it has been delivered, this time included; 1 means never before.
        stored_ns: When the stream stored it, UTC.
        pending: How many messages waited for the consumer behind it.
    """

    stream: str
    consumer: str
    deliveries: int
    stream_seq: int
    consumer_seq: int
    stored_ns: int
    pending: int


def place(reply: str) -> Place:
    """
    Return what the subject that acknowledges a message tells of it.

    Raises:
        BadSubject: It is none.
    """
    parts = reply.split(".")
    if not reply.startswith(PREFIX) or (len(parts) != SHORT and len(parts) < LONG):
        raise BadSubject(f"{reply!r} acknowledges no message")
    first = 2 if len(parts) == SHORT else 4
    try:
        numbers = [int(part) for part in parts[first + 2 : first + 7]]
    except ValueError as e:
        raise BadSubject(f"{reply!r} acknowledges no message") from e
    return Place(parts[first], parts[first + 1], *numbers)


def first_time(reply: str) -> str:
    """Return how the subjects begin that acknowledge a first delivery by the same consumer."""
    parts = reply.split(".")
    return ".".join([*parts[: 4 if len(parts) == SHORT else 6], "1", ""])


def given_back(delay_s: float = 0.0) -> str:
    """Return the word that gives a message back, to come again no earlier than after the delay."""
    return f'{NAK} {{"delay": {round(delay_s * 1e9)}}}' if delay_s > 0 else NAK


def terminated(reason: str = "") -> str:
    """Return the word that says that a message shall never come again."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
    return f"{TERM} {shown[:REASON_CHARACTERS]}" if shown else TERM


def told(status: str, description: str) -> Told:
    """Return what the status of a message without a body means."""
    if status == "409":
        return _conflict(description.lower())
    return {
        "100": Told.ALIVE,
        "404": Told.OVER,
        "408": Told.OVER,
        "400": Told.REFUSED,
        "423": Told.REFUSED,  # Another client is pinned; we do not ask for priority groups.
    }.get(status, Told.UNSURE)


def _conflict(description: str) -> Told:
    if "consumer deleted" in description:
        return Told.GONE
    if "push based" in description:
        return Told.REFUSED
    if "batch completed" in description or "maxbytes" in description:
        return Told.OVER
    # A new leader, a server that stops, limits that somebody has lowered.
    return Told.UNSURE

"""What a broker looks like to whoever publishes accounts: messages in, one answer for each out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from accounts.core.errors import BrokerAway
from accounts.core.events import Event
from accounts.core.messages import Message

# One line for each publish, as the contract asks; its level is set apart from all others.
logger = logging.getLogger("accounts.publish")


class Counts(Struct, frozen=True):
    """
    What became of messages and events, in this process and since it began.

    returned: the broker had nowhere to put it. nacked: the broker refused it. unknown: sent, and
    the link broke or the deadline passed before an answer. shed: never sent.
    """

    confirmed: int = 0
    returned: int = 0
    nacked: int = 0
    unknown: int = 0
    shed: int = 0

    def __add__(self, other: Counts) -> Counts:
        names = self.__struct_fields__
        return Counts(*(getattr(self, name) + getattr(other, name) for name in names))


class Outlet(Protocol):
    """A broker. Safe to use from several threads; what was open before a fork stays behind."""

    @property
    def name(self) -> str: ...

    def lost_at(self) -> datetime | None:
        """Return when an established link was last lost, or None when it never was."""
        ...

    def check(self, within_s: float) -> None:
        """
        Return when `publish` has a chance.

        Raises:
            PublishError: It has none now, and why.
        """
        ...

    def publish(self, messages: Sequence[Message], within_s: float) -> list[str]:
        """
        Return, for each message, "" once the broker has confirmed it, or why it has not.

        Raises:
            PublishError: None was confirmed; some may have arrived.
        """
        ...

    def publish_events(self, events: Sequence[Event], within_s: float) -> list[str]:
        """As `publish`, for what must arrive: whatever is not confirmed is sent again, as it is."""
        ...

    def counts(self) -> Counts: ...

    def warning(self) -> str:
        """Return what a person should mend although messages flow, or ""."""
        ...


class Backoff:
    """
    Retries that keep no tick waiting: after a failure a later tick tries again, not this one.

    The contract waits 1, 2 and 4 s between the tries of one message. We wait as long between two
    tries, but send what is true by then, and go on every 4 s until the broker takes it.
    """

    WAITS_S = (1.0, 2.0, 4.0)

    def __init__(self) -> None:
        self._failures = 0
        self._again_at = 0.0
        self._reason = ""

    def check(self) -> None:
        """
        Raises:
            BrokerAway: The last try failed and the next is not due.
        """
        if self._failures and time.monotonic() < self._again_at:
            raise BrokerAway(self._reason)

    def worked(self) -> None:
        self._failures = 0

    def failed(self, reason: str) -> None:
        wait_s = self.WAITS_S[min(self._failures, len(self.WAITS_S) - 1)]
        # Less a little, so that the tick at that second finds it due.
        self._again_at = time.monotonic() + wait_s - 0.1
        self._failures += 1
        self._reason = reason


def log_confirmed(outlet: str, messages: Sequence[Message]) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    for message in messages:
        logger.info("%s: %s published to %s", message.account, message.kind, outlet)
        logger.debug(
            "%s: %s seq %d has %d bytes",
            message.account, message.kind, message.seq, len(message.payload),
        )  # fmt: skip


def log_confirmed_events(outlet: str, events: Sequence[Event]) -> None:
    for event in events:
        logger.info("%s/%s: %s published to %s", event.server, event.login, event.kind, outlet)
        logger.debug(
            "%s/%s: %s number %d has %d bytes",
            event.server, event.login, event.kind, event.number, len(event.payload),
        )  # fmt: skip

"""What a broker looks like to whoever publishes accounts: messages in, one answer for each out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from accounts.core.errors import BrokerAway
from accounts.core.messages import Message

# One line for each publish, as the contract asks; its level is set apart from all others.
logger = logging.getLogger("accounts.publish")


class Outlet(Protocol):
    """A broker. Safe to use from several threads and in a process that forked."""

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
    for message in messages:
        logger.info("%s: %s published to %s", message.account, message.kind, outlet)
        logger.debug(
            "%s: %s seq %d has %d bytes",
            message.account, message.kind, message.seq, len(message.payload),
        )  # fmt: skip

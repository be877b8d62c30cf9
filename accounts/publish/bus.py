"""Account messages on NATS: one message each, under account.{server}.{login}.{type}."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from accounts.core.errors import BrokerAway
from accounts.core.messages import Message
from accounts.publish.outlet import Backoff, log_confirmed
from streams.broker.link import Link
from streams.core import subjects
from streams.core.errors import BrokerError


class Bus:
    """An `Outlet`. Confirmed means that the server has read every message."""

    name = "nats"

    def __init__(self, link: Link) -> None:
        self._link = link
        self._backoff = Backoff()

    def lost_at(self) -> datetime | None:
        # The server holds nothing of ours that a broken link could lose unseen: a message that it
        # has not read fails the publish, and that alone makes a snapshot due.
        return None

    def check(self, within_s: float) -> None:
        self._backoff.check()
        self.publish([], within_s)

    def publish(self, messages: Sequence[Message], within_s: float) -> list[str]:
        # One that the server would not take must not hold up those of other accounts.
        limit = self._link.max_payload
        fitting = [m for m in messages if len(m.payload) <= limit]
        addressed = [(subjects.account(m.server, m.login, m.kind), m.payload) for m in fitting]
        try:
            self._link.publish(addressed, within_s=within_s)
        except BrokerError as e:
            self._backoff.failed(str(e))
            raise BrokerAway(str(e)) from e
        self._backoff.worked()
        log_confirmed(self.name, fitting)
        return [
            "" if len(m.payload) <= limit else f"{len(m.payload)} bytes, NATS takes {limit}"
            for m in messages
        ]

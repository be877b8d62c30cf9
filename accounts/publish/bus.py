"""
Account messages on NATS: one message each, under account.{server}.{login}.{type}.

Events go under the subject that they name, or under account.{server}.{login}.event.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from accounts.core.errors import BrokerAway
from accounts.core.events import Event
from accounts.core.messages import Message
from accounts.publish.outlet import Backoff, Counts, log_confirmed, log_confirmed_events
from streams.broker.link import Link
from streams.core import subjects
from streams.core.errors import BrokerError


class Bus:
    """An `Outlet`. Confirmed means that the server has read every message."""

    name = "nats"

    def __init__(self, link: Link) -> None:
        self._link = link
        self._backoff = Backoff()
        self._lock = threading.Lock()
        self._counts = Counts()

    def lost_at(self) -> datetime | None:
        # The server holds nothing of ours that a broken link could lose unseen: a message that it
        # has not read fails the publish, and that alone makes a snapshot due.
        return None

    def check(self, within_s: float) -> None:
        self._backoff.check()
        self._send([], within_s)

    def publish(self, messages: Sequence[Message], within_s: float) -> list[str]:
        addressed = [(subjects.account(m.server, m.login, m.kind), m.payload) for m in messages]
        answers = self._send(addressed, within_s)
        log_confirmed(
            self.name, [m for m, answer in zip(messages, answers, strict=True) if not answer]
        )
        return answers

    def publish_events(self, events: Sequence[Event], within_s: float) -> list[str]:
        addressed = [
            (e.subject or subjects.account(e.server, e.login, "event"), e.payload) for e in events
        ]
        answers = self._send(addressed, within_s)
        log_confirmed_events(
            self.name, [e for e, answer in zip(events, answers, strict=True) if not answer]
        )
        return answers

    def counts(self) -> Counts:
        return self._counts

    def warning(self) -> str:
        return ""

    def _send(self, addressed: Sequence[tuple[str, bytes]], within_s: float) -> list[str]:
        # One that the server would not take must not hold up those of other accounts.
        limit = self._link.max_payload
        fitting = [(subject, payload) for subject, payload in addressed if len(payload) <= limit]
        refused = len(addressed) - len(fitting)
        try:
            self._link.publish(fitting, within_s=within_s)
        except BrokerError as e:
            self._backoff.failed(str(e))
            # The link does not say how far it came.
            self._count(unknown=len(fitting), shed=refused)
            raise BrokerAway(str(e)) from e
        self._backoff.worked()
        self._count(confirmed=len(fitting), shed=refused)
        return [
            "" if len(payload) <= limit else f"{len(payload)} bytes, NATS takes {limit}"
            for _, payload in addressed
        ]

    def _count(self, *, confirmed: int = 0, unknown: int = 0, shed: int = 0) -> None:
        with self._lock:
            held = self._counts
            self._counts = Counts(
                confirmed=held.confirmed + confirmed,
                unknown=held.unknown + unknown,
                shed=held.shed + shed,
            )

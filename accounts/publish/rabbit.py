"""
Account messages and events on RabbitMQ: state in batches to `socket_data`, events one by one to
`account_events`.

The connections live on threads of their own, so that heartbeats are answered while nobody publishes
and so that a broker which does not answer costs a caller its deadline and no more. They are made on
first use, and belong to the process that made them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from accounts.core.batch import MOST_MESSAGES, Batch, batches
from accounts.core.errors import BrokerAway, PublisherForked, PublishError
from accounts.core.events import Event
from accounts.core.messages import Message
from accounts.publish.loop import WATCH_S, Loop
from accounts.publish.outlet import Backoff, Counts, log_confirmed, log_confirmed_events
from accounts.publish.topology import Topology, event_key, state_key
from accounts.publish.window import Parcel, said_by_broker


class _Links(NamedTuple):
    state: Loop
    events: Loop


class Rabbit:
    """
    An `Outlet`.

    Args:
        url: amqp:// or amqps://; never logged, it holds a password.
        company: How many messages may travel as one.
        watch_s: How often the queues are looked for.
    """

    name = "rabbitmq"

    def __init__(
        self,
        url: str,
        *,
        topology: Topology = Topology(),  # noqa: B008  frozen
        company: int = MOST_MESSAGES,
        watch_s: float = WATCH_S,
    ) -> None:
        self._url = url
        self._topology = topology
        self._company = company
        self._watch_s = watch_s
        self._lock = threading.Lock()
        self._pid = 0
        self._links: _Links | None = None
        self._before = Counts()
        self._turned_away = 0
        self._state_backoff = Backoff()
        self._event_backoff = Backoff()

    def lost_at(self) -> datetime | None:
        links = self._open_links()
        # Events are owed until they are confirmed; only state can be lost after that.
        return links.state.lost_at if links else None

    def counts(self) -> Counts:
        if not self._is_ours():
            return Counts()
        held, links = self._before, self._links
        if links:
            held = held + links.state.counts() + links.events.counts()
        return replace(held, shed=held.shed + self._turned_away)

    def warning(self) -> str:
        links = self._open_links()
        return "; ".join(filter(None, (link.warning for link in links))) if links else ""

    def check(self, within_s: float) -> None:
        """
        Look at the link of state; that of events speaks for itself when it is used.

        Raises:
            BadAddress: The URL is none that pika understands.
            BrokerAway: Not connected, blocked, or the last try failed a moment ago.
            PublisherForked: It was open when this process forked.
        """
        links = self._own_links()
        self._state_backoff.check()
        links.state.check(within_s)

    def publish(self, messages: Sequence[Message], within_s: float) -> list[str]:
        """
        Publish in batches; see `Outlet`. Never takes longer than `within_s`.

        Raises:
            BadAddress, PublisherForked: As `check`.
            BrokerAway: As `check`, or not a single confirm in time.
        """
        own_batches = list(batches(messages, self._company))
        parcels = [_state(batch) for batch in own_batches]
        answers = self._publish(self._own_links().state, parcels, within_s)
        reasons: list[str] = []
        confirmed: list[Message] = []
        for batch, answer in zip(own_batches, answers, strict=True):
            reasons += [answer] * len(batch.messages)
            if not answer:
                confirmed += batch.messages
        log_confirmed(self.name, confirmed)
        if reasons and all(reasons):
            self._state_backoff.failed(reasons[0])
            raise BrokerAway(reasons[0])
        self._state_backoff.worked()
        return reasons

    def publish_events(self, events: Sequence[Event], within_s: float) -> list[str]:
        """
        Publish each event as a message of its own, in order; see `Outlet`.

        A full queue of events is no reason to hold back state: only the caller learns of it.

        Raises:
            BadAddress, PublisherForked: As `check`.
            BrokerAway: Not connected, blocked, or the last try was not answered; nothing was sent.
        """
        parcels = [_event(event) for event in events]
        links = self._own_links()
        try:
            links.events.check(within_s)
            # Whoever waits for a queue that answers nothing is not joined by all the others.
            self._event_backoff.check()
        except BrokerAway:
            self._turn_away(parcels)
            raise
        answers = self._publish(links.events, parcels, within_s)
        if any(said_by_broker(answer) for answer in answers):
            self._event_backoff.worked()
        elif answers:
            self._event_backoff.failed(answers[0])
        log_confirmed_events(
            self.name, [e for e, answer in zip(events, answers, strict=True) if not answer]
        )
        return answers

    def close(self) -> None:
        """End the links. In a child of the process that opened them: forget them, and no more."""
        if not self._is_ours():
            self._links, self._pid = None, 0
            return
        with self._lock:
            links, self._links, self._pid = self._links, None, 0
        for link in links or ():
            link.close()
            self._before += link.counts()

    def _publish(self, link: Loop, parcels: Sequence[Parcel], within_s: float) -> list[str]:
        try:
            return link.publish(parcels, within_s)
        except PublishError:
            self._turn_away(parcels)
            raise

    def _turn_away(self, parcels: Sequence[Parcel]) -> None:
        with self._lock:
            self._turned_away += sum(parcel.letters for parcel in parcels)

    def _is_ours(self) -> bool:
        return self._pid in (0, os.getpid())

    def _open_links(self) -> _Links | None:
        return self._links if self._is_ours() else None

    def _own_links(self) -> _Links:
        # Before the lock: a thread that held it at the fork does not exist here.
        if not self._is_ours():
            raise PublisherForked("the publisher was open when this process forked")
        with self._lock:
            if self._links is None:
                exchange, parts = self._topology.exchange, self._topology
                self._pid = os.getpid()
                self._links = _Links(
                    Loop(self._url, exchange, parts.state(), watch_s=self._watch_s),
                    Loop(self._url, exchange, parts.events(), watch_s=self._watch_s),
                )
            return self._links


def _state(batch: Batch) -> Parcel:
    return Parcel(batch.id, state_key(batch.shard), batch.payload, len(batch.messages))


def _event(event: Event) -> Parcel:
    headers = {
        "kind": event.kind,
        "number": event.number,
        "server": event.server,
        "login": event.login,
    }
    return Parcel(event.id, event_key(event.kind, event.shard), event.payload, headers=headers)

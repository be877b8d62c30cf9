"""Requests for messages that stand at the server, so that it never waits for us."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.broker.counterpart import Counterpart
from streams.broker.deliveries import written
from streams.broker.held import Held
from streams.broker.stopping import Stop
from streams.core import deliveries
from streams.core.agreement import Agreement
from streams.core.deliveries import Told

logger = logging.getLogger(__name__)


class Requests:
    """
    Two of many messages each are always under way, as far as there is room for what they bring.

    Attributes:
        inbox: What comes, comes to subjects below it.
        wanted: Messages asked for and not come yet.
        news: How much has come, heartbeats included. Who reads the inbox counts it, and `wanted`.
        paused: Nothing more is asked for.
        doubt: Why the consumer is to be looked at before it is asked again; empty, when it is not.
        refusal: Why asking again cannot help; empty, when it can.
        deleted: Somebody deleted the consumer.
        made, silences, links: See `ConsumeCounters`.
    """

    def __init__(  # noqa: PLR0913
        self,
        client: Client,
        counterpart: Counterpart,
        *,
        agreement: Agreement,
        held: Held,
        max_bytes: int,
        stop: Stop,
    ) -> None:
        self.inbox = client.new_inbox()
        self.wanted = self.news = 0
        self.paused = self.deleted = False
        self.doubt = self.refusal = ""
        self.made = self.silences = self.links = 0
        self._client = client
        self._counterpart = counterpart
        self._agreement = agreement
        self._held = held
        self._max_bytes = max_bytes
        self._stop = stop
        # None yet: nothing is asked for before `look_at_link`.
        self._link = -1
        # Statuses of requests of an earlier time mean nothing any more.
        self._time = 0
        self._heard = (-1, 0.0)

    def ask(self) -> None:
        """Keep two requests under way, as far as there is room for what they bring."""
        batch = self._agreement.batch
        while self.wanted <= batch and self._may_ask():
            room = self._agreement.outstanding - len(self._held.deliveries) - self.wanted
            if room < batch and (self.wanted or room <= 0):
                return
            count = min(room, batch)
            if not self._write(count):
                return
            self.wanted += count

    def look_at_link(self) -> None:
        """Ask anew on a new link: requests end with theirs, and nobody says so."""
        if self._link == self._client.stats["reconnects"]:
            return
        if self._link >= 0:
            self.links += 1
            # A server that has been started again may have lost a consumer kept in memory.
            self.doubt = "a new link"
        self._link = self._client.stats["reconnects"]
        self.forget()

    def forget(self) -> None:
        """Count on no request any more."""
        self._time += 1
        self.wanted = 0
        self._heard = (-1, 0.0)

    def are_silent(self) -> bool:
        """Return whether heartbeats of requests that stand have stayed out; then forget them."""
        now_s = asyncio.get_running_loop().time()
        if not self.wanted or self._heard[0] != self.news:
            self._heard = (self.news, now_s)
            return False
        if now_s - self._heard[1] < self._agreement.silence_s:
            return False
        self.silences += 1
        self.doubt = "no heartbeat"
        name, stream = self._counterpart.name, self._counterpart.stream
        logger.warning("consumer %s of %s: no heartbeat", name, stream)
        self.forget()
        return True

    def note_status(self, msg: Msg) -> None:
        """Take what the server says of a request."""
        headers = msg.headers or {}
        time, _, _ = msg.subject.removeprefix(f"{self.inbox}.").partition(".")
        if time != str(self._time):
            return
        description = headers.get("Description", "")
        told = deliveries.told(headers.get("Status", ""), description)
        if told is Told.ALIVE:
            return
        left = headers.get("Nats-Pending-Messages", "")
        lost = int(left) if left.isdigit() else self._agreement.batch
        self.wanted = max(0, self.wanted - lost)
        match told:
            case Told.OVER:
                self.ask()
            case Told.UNSURE:
                self.doubt = description or "nobody serves it"
                self._stop.stir()
            case Told.GONE:
                self.doubt, self.deleted = description, True
                self._stop.stir()
            case Told.REFUSED:
                self.doubt = self.refusal = description or "refused"
                self._stop.stir()

    def _may_ask(self) -> bool:
        return (
            not (self._stop.asked or self.paused or self.doubt)
            and self._held.size < self._max_bytes
            and self._link == self._client.stats["reconnects"]
        )

    def _write(self, count: int) -> bool:
        self.made += 1
        agreement = self._agreement
        body = msgspec.json.encode(
            {
                "batch": count,
                "expires": agreement.expires_ns,
                "idle_heartbeat": agreement.heartbeat_ns,
            }
        )
        request = b"PUB %b %b.%d.%d %d\r\n%b\r\n" % (
            self._counterpart.next_subject().encode(), self.inbox.encode(), self._time, self.made,
            len(body), body,
        )  # fmt: skip
        return written(self._client, request)

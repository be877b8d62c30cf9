"""
Messages out of JetStream, and word back of what became of them.

A pull consumer (`counterpart`) whose messages come to an inbox (`inbox`): two requests for many
are always under way (`requests`), so that the server never waits for us. The handler is called in
the reader's own turn (`handler`), and what is said of messages goes back joined (`settling`). No
task, no queue and no copy is made for a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Mapping
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from streams.broker.counterpart import BACKOFF_CAP_S, BACKOFF_S, CALL_S, Counterpart
from streams.broker.deliveries import Answers, Delivery
from streams.broker.handler import Handler, OnMessage, OnMessages
from streams.broker.held import Held
from streams.broker.inbox import TICK_S, Inbox
from streams.broker.jetstream import refuse_closed
from streams.broker.requests import Requests
from streams.broker.settling import Settling
from streams.broker.stopping import STOP_S, Stop, Stopped
from streams.core import deliveries
from streams.core.agreement import Agreement, Limits
from streams.core.counters import ConsumeCounters
from streams.core.errors import ApiRefused, BadDefinition, BrokerAway, ConsumerGone

__all__ = ["Consumer", "Limits", "OnMessage", "OnMessages"]

logger = logging.getLogger(__name__)


class Consumer:
    """
    One consumer of one stream. `run` must be running; it ends by `stop`, or raises.

    With `on_message`, each message is handed over as it is read, by a plain call: a handler that
    takes its time holds up the connection. With `on_messages`, many at a time are awaited, one
    batch after the other, and the next come in meanwhile.

    When the handler returns, what it did not settle itself is acknowledged; when it raises, that
    is given back. With `manual=True` nothing is settled but by the handler, now or later.
    """

    def __init__(  # noqa: PLR0913
        self,
        client: Client,
        *,
        stream: str,
        durable: str = "",
        config: Mapping[str, Any] | None = None,
        on_message: OnMessage | None = None,
        on_messages: OnMessages | None = None,
        manual: bool = False,
        recreate: bool | None = None,
        domain: str = "",
        limits: Limits | None = None,
    ) -> None:
        """
        Args:
            durable: The consumer's name. One that exists is used as it is.
            config: JetStream's own JSON, to make the consumer from when there is none. Without a
                name it is ephemeral: it ends with us.
            recreate: Whether to make it again, from where we are, when somebody has deleted it.
                Without an answer, an ephemeral one only.
            domain: The JetStream domain.

        Raises:
            BadDefinition: Not exactly one handler, neither name nor configuration, or limits that
                cannot be.
        """
        if (on_message is None) == (on_messages is None):
            raise BadDefinition("on_message", "give it, or on_messages, and not both")
        if not durable and config is None:
            raise BadDefinition("durable", "name a consumer, or give the config of one")
        limits = limits or Limits()
        limits.check()
        name = durable or str((config or {}).get("durable_name") or "")
        self._client = client
        self._stop = Stop()
        self._agreement = Agreement(limits)
        self._held = Held(remembers=not name if recreate is None else recreate)
        self._counterpart = Counterpart(
            client, stream=stream, name=name, config=config, domain=domain,
            agreement=self._agreement, held=self._held, stop=self._stop,
        )  # fmt: skip
        self._requests = Requests(
            client, self._counterpart, agreement=self._agreement, held=self._held,
            max_bytes=limits.max_bytes, stop=self._stop,
        )  # fmt: skip
        self._answers = Answers(client)
        self._settling = Settling(
            self._answers, agreement=self._agreement, held=self._held, requests=self._requests
        )
        self._handler = Handler(
            on_message, on_messages, manual=manual, counterpart=self._counterpart,
            agreement=self._agreement, held=self._held, settling=self._settling, stop=self._stop,
        )  # fmt: skip
        self._inbox = Inbox(client, self._stop)
        # How the subjects begin that acknowledge what comes for the first time.
        self._first = ""
        self._received = self._redelivered = 0
        self._doubts = self._received_then = 0
        self._began = False
        self._ended = asyncio.Event()

    @property
    def name(self) -> str:
        """The consumer's name; of an ephemeral one, empty until it is made."""
        return self._counterpart.name

    def counters(self) -> ConsumeCounters:
        return ConsumeCounters(
            received=self._received,
            redelivered=self._redelivered,
            acknowledged=self._settling.acknowledged,
            returned=self._settling.returned,
            terminated=self._settling.terminated,
            failed=self._handler.failed,
            held=len(self._held.deliveries),
            held_bytes=self._held.size,
            wanted=self._requests.wanted,
            unsent=len(self._answers),
            requests=self._requests.made,
            silences=self._requests.silences,
            links=self._requests.links,
            recreated=self._counterpart.recreated,
        )

    def pause(self) -> None:
        """Ask for nothing more; what is asked for still comes."""
        self._requests.paused = True

    def resume(self) -> None:
        self._requests.paused = False
        self._requests.ask()

    async def run(self) -> None:
        """
        Receive until stopped or cancelled.

        Raises:
            ConsumerGone: There is no such consumer or stream, or somebody deleted it.
            BadDefinition: The consumer is none that can be pulled from, or not as `config` says.
            ApiRefused: JetStream refuses to make the consumer, or to serve our requests.
            BrokerAway: The connection was closed for good, for example by a wrong password.
        """
        working: asyncio.Task[None] | None = None
        self._began = True
        try:
            if self._stop.asked:
                return
            await self._counterpart.find()
            await self._inbox.listen(f"{self._requests.inbox}.>", self._take)
            working = self._handler.started()
            with contextlib.suppress(Stopped):
                await self._keep_asking()
            # What the server has sent is still read, and given back.
            await self._inbox.drain(CALL_S)
            await self._handler.finish(working)
            await self._leave()
        except Stopped:
            return  # There was no consumer yet.
        finally:
            if working is not None:
                working.cancel()
            await self._inbox.close()
            self._answers.write()
            self._ended.set()

    async def stop(self, within_s: float = STOP_S, *, give_back: bool = True) -> None:
        """
        End `run` in order: what is done is acknowledged, the rest is given back. One that has not
        begun will not.

        Args:
            within_s: How long the handler may take for what it holds.
            give_back: Otherwise the rest comes again when its time to be acknowledged is over.
        """
        self._stop.ask(within_s, give_back=give_back)
        self._handler.wake()
        if self._began:
            await self._ended.wait()

    def _take(self, msg: Msg) -> None:
        """Take what the client has read. Must not raise."""
        try:
            requests = self._requests
            requests.news += 1
            if not msg.reply:
                requests.note_status(msg)
                return
            self._received += 1
            if requests.wanted:
                requests.wanted -= 1
            if not msg.reply.startswith(self._first or self._learn(msg.reply)):
                self._redelivered += 1
            self._handler.hand(Delivery(msg, self._settling))
            if requests.wanted <= self._agreement.batch:
                requests.ask()
        except Exception:
            # A bug here must not end the client's reading, and with it the connection.
            logger.exception("consumer %s of %s", self.name, self._counterpart.stream)

    def _learn(self, reply: str) -> str:
        self._first = deliveries.first_time(reply)
        return self._first

    async def _keep_asking(self) -> None:
        while not self._stop.asked:
            refuse_closed(self._client)
            if not self._client.is_connected:
                await self._stop.pause(TICK_S)
                continue
            self._requests.look_at_link()
            if self._requests.doubt or self._requests.are_silent():
                await self._look_again()
            self._settling.tell()
            self._requests.ask()
            await self._stop.pause(TICK_S)

    async def _look_again(self) -> None:
        """
        Make sure that the consumer is there before it is asked again.

        Raises:
            ConsumerGone, BadDefinition, ApiRefused: See `run`.
        """
        requests = self._requests
        logger.info("consumer %s of %s: %s", self.name, self._counterpart.stream, requests.doubt)
        if requests.refusal:
            raise ApiRefused(409, requests.refusal)
        if requests.deleted and not self._held.remembers:
            raise ConsumerGone(f"{self._counterpart} was deleted while it was used")
        await self._back_off()
        requests.deleted, recreated = False, self._counterpart.recreated
        await self._counterpart.find()
        if self._counterpart.recreated != recreated:
            requests.forget()
        # A link that was lost meanwhile is seen by the next look at it.
        requests.doubt, self._first = "", ""

    async def _back_off(self) -> None:
        """Wait the longer, the more often we have been in doubt and no message came between."""
        self._doubts = self._doubts + 1 if self._received == self._received_then else 0
        self._received_then = self._received
        if self._doubts:
            await self._stop.rest(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(self._doubts, 16)))

    async def _leave(self) -> None:
        """Let the server read what we had to say."""
        if not self._answers.write():
            logger.warning(
                "consumer %s of %s: %d answers could not be given",
                self.name, self._counterpart.stream, len(self._answers),
            )  # fmt: skip
            return
        with contextlib.suppress(BrokerAway, ApiRefused):
            await self._counterpart.end()
        with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
            await self._client.flush(timeout=math.ceil(CALL_S))

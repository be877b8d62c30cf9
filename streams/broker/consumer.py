"""
Messages out of JetStream, and word back of what became of them.

A pull consumer whose messages come to an inbox: two requests for many are always under way, so
that the server never waits for us, and what is said of messages goes back joined. The handler is
called in the reader's own turn. No task, no queue and no copy is made for a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from streams.broker import jetstream
from streams.broker.deliveries import Answers, Delivery, Straight, Upto, written
from streams.broker.jetstream import end_if_cancelled
from streams.core import deliveries
from streams.core.counters import ConsumeCounters
from streams.core.deliveries import Told
from streams.core.errors import ApiRefused, BadDefinition, BrokerAway, ConsumerGone

logger = logging.getLogger(__name__)

JsonObject = dict[str, Any]
OnMessage: TypeAlias = Callable[[Delivery], object]
OnMessages: TypeAlias = Callable[[Sequence[Delivery]], Awaitable[object]]

BATCH = 1_000
MAX_OUTSTANDING = 10_000
MAX_BYTES = 64 * 1024 * 1024
EXPIRES_S = 30.0
# The server does not find out by itself that it no longer serves a request, and we do not either.
HEARTBEAT_S = 2.0
# Of heartbeats; the first may stay out because the server is busy.
SILENT = 2.5
# An ephemeral consumer lives as long without a request, for example while its handler is behind.
EPHEMERAL_S = 300.0

TICK_S = 0.1
BACKOFF_S = 0.1
BACKOFF_CAP_S = 2.0
# A message that its handler refuses comes again later and later.
GIVE_BACK_S = 0.5
GIVE_BACK_CAP_S = 30.0
# What does not come again by then never will: it is purged, or somebody else has it.
COMES_AGAIN_S = 2 * GIVE_BACK_CAP_S
SAY_AGAIN_S = 10.0
CALL_S = 2.0
STOP_S = 5.0

CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059
MISSING = (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)
LOOK_AGAIN_S = 0.5
POLICIES = ("explicit", "all", "none")


@dataclass(frozen=True)
class Limits:
    """
    Attributes:
        batch: Messages in one request; two are under way.
        max_outstanding: Messages asked for, waiting and in the handler's hands, in all. The
            consumer's own `max_ack_pending` counts where it is less.
        max_bytes: Of messages that are held; beyond it nothing more is asked for.
        expires_s: How long a request stands.
        heartbeat_s: How often the server says that it stands; 0 means never.
    """

    batch: int = BATCH
    max_outstanding: int = MAX_OUTSTANDING
    max_bytes: int = MAX_BYTES
    expires_s: float = EXPIRES_S
    heartbeat_s: float = HEARTBEAT_S


class _Stopped(Exception):
    """We were told to stop while we waited for JetStream."""


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
        self._limits = limits or Limits()
        _check(self._limits)
        self._client = client
        self._stream = stream
        self._config = dict(config) if config is not None else None
        self._name = durable or str((config or {}).get("durable_name") or "")
        self._ephemeral = not self._name
        self._recreate = self._ephemeral if recreate is None else recreate
        self._domain = domain
        self._on_message = on_message
        self._on_messages = on_messages
        self._manual = manual

        self._answers = Answers(client)
        self._upto = Upto(self._answers)
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._policy = "explicit"
        self._first = ""

        # What may be asked for at once, and how; known when the consumer is.
        self._batch = self._outstanding = 1
        self._max_deliver = 0
        self._request = b""
        self._silence_s = 0.0

        self._held: dict[Delivery, None] = {}
        self._held_bytes = 0
        self._waiting: list[Delivery] = []
        self._wanted = 0
        # Statuses of requests of an earlier time mean nothing any more.
        self._time = 0
        self._link = -1
        self._paused = self._deleted = False
        self._doubt = self._refusal = ""
        self._doubts = self._received_then = 0
        # Only where the consumer may have to be made again: what came last, and what we gave back.
        self._last_seq = 0
        self._owed: set[int] = set()

        self._began = self._stopping = False
        self._gives_back = True
        self._stop_s = STOP_S
        self._ended = asyncio.Event()
        self._wake: asyncio.Future[None] | None = None
        self._work = asyncio.Event()

        self._news = 0
        self._heard = (-1, 0.0)
        self._say_failed_s = 0.0
        self._received = self._redelivered = self._acknowledged = self._returned = 0
        self._terminated = self._failed = self._requests = self._silences = self._links = 0
        self._recreated = 0

    @property
    def name(self) -> str:
        """The consumer's name; of an ephemeral one, empty until it is made."""
        return self._name

    def counters(self) -> ConsumeCounters:
        return ConsumeCounters(
            received=self._received,
            redelivered=self._redelivered,
            acknowledged=self._acknowledged,
            returned=self._returned,
            terminated=self._terminated,
            failed=self._failed,
            held=len(self._held),
            held_bytes=self._held_bytes,
            wanted=self._wanted,
            unsent=len(self._answers),
            requests=self._requests,
            silences=self._silences,
            links=self._links,
            recreated=self._recreated,
        )

    def pause(self) -> None:
        """Ask for nothing more; what is asked for still comes."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._ask()

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
            if self._stopping:
                return
            await self._find()
            await self._listen()
            if self._on_messages is not None:
                working = asyncio.create_task(self._hand_over(self._on_messages))
            with contextlib.suppress(_Stopped):
                await self._keep_asking()
            await self._finish(working)
        except _Stopped:
            return  # There was no consumer yet.
        finally:
            if working is not None:
                working.cancel()
            if self._subscription is not None and not self._client.is_closed:
                with contextlib.suppress(nats.errors.Error):
                    await self._subscription.unsubscribe()
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
        self._stop_s, self._gives_back, self._stopping = within_s, give_back, True
        self._work.set()
        self._stir()
        if self._began:
            await self._ended.wait()

    # What a delivery needs of us; see `deliveries.Owner`.

    def settle(self, delivery: Delivery, word: str) -> bool:
        if delivery.settled:
            return False
        delivery.settled = True
        if self._held.pop(delivery, delivery) is None:
            self._held_bytes -= len(delivery.data)
        if word == deliveries.ACK:
            self._acknowledged += 1
            if self._policy == "all":
                self._settle_before(delivery)
                self._upto.acknowledge(delivery)
            elif self._policy == "explicit":
                self._answers.acknowledge(delivery.reply)
        else:
            self._note_refusal(delivery, word)
            self.answer(delivery.reply, word)
        if self._wanted <= self._batch:
            self._ask()
        return True

    def answer(self, reply: str, word: str) -> None:
        if self._policy != "none":
            self._answers.add(reply, word)

    def _note_refusal(self, delivery: Delivery, word: str) -> None:
        given_back = word.startswith(deliveries.NAK)
        self._returned += given_back
        self._terminated += word.startswith(deliveries.TERM)
        if given_back and self._recreate:
            self._owed.add(delivery.stream_seq)
        if self._policy == "all":
            # After its last time it does not come again.
            comes_again = given_back and delivery.deliveries != self._max_deliver
            until_s = asyncio.get_running_loop().time() + COMES_AGAIN_S
            self._upto.refused(delivery.stream_seq, until_s if comes_again else None)

    def _settle_before(self, delivery: Delivery) -> None:
        upto = delivery.stream_seq
        while self._held:
            earliest = next(iter(self._held))
            if earliest.stream_seq > upto or self._upto.waits_for(earliest.stream_seq):
                return
            del self._held[earliest]
            earliest.settled = True
            self._held_bytes -= len(earliest.data)
            self._acknowledged += 1

    # The consumer itself

    async def _find(self) -> None:
        """Know the consumer: the one that is there, or a new one."""
        info = await self._patiently(self._info_or_new)
        self._adopt(info)

    async def _patiently(self, ask: Callable[[], Awaitable[JsonObject]]) -> JsonObject:
        delay_s, told = BACKOFF_S, False
        while True:
            self._refuse_closed()
            try:
                return await ask()
            except BrokerAway as e:
                if not told:
                    logger.warning("consumer %s of %s: %s", self._name or "-", self._stream, e)
                    told = True
            await self._rest(delay_s)
            delay_s = min(BACKOFF_CAP_S, delay_s * 2)

    async def _info_or_new(self) -> JsonObject:
        if not self._name:
            return await self._make()
        verb, is_known = f"CONSUMER.INFO.{self._stream}.{self._name}", self._link >= 0
        if is_known:
            try:
                return await self._call(verb)
            except ApiRefused as e:
                if e.code not in MISSING:
                    raise
            # Asked twice before it is believed: a server that has just come back may not know yet.
            await self._rest(LOOK_AGAIN_S)
        try:
            return await self._call(verb)
        except ApiRefused as e:
            if e.code not in MISSING:
                raise
            if self._config is None or (is_known and not self._recreate):
                raise ConsumerGone(
                    f"consumer {self._name} of stream {self._stream}: {e.description}"
                ) from e
        return await self._make()

    async def _make(self) -> JsonObject:
        config = dict(self._config or {})
        if self._ephemeral:
            self._name = self._client._nuid.next().decode()  # noqa: SLF001
            config.setdefault("inactive_threshold", round(EPHEMERAL_S * 1e9))
        else:
            config["durable_name"] = self._name
        config["name"] = self._name
        if self._link >= 0:
            config = self._where_we_are(config)
            self._recreated += 1
            logger.warning("consumer %s of %s is made again", self._name, self._stream)
        try:
            return await self._call(
                f"CONSUMER.CREATE.{self._stream}.{self._name}",
                {"stream_name": self._stream, "config": config},
            )
        except ApiRefused as e:
            if e.code == STREAM_NOT_FOUND:
                raise ConsumerGone(f"stream {self._stream}: {e.description}") from e
            raise

    def _where_we_are(self, config: JsonObject) -> JsonObject:
        """Return the configuration of a consumer that goes on where we are not done."""
        held = (delivery.stream_seq for delivery in self._held)
        first = min((*held, *self._owed), default=self._last_seq + 1)
        if first <= 1:
            return config
        config.pop("opt_start_time", None)
        return config | {"deliver_policy": "by_start_sequence", "opt_start_seq": first}

    def _adopt(self, info: JsonObject) -> None:
        """
        Take over what the consumer's configuration says.

        Raises:
            BadDefinition: It cannot be pulled from, or means something else than `config`.
        """
        config: JsonObject = info.get("config") or {}
        name = f"consumer {self._name} of stream {self._stream}"
        if config.get("deliver_subject"):
            raise BadDefinition("deliver_subject", f"{name} pushes; only a pull consumer will do")
        self._policy = config.get("ack_policy") or "none"
        if self._policy not in POLICIES:
            raise BadDefinition("ack_policy", f"{name} has {self._policy}; this is for servers")
        if self._config is not None and _filters(config) != _filters(self._config):
            raise BadDefinition("filter_subjects", f"{name} exists and has other ones")
        self._set_limits(config)

    def _set_limits(self, config: JsonObject) -> None:
        limits, pending = self._limits, int(config.get("max_ack_pending") or 0)
        self._outstanding = limits.max_outstanding
        self._max_deliver = int(config.get("max_deliver") or 0)
        if pending > 0 and self._policy != "none":
            self._outstanding = min(self._outstanding, pending)
        self._batch = max(1, min(limits.batch, self._outstanding // 2))
        if most := int(config.get("max_batch") or 0):
            self._batch = min(self._batch, most)
        expires_ns = round(limits.expires_s * 1e9)
        if most := int(config.get("max_expires") or 0):
            expires_ns = min(expires_ns, most)
        # The server refuses heartbeats of more than half of that.
        beat_ns = min(round(limits.heartbeat_s * 1e9), expires_ns // 2)
        self._silence_s = beat_ns / 1e9 * SILENT or math.inf
        self._expiry = {"expires": expires_ns, "idle_heartbeat": beat_ns}

    async def _call(self, verb: str, body: JsonObject | None = None) -> JsonObject:
        return await jetstream.call(self._client, verb, body, domain=self._domain, within_s=CALL_S)

    # Asking

    async def _listen(self) -> None:
        subscription = await self._client.subscribe(f"{self._inbox}.>", pending_bytes_limit=0)
        end_if_cancelled()
        straight = Straight(self._take)
        # Pinned by tests; nats-py puts each message that it has read into this queue.
        subscription._pending_queue = cast(Any, straight)  # noqa: SLF001
        self._subscription = subscription
        # It must be at the server before the first request, which does not take the client's way.
        while True:
            self._refuse_closed()
            try:
                await self._client.flush(timeout=math.ceil(CALL_S))
                end_if_cancelled()
            except (OSError, TimeoutError, nats.errors.Error):
                await self._rest(TICK_S)
            else:
                return

    async def _keep_asking(self) -> None:
        while not self._stopping:
            self._refuse_closed()
            if not self._client.is_connected:
                await self._pause(TICK_S)
                continue
            if self._link != self._client.stats["reconnects"]:
                self._begin_on_link()
            if self._doubt or self._is_silent():
                await self._look_again()
            self._upto.tell()
            self._answers.write()
            self._ask()
            await self._pause(TICK_S)

    def _begin_on_link(self) -> None:
        """Ask anew: requests end with their link, and nobody says so."""
        if self._link >= 0:
            self._links += 1
            # A server that has been started again may have lost a consumer kept in memory.
            self._doubt = "a new link"
        self._link = self._client.stats["reconnects"]
        self._forget()

    def _forget(self) -> None:
        self._time += 1
        self._wanted = 0
        self._heard = (-1, 0.0)

    def _is_silent(self) -> bool:
        """Return whether heartbeats of requests that stand have stayed out."""
        now_s = asyncio.get_running_loop().time()
        if not self._wanted or self._heard[0] != self._news:
            self._heard = (self._news, now_s)
            return False
        if now_s - self._heard[1] < self._silence_s:
            return False
        self._silences += 1
        self._doubt = "no heartbeat"
        logger.warning("consumer %s of %s: no heartbeat", self._name, self._stream)
        self._forget()
        return True

    async def _look_again(self) -> None:
        """
        Make sure that the consumer is there before it is asked again.

        Raises:
            ConsumerGone, BadDefinition, ApiRefused: See `run`.
        """
        logger.info("consumer %s of %s: %s", self._name, self._stream, self._doubt)
        if self._refusal:
            raise ApiRefused(409, self._refusal)
        if self._deleted and not self._recreate:
            raise ConsumerGone(
                f"consumer {self._name} of stream {self._stream} was deleted while it was used"
            )
        await self._back_off()
        self._deleted, recreated = False, self._recreated
        self._adopt(await self._patiently(self._info_or_new))
        if self._recreated != recreated:
            self._forget()
        # A link that was lost meanwhile is seen by the next look at it.
        self._doubt, self._first = "", ""

    async def _back_off(self) -> None:
        """Wait the longer, the more often we have been in doubt and no message came between."""
        self._doubts = self._doubts + 1 if self._received == self._received_then else 0
        self._received_then = self._received
        if self._doubts:
            await self._rest(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(self._doubts, 16)))

    def _ask(self) -> None:
        """Keep two requests under way, as far as there is room for what they bring."""
        while self._wanted <= self._batch and self._may_ask():
            room = self._outstanding - len(self._held) - self._wanted
            if room < self._batch and (self._wanted or room <= 0):
                return
            count = min(room, self._batch)
            self._requests += 1
            body = msgspec.json.encode({"batch": count, **self._expiry})
            request = b"PUB %b.CONSUMER.MSG.NEXT.%b.%b %b.%d.%d %d\r\n%b\r\n" % (
                jetstream.prefix(self._domain).encode(), self._stream.encode(),
                self._name.encode(), self._inbox.encode(), self._time, self._requests,
                len(body), body,
            )  # fmt: skip
            if not written(self._client, request):
                return
            self._wanted += count

    def _may_ask(self) -> bool:
        return (
            not (self._stopping or self._paused or self._doubt)
            and self._subscription is not None
            and self._held_bytes < self._limits.max_bytes
            and self._link == self._client.stats["reconnects"]
        )

    # Taking

    def _take(self, msg: Msg) -> None:
        """Take what the client has read. Must not raise."""
        try:
            self._news += 1
            if not msg.reply:
                self._note_status(msg)
                return
            self._received += 1
            if self._wanted:
                self._wanted -= 1
            if not msg.reply.startswith(self._first or self._learn(msg.reply)):
                self._redelivered += 1
            self._hand(Delivery(msg, self))
            if self._wanted <= self._batch:
                self._ask()
        except Exception:
            # A bug here must not end the client's reading, and with it the connection.
            logger.exception("consumer %s of %s", self._name, self._stream)

    def _learn(self, reply: str) -> str:
        self._first = deliveries.first_time(reply)
        return self._first

    def _hand(self, delivery: Delivery) -> None:
        if self._stopping:
            if self._gives_back:
                delivery.nak()
            return
        if self._recreate:
            self._last_seq = max(self._last_seq, delivery.stream_seq)
            self._owed.discard(delivery.stream_seq)
        if self._on_message is None:
            self._hold(delivery)
            self._waiting.append(delivery)
            self._work.set()
            return
        if self._manual and self._policy != "none":
            self._hold(delivery)
        try:
            self._on_message(delivery)
        except (Exception, asyncio.CancelledError) as e:  # noqa: BLE001 - whatever it may raise
            # Of something that it asked for: nobody can cancel a plain call.
            self._note_failure([delivery], e)
            return
        if not self._manual:
            self.settle(delivery, deliveries.ACK)

    def _hold(self, delivery: Delivery) -> None:
        self._held[delivery] = None
        self._held_bytes += len(delivery.data)

    async def _hand_over(self, on_messages: OnMessages) -> None:
        """Hand over what is waiting, batch by batch, until stopped."""
        while not self._stopping:
            if not self._waiting:
                self._work.clear()
                await self._work.wait()
                continue
            batch = self._waiting[: self._batch]
            del self._waiting[: self._batch]
            try:
                await on_messages(batch)
            except asyncio.CancelledError as e:
                end_if_cancelled()
                # Not we: something that the handler waited for.
                self._note_failure(batch, e)
            except Exception as e:  # noqa: BLE001 - whatever a handler may raise
                self._note_failure(batch, e)
            else:
                self._settle_batch(batch)

    def _settle_batch(self, batch: Sequence[Delivery]) -> None:
        if self._manual and self._policy != "none":
            return
        for delivery in batch if self._policy != "all" else reversed(batch):
            self.settle(delivery, deliveries.ACK)

    def _note_failure(self, batch: Sequence[Delivery], error: BaseException) -> None:
        """Give back what a handler did not take: it must not end the stream for the others."""
        self._failed += 1
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._say_failed_s:
            self._say_failed_s = now_s + SAY_AGAIN_S
            logger.error(
                "consumer %s of %s: the handler failed (%d in all)",
                self._name, self._stream, self._failed, exc_info=error,
            )  # fmt: skip
        for delivery in batch:
            if delivery.settled or (self._manual and delivery not in self._held):
                continue
            times = min(delivery.deliveries - 1, 16)
            delivery.nak(min(GIVE_BACK_CAP_S, GIVE_BACK_S * 2**times))

    def _note_status(self, msg: Msg) -> None:
        headers = msg.headers or {}
        time, _, _ = msg.subject.removeprefix(f"{self._inbox}.").partition(".")
        if time != str(self._time):
            return
        description = headers.get("Description", "")
        told = deliveries.told(headers.get("Status", ""), description)
        if told is Told.ALIVE:
            return
        left = headers.get("Nats-Pending-Messages", "")
        self._wanted = max(0, self._wanted - (int(left) if left.isdigit() else self._batch))
        match told:
            case Told.OVER:
                self._ask()
            case Told.UNSURE:
                self._doubt = description or "nobody serves it"
                self._stir()
            case Told.GONE:
                self._doubt, self._deleted = description, True
                self._stir()
            case Told.REFUSED:
                self._doubt = self._refusal = description or "refused"
                self._stir()

    # Ending

    async def _finish(self, working: asyncio.Task[None] | None) -> None:
        if self._subscription is not None and self._client.is_connected:
            # What the server has sent is still read, and given back.
            with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
                async with asyncio.timeout(CALL_S):
                    await self._subscription.drain()  # type: ignore[no-untyped-call]
        if working is not None:
            await asyncio.wait([working], timeout=self._stop_s)
        elif self._manual:
            await self._until_settled()
        for delivery in list(self._held):
            if self._gives_back:
                delivery.nak()
        self._held.clear()
        self._waiting.clear()
        await self._leave()

    async def _until_settled(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stop_s):
                while self._held:
                    await self._pause(TICK_S)

    async def _leave(self) -> None:
        """Let the server read what we had to say."""
        if not self._answers.write():
            logger.warning(
                "consumer %s of %s: %d answers could not be given",
                self._name, self._stream, len(self._answers),
            )  # fmt: skip
            return
        with contextlib.suppress(BrokerAway, ApiRefused):
            if self._ephemeral:
                await self._call(f"CONSUMER.DELETE.{self._stream}.{self._name}")
        with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
            await self._client.flush(timeout=math.ceil(CALL_S))

    def _refuse_closed(self) -> None:
        if self._client.is_closed:
            raise BrokerAway(f"the connection to NATS was closed: {self._client.last_error}")

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _rest(self, seconds: float) -> None:
        """
        Raises:
            _Stopped: Meanwhile.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + seconds
        while not self._stopping:
            if (left_s := ends_s - loop.time()) <= 0:
                return
            await self._pause(left_s)
        raise _Stopped

    async def _pause(self, at_most_s: float) -> None:
        """Return when something happened that `run` should look at."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(at_most_s, self._stir)
        try:
            await self._wake
        finally:
            timer.cancel()
            self._wake = None


def _check(limits: Limits) -> None:
    for field in ("batch", "max_outstanding", "max_bytes", "expires_s"):
        if not getattr(limits, field) > 0:
            raise BadDefinition(field, "is above zero")
    if limits.heartbeat_s < 0:
        raise BadDefinition("heartbeat_s", "is not below zero")


def _filters(config: Mapping[str, Any]) -> set[str]:
    one = config.get("filter_subject")
    return set(config.get("filter_subjects") or ([one] if one else []))

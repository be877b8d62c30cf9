"""
Account messages on RabbitMQ's queue `socket_data`: batched, confirmed, mandatory, persistent.

The connection lives on a thread of its own, so that heartbeats are answered while nobody publishes
and so that a broker which does not answer costs a caller its deadline and no more. Thread and
connection are made on first use and belong to one process: after a fork the child makes its own.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from datetime import UTC, datetime
from typing import Any

import pika
import pika.exceptions
from pika import spec
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel

from accounts.core.batch import Batch, batches
from accounts.core.errors import BadAddress, BrokerAway, PublishError, QueueDiffers
from accounts.core.messages import Message
from accounts.publish.outlet import Backoff, log_confirmed

logger = logging.getLogger(__name__)

QUEUE = "socket_data"
ARGUMENTS: Mapping[str, Any] = {"x-message-ttl": 60_000, "x-max-length": 10_000}

HEARTBEAT_S = 30
BLOCKED_S = 300
# The contract asks for five attempts, three seconds apart. We do not stop after five.
RECONNECT_S = 3.0
# A queue with other arguments is mended by a person; asking often only fills the broker's log.
DIFFERS_S = 30.0
# Batches without a confirm; beyond it a broker that reads nothing would fill our memory.
WINDOW = 1000
CLOSE_S = 5.0
PRECONDITION_FAILED = 406


class Rabbit:
    """
    An `Outlet`.

    Args:
        url: amqp:// or amqps://; never logged, it holds a password.
    """

    name = "rabbitmq"

    def __init__(self, url: str, *, queue: str = QUEUE) -> None:
        self._url = url
        self._queue = queue
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: _Loop | None = None
        self._backoff = Backoff()

    def lost_at(self) -> datetime | None:
        loop = self._loop if self._pid == os.getpid() else None
        return loop.lost_at if loop else None

    def check(self, within_s: float) -> None:
        """
        Raises:
            BadAddress: The URL is none that pika understands.
            BrokerAway: Not connected, blocked, or the last try failed a moment ago.
            QueueDiffers: The queue exists with other arguments.
        """
        loop = self._own_loop()
        self._backoff.check()
        loop.check(within_s)

    def publish(self, messages: Sequence[Message], within_s: float) -> list[str]:
        """
        Publish in batches; see `Outlet`. Never takes longer than `within_s`.

        Raises:
            BadAddress, BrokerAway, QueueDiffers: As `check`, or not a single confirm in time.
        """
        own_batches = list(batches(messages))
        answers = self._own_loop().publish(own_batches, within_s)
        reasons: dict[str, str] = {}
        for batch, answer in zip(own_batches, answers, strict=True):
            if not answer:
                log_confirmed(self.name, batch.messages)
            reasons |= dict.fromkeys((m.id for m in batch.messages), answer)
        if failure := next(filter(None, answers), ""):
            self._backoff.failed(failure)
            if all(answers):
                raise BrokerAway(failure)
        else:
            self._backoff.worked()
        return [reasons[m.id] for m in messages]

    def close(self) -> None:
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._pid == os.getpid():
            loop.close()

    def _own_loop(self) -> _Loop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = _Loop(self._url, self._queue), os.getpid()
            return self._loop


class _Job:
    """Batches that wait for their confirms. `answers` holds "" or why not, by position."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self.answers = ["no confirm in time"] * len(batches)
        self.waiting = len(batches)
        self.done: futures.Future[None] = futures.Future()

    def answer(self, index: int, reason: str) -> None:
        self.answers[index] = reason
        self.waiting -= 1
        if not self.waiting:
            self.done.set_result(None)


class _Loop:
    """
    One connection and the thread that runs it.

    Every method that begins with `_on` or `_do` runs on that thread; the others may be called from
    any.
    """

    def __init__(self, url: str, queue: str) -> None:
        self._queue = queue
        self._parameters = _parameters(url)
        self._parameters.heartbeat = HEARTBEAT_S
        self._parameters.blocked_connection_timeout = BLOCKED_S
        # We reconnect by our own clock; pika's attempts would run inside one of ours.
        self._parameters.connection_attempts = 1
        self._parameters.socket_timeout = RECONNECT_S
        self._parameters.stack_timeout = 2 * RECONNECT_S
        self._parameters.client_properties = {
            "connection_name": f"tickplane accounts {os.getpid()}"
        }
        self._ioloop = IOLoop()
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._tag = 0
        self._waiting: dict[int, tuple[_Job, int]] = {}
        self._returned: set[str] = set()
        # Set once the first attempt to connect has ended, well or not: only that one is waited for.
        self._settled = threading.Event()
        self._established = self._ready = False
        self._closing = False
        self._blocked = ""
        self._verdict: PublishError | None = None
        self._trouble: PublishError = BrokerAway("RabbitMQ did not answer in time")
        self.lost_at: datetime | None = None
        self._ioloop.add_callback_threadsafe(self._do_connect)
        self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
        self._thread.start()

    def publish(self, batches: Sequence[Batch], within_s: float) -> list[str]:
        """
        Return, for each batch, "" once it is confirmed, or why it is not.

        Raises:
            BrokerAway, QueueDiffers: Not connected. Nothing was sent.
        """
        ends_at = time.monotonic() + within_s
        self.check(within_s)
        job = _Job(batches)
        if batches:
            self._ioloop.add_callback_threadsafe(lambda: self._do_publish(job))
            futures.wait([job.done], max(0.0, ends_at - time.monotonic()))
        return list(job.answers)

    def check(self, within_s: float) -> None:
        self._settled.wait(within_s)
        if not self._ready:
            # A new one each time: a raised exception collects the frames it passed.
            raise type(self._trouble)(str(self._trouble))
        if self._blocked:
            raise BrokerAway(f"RabbitMQ accepts nothing now: {self._blocked}")
        if len(self._waiting) >= WINDOW:
            raise BrokerAway(f"RabbitMQ owes {len(self._waiting)} confirms")

    def close(self) -> None:
        self._closing = True
        self._ioloop.add_callback_threadsafe(self._do_close)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            while not self._runs_to_its_end():
                self._begin_anew()
        finally:
            self._ioloop.close()

    def _runs_to_its_end(self) -> bool:
        try:
            self._ioloop.start()
        except Exception:
            # A bug in one callback. Never in silence, and never the end: everybody would wait for
            # a thread that is gone.
            logger.exception("rabbitmq: an internal error; the link begins anew")
            return False
        return True

    def _begin_anew(self) -> None:
        self._ready = False
        self._trouble = self._verdict = BrokerAway("an internal error; see the log")
        self._settled.set()
        if self._connection and self._connection.is_open:
            self._connection.close()  # `_on_end` does the rest.
        elif self._connection is None or self._connection.is_closed:
            self._ioloop.call_later(RECONNECT_S, self._do_connect)

    def _do_connect(self) -> None:
        if self._closing:
            return
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
            custom_ioloop=self._ioloop,
        )
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)

    def _do_close(self) -> None:
        if self._connection and self._connection.is_open:
            self._connection.close()
        elif self._connection is None or self._connection.is_closed:
            self._ioloop.stop()

    def _do_publish(self, job: _Job) -> None:
        for index, batch in enumerate(job.batches):
            if self._channel is None or not self._ready:
                job.answer(index, "the link was lost")
                continue
            self._tag += 1
            self._waiting[self._tag] = (job, index)
            self._channel.basic_publish(
                exchange="",
                routing_key=self._queue,
                body=batch.payload,
                properties=_properties(batch),
                mandatory=True,
            )

    def _on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        self._channel, self._tag = channel, 0
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._declare(channel))

    def _declare(self, channel: Channel) -> None:
        channel.queue_declare(
            self._queue, durable=True, arguments=dict(ARGUMENTS), callback=self._on_declared
        )

    def _on_declared(self, frame: Any) -> None:
        logger.info("rabbitmq: connected, the queue %s is ready", self._queue)
        self._trouble = BrokerAway("RabbitMQ's link was lost")
        self._established = self._ready = True
        self._settled.set()

    def _on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        # A returned message is confirmed as well; its return comes first.
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        last = method.delivery_tag
        refused = isinstance(method, spec.Basic.Nack)
        for tag in [tag for tag in self._waiting if tag <= last] if method.multiple else [last]:
            job, index = self._waiting.pop(tag)
            job.answer(index, self._outcome(job.batches[index], refused=refused))

    def _outcome(self, batch: Batch, *, refused: bool) -> str:
        if refused:
            return "RabbitMQ refused it"
        if batch.id not in self._returned:
            return ""
        self._returned.discard(batch.id)
        # Somebody deleted the queue: begin anew, which declares it.
        self._ready = False
        self._verdict = BrokerAway(f"the queue {self._queue} was deleted")
        self._ioloop.add_callback(self._do_drop)
        return f"the queue {self._queue} does not exist"

    def _do_drop(self) -> None:
        if self._connection and self._connection.is_open:
            self._connection.close()

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            differs = reason.reply_code == PRECONDITION_FAILED and not self._established
            self._verdict = (
                QueueDiffers(
                    f"the queue {self._queue} exists with other arguments: {reason.reply_text}"
                )
                if differs
                else BrokerAway(f"RabbitMQ closed the channel: {reason.reply_text}")
            )
        self._ready = False
        self._do_drop()

    def _on_blocked(self, connection: Any, frame: Any) -> None:
        self._blocked = frame.method.reason or "no reason given"
        logger.warning("rabbitmq: blocked: %s", self._blocked)

    def _on_unblocked(self, connection: Any, frame: Any) -> None:
        self._blocked = ""
        logger.info("rabbitmq: no longer blocked")

    def _on_end(self, connection: Any, reason: Any) -> None:
        if self._established:
            self.lost_at = datetime.now(UTC)
        self._established = self._ready = False
        self._channel = None
        self._blocked = ""
        self._returned.clear()
        for job, index in self._waiting.values():
            job.answer(index, "the link was lost")
        self._waiting.clear()
        if self._closing:
            self._ioloop.stop()
            return
        trouble = self._verdict or BrokerAway(f"RabbitMQ cannot be reached: {_cause(reason)}")
        # The same refusal every three seconds, for as long as the broker is away, is one event.
        if str(trouble) != str(self._trouble):
            logger.warning("rabbitmq: %s", trouble)
        self._trouble, self._verdict = trouble, None
        self._settled.set()
        wait_s = DIFFERS_S if isinstance(trouble, QueueDiffers) else RECONNECT_S
        # Many processes lose the broker at once: they must not all come back at once.
        self._ioloop.call_later(wait_s * random.uniform(0.5, 1), self._do_connect)  # noqa: S311


def _parameters(url: str) -> pika.URLParameters:
    try:
        return pika.URLParameters(url)
    except (ValueError, SyntaxError, TypeError, OSError):
        # Not chained: what pika says may quote the URL.
        raise BadAddress("RABBITMQ_URL holds an option that cannot be used") from None


def _properties(batch: Batch) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        timestamp=int(time.time()),
        message_id=batch.id,
    )


def _cause(reason: Any) -> str:
    """Return the innermost reason: pika wraps a refused connection three times."""
    while inner := _within(reason):
        reason = inner
    return str(reason) or type(reason).__name__


def _within(reason: Any) -> BaseException | None:
    found = (
        getattr(reason, "exception", None)
        or next(reversed(getattr(reason, "exceptions", None) or ()), None)
        or next(iter(getattr(reason, "args", None) or ()), None)
    )
    return found if isinstance(found, BaseException) else None

"""Reads `socket_data` as the contract says, through every restart of the broker."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from tests.rebuild.consumer import Consumer, comparable
from tests.rebuild.source import Terminal, book

QUEUE = "socket_data"
ARGUMENTS = {"x-message-ttl": 60_000, "x-max-length": 10_000}
# As many as are on the way at once; an answer to each would be a system call to each.
PREFETCH = 500
AGAIN_S = 0.2
# When which book arrived: of an account's positions, or of its orders.
Arrival = tuple[float, int]


class Reader:
    """A consumer on a thread of its own. `arrivals` are by (login, name of the list)."""

    def __init__(self, url: str) -> None:
        self.consumer = Consumer()
        self.arrivals: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
        self.sessions = 0
        self._url = url
        self._stopped = threading.Event()
        # Held while messages are merged, so that nobody sees an account half merged.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10)

    def differing(self, terminals: list[Terminal]) -> list[str]:
        """Return what of these accounts is not as their terminals know it."""
        found: list[str] = []
        with self._lock:
            for terminal in terminals:
                login, expected = str(terminal.login), terminal.expected()
                for held in (
                    self.consumer.by_login.get(login),
                    self.consumer.by_server.get((terminal.server, login)),
                ):
                    if (seen := comparable(held)) != expected:
                        found.append(f"{terminal.server}/{login}: {_difference(seen, expected)}")
                        break
        return found

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._read()
            except (AMQPError, OSError):
                self._stopped.wait(AGAIN_S)

    def _read(self) -> None:
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        try:
            channel = connection.channel()
            channel.queue_declare(QUEUE, durable=True, arguments=ARGUMENTS)
            channel.basic_qos(prefetch_count=PREFETCH)
            channel.basic_consume(QUEUE, self._took(channel))
            self.sessions += 1
            while not self._stopped.is_set():
                connection.process_data_events(time_limit=0.1)
        finally:
            if connection.is_open:
                connection.close()

    def _took(self, channel: BlockingChannel) -> Callable[..., None]:
        def took(_: Any, method: Any, __: Any, body: bytes) -> None:
            at = time.monotonic()
            with self._lock:
                for message in self.consumer.take(body):
                    for name in ("positions", "orders"):
                        if name in message:
                            self.arrivals[message["login"], name].append(
                                (at, hash(book(message[name])))
                            )
            channel.basic_ack(method.delivery_tag)

        return took


def _difference(seen: dict[str, Any], expected: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} is {seen.get(name)!r} instead of {expected[name]!r}"
        for name in expected
        if seen.get(name) != expected[name]
    )

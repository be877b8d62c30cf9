"""Runs errands on a channel of its own, so that a refusal does not end what is being published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika.exceptions
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel

from accounts.publish.topology import Errand, Found, Refused, Request


class Errands:
    """
    One connection's errands, one at a time, on the connection's thread.

    They end unfinished with the connection.
    """

    def __init__(self, ioloop: IOLoop, connection: SelectConnection) -> None:
        self._ioloop = ioloop
        self._connection = connection
        self._channel: Channel | None = None
        self._errand: Errand | None = None
        self._then: Callable[[Found], None] | None = None
        self._request: Request | None = None

    @property
    def busy(self) -> bool:
        return self._errand is not None

    def run(self, errand: Errand, then: Callable[[Found], None]) -> None:
        """Start an errand while none runs; `then` receives what it found."""
        self._errand, self._then = errand, then
        self._advance(None)

    def _advance(self, refused: Refused | None) -> None:
        if self._errand is None or self._then is None:
            return
        try:
            self._request = self._errand.send(refused)
        except StopIteration as e:
            then, self._errand, self._then = self._then, None, None
            then(e.value)
            return
        self._ask()

    def _ask(self) -> None:
        if not self._connection.is_open:
            return
        if self._channel is None:
            self._connection.channel(on_open_callback=self._on_open)
        elif self._request:
            self._request(self._channel, self._on_done)

    def _on_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_closed)
        self._channel = channel
        self._ask()

    def _on_done(self, frame: Any) -> None:
        self._advance(None)

    def _on_closed(self, channel: Channel, reason: Exception) -> None:
        self._channel = None
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            refused = Refused(reason.reply_code, reason.reply_text)
            # Not from within: pika still holds the channel that it is closing.
            self._ioloop.add_callback(lambda: self._advance(refused))

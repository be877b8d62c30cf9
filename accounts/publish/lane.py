"""What is published on: one channel that confirms, and the window of what is under way on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from pika import spec
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel

from accounts.publish.marshal import writes
from accounts.publish.outlet import Counts
from accounts.publish.window import Job, Parcel, Window


class Lane:
    """
    Everything here runs on the link's thread.

    Args:
        finished: Told of each job whose last parcel was answered.
        returned: Told that no queue took a message.
        broken: Told why the broker closed the channel.
    """

    def __init__(
        self,
        exchange: str,
        *,
        finished: Callable[[Job], None],
        returned: Callable[[], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self._exchange = exchange
        self._returned = returned
        self._broken = broken
        self._window = Window(self._send, finished)
        self._channel: Channel | None = None

    def counts(self) -> Counts:
        """Return what became of letters so far. Any thread may ask."""
        return self._window.counts()

    def open(self, connection: SelectConnection, then: Callable[[], None]) -> None:
        """Open a channel; `then` is called once it confirms."""

        def confirm(channel: Channel) -> None:
            channel.add_on_close_callback(lambda _, reason: self._broken(reason))
            channel.add_on_return_callback(self._on_return)
            channel.confirm_delivery(self._on_confirm, callback=lambda _: begin(channel))

        def begin(channel: Channel) -> None:
            self._channel = channel
            self._window.open()
            then()

        connection.channel(on_open_callback=confirm)

    def take(self, job: Job) -> None:
        self._window.take(job)

    def refuse(self, job: Job, reason: str) -> None:
        self._window.refuse(job, reason)

    def expire(self, job: Job) -> bool:
        """Answer a job whose deadline has passed; return whether the broker answers nothing."""
        return self._window.expire(job)

    def shed(self, reason: str) -> None:
        """Answer all that waits: it will not be sent."""
        self._window.shed(reason)

    def lose(self, reason: str) -> None:
        """Answer everything: the connection is gone."""
        self._channel = None
        self._window.shut(reason)
        self._window.shed(reason)

    def _send(self, parcels: Sequence[Parcel]) -> None:
        assert self._channel is not None
        connection = self._channel.connection
        found = writes(
            parcels,
            channel=self._channel.channel_number,
            exchange=self._exchange,
            frame_max=connection.params.frame_max,
            at=int(time.time()),
        )
        # Channel.basic_publish would hand over frame by frame; see `marshal`.
        connection._output_marshaled_frames(list(found))  # type: ignore[attr-defined]  # noqa: SLF001

    def _on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._window.returned(properties.message_id)
        self._returned()

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        refused = isinstance(method, spec.Basic.Nack)
        self._window.settle(method.delivery_tag, multiple=method.multiple, refused=refused)

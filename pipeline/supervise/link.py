"""One connection, while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pipeline.core.errors import LinkLost, ReceiveError
from pipeline.supervise.line import Line


class Link:
    """
    Attributes:
        heard_s, ready_s: Since when it has, by the event loop's clock; None while it has not.
    """

    def __init__(
        self, line: Line, hold: Callable[[Line], Awaitable[None]], on_end: Callable[[], None]
    ) -> None:
        self.line = line
        self.heard_s: float | None = None
        self.ready_s: float | None = None
        self.task = asyncio.ensure_future(hold(line))
        self.task.add_done_callback(lambda _: on_end())

    def look(self, now_s: float) -> None:
        if self.heard_s is None and self.line.heard:
            self.heard_s = now_s
        if self.ready_s is None and self.line.ready:
            self.ready_s = now_s

    def error(self) -> ReceiveError:
        """
        Return why it ended.

        Raises:
            Exception: A bug.
        """
        try:
            self.task.result()
        except ReceiveError as e:
            return e
        return LinkLost("the link ended")

"""Where a source stands, since when, and who is told."""

from __future__ import annotations

import logging
from collections.abc import Collection

from pipeline.core.errors import PipelineError
from pipeline.core.status import State
from pipeline.supervise.means import Means

logger = logging.getLogger(__name__)

# The worst of its links is what a source stands for.
_WORST = (State.DEGRADED, State.RECONNECTING, State.CONNECTING, State.RUNNING)


class Standing:
    """
    Attributes:
        since_ns: When it came to stand so.
        last_error: Empty before the first.
    """

    def __init__(self, source_id: str, means: Means) -> None:
        self._source_id = source_id
        self._means = means
        self.state = State.CONNECTING
        self.since_ns = means.clock_ns()
        self.last_error = ""
        self._alerted = False

    def enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.since_ns = self._means.clock_ns()

    def look(self, states: Collection[State]) -> None:
        """Stand as the worst of these, those of the links; nothing changes what has ended."""
        if self.state not in (State.REFUSED, State.STOPPED):
            self.enter(next((s for s in _WORST if s in states), State.CONNECTING))

    def refuse(self, error: PipelineError) -> None:
        """Alert, as nothing happens any more until somebody changes something."""
        self.last_error = str(error)
        self.enter(State.REFUSED)
        source_id = self._source_id
        text = f"{source_id} is not tried again until its settings change: {error}"
        logger.error("%s: %s; not tried again until its settings change", source_id, error)
        self._means.voice.alert("critical", "source_refused", text, source=source_id)

    def announce(self, *, degraded: bool) -> None:
        """Alert once that the source is degraded, and say once that it is well again."""
        if degraded is self._alerted:
            return
        self._alerted = degraded
        source_id = self._source_id
        if degraded:
            text = f"{source_id} fails again and again, and is still tried: {self.last_error}"
            self._means.voice.alert("warning", "source_degraded", text, source=source_id)
        else:
            self._means.voice.event("source_recovered", source=source_id)

"""When a server is started again that keeps ending."""

from __future__ import annotations

from collections.abc import Callable

BACKOFF_S = (0.0, 0.2, 0.5, 1, 2, 5, 10)
STEADY_S = 30.0
# So often in a row it ends soon after its start, and is said to have failed.
FAILED_AFTER = 3


class Attempts:
    def __init__(self, clock: Callable[[], float]) -> None:
        """
        Args:
            clock: Seconds, ever growing.
        """
        self._clock = clock
        self._failures = 0
        self._started_s = self._next_start_s = 0.0

    def is_due(self) -> bool:
        return self._clock() >= self._next_start_s

    def is_young(self) -> bool:
        """Return whether the server may still be on its way up."""
        return self._clock() - self._started_s < STEADY_S

    def have_failed(self) -> bool:
        return self._failures >= FAILED_AFTER

    def note_start(self) -> None:
        self._started_s = self._clock()

    def note_running(self) -> None:
        """Forget how often it failed, if it has run for long."""
        if self._clock() - self._started_s > STEADY_S:
            self._failures = 0

    def note_failure(self) -> None:
        delay_s = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        self._next_start_s = self._clock() + delay_s

    def begin_anew(self) -> None:
        """Start at once, whatever was before."""
        self._next_start_s, self._failures = self._clock(), 0

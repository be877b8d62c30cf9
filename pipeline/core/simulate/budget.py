"""What callers have used up of a venue's patience, in windows of fixed length."""

from __future__ import annotations


class Budget:
    def __init__(self, most: int, per_s: float) -> None:
        self.most = most
        self.used = 0
        self._per_s = per_s
        self._window = -1

    def take(self, weight: int, now_s: float) -> bool:
        """Count a call; return whether it is within the limit."""
        window = int(now_s // self._per_s)
        if window != self._window:
            self._window, self.used = window, 0
        self.used += weight
        return self.used <= self.most

    def wait_s(self, now_s: float) -> int:
        """Return after how many whole seconds there is room again."""
        return max(1, int((self._window + 1) * self._per_s - now_s + 1))

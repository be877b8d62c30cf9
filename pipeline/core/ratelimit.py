"""
How fast we may ask: an allowance that fills with time and is spent by weight.

What one address may do is counted over all sources of a worker, so one bucket stands for one host.
"""

from __future__ import annotations

# Of what a venue allows in a minute: so much at once, so much spread over it. Together they stay
# below 1 in every minute, wherever the venue begins to count; the rest is for the way there.
_AT_ONCE = 0.25
_OVER_TIME = 0.7

_MINUTE_S = 60.0

# What sums of fractions are wrong by: a wait for it might be too short to end.
_NOTHING = 1e-6


class Bucket:
    """
    Full at first. In any stretch of t seconds at most `capacity + per_s * t` is spent, and beyond
    that only what one spending alone is heavier than the capacity.
    """

    def __init__(self, capacity: float, per_s: float) -> None:
        self._capacity = capacity
        self._per_s = per_s
        self._level = capacity
        self._at_s: float | None = None

    def wait_s(self, weight: float, now_s: float) -> float:
        """Return how long to wait before so much may be spent; 0 for now."""
        missing = min(weight, self._capacity) - self._filled(now_s)
        return missing / self._per_s if missing > _NOTHING else 0.0

    def spend(self, weight: float, now_s: float) -> None:
        """Spend it, also when it is not there: it fills up first, then."""
        self._level = self._filled(now_s) - weight
        self._at_s = now_s

    def _filled(self, now_s: float) -> float:
        if self._at_s is None:
            return self._level
        passed_s = max(now_s - self._at_s, 0.0)
        return min(self._level + passed_s * self._per_s, self._capacity)


def minutely(limit: float) -> Bucket:
    """Return what keeps below a limit for each minute."""
    return Bucket(max(limit * _AT_ONCE, 1.0), limit * _OVER_TIME / _MINUTE_S)

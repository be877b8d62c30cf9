"""
How long to wait before the next attempt: capped exponential growth with full jitter.

Full jitter spreads the attempts of many sources that one outage broke at the same moment.
"""

from __future__ import annotations

BASE_S = 0.5
CAP_S = 30.0

# 0.5 s doubled 32 times is past every cap.
_MOST_DOUBLINGS = 32


def delay_s(attempt: int, luck: float, cap_s: float = CAP_S) -> float:
    """
    Return the seconds to wait before attempt `attempt`; the first one after a failure is 1.

    Args:
        luck: A random number from 0 to 1.
    """
    doublings = min(max(attempt, 1) - 1, _MOST_DOUBLINGS)
    return min(cap_s, BASE_S * 2.0**doublings) * luck

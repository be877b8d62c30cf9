"""
When a link that works is replaced by a new one, before the venue closes it.

A venue closes its links after a day; links that were opened together would all go at once.
"""

from __future__ import annotations

import math

DAY_S = 86_400
_NS_PER_S = 1_000_000_000

# Of a life: the share that is always left, and the share that chance spreads links over.
_MARGIN = 0.05
_SPREAD = 0.05
# The same for a time of day, in seconds: it was chosen, so the spread is short.
_DAILY_SPREAD_S = 20.0


def due_in_s(
    *, link_life_s: float, renew_at: str, venue_life_s: float, now_ns: int, luck: float
) -> float:
    """
    Return after how many seconds a link that opens now is to be renewed; infinity for never.

    Args:
        link_life_s: The operator's own; 0 for none.
        renew_at: `HH:MM` UTC, instead of it; empty for none.
        venue_life_s: After so long the venue closes the link; 0 where it does not.
        luck: A random number from 0 to 1.
    """
    at_most_s = venue_life_s * (1 - _MARGIN - _SPREAD * luck) if venue_life_s else math.inf
    if renew_at:
        return min(_until_s(renew_at, now_ns) + _DAILY_SPREAD_S * luck, at_most_s)
    if link_life_s:
        return min(link_life_s * (1 - _SPREAD * luck), at_most_s)
    return at_most_s


def _until_s(renew_at: str, now_ns: int) -> float:
    hours, minutes = renew_at.split(":")
    at_s = int(hours) * 3600 + int(minutes) * 60
    now_s = now_ns / _NS_PER_S % DAY_S
    # Exactly now is a day away: the link has just been opened.
    return (at_s - now_s) % DAY_S or float(DAY_S)

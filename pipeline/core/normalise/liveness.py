"""
Which channels are silent though they should speak.

A link that is open says nothing about one subscription in it. So each is watched by itself; it is
told once for each silence, and any record of it, repeats too, ends that.

How long a channel may be silent, in seconds, where the source does not say otherwise:

    orderbook           120   quiet books change less than once a minute; OKX then sends empty ones
    ticker              120   as books
    trade               300   many symbols are not traded for minutes
    kline               180   venues send a candle as it changes, and at the latest when it closes
    volatility_index     60   once a second
    funding             180   OKX: every 30 to 90 s
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.normalise.stream import Stream

STALE_S: Mapping[str, float] = {
    "orderbook": 120.0,
    "ticker": 120.0,
    "trade": 300.0,
    "kline": 180.0,
    "volatility_index": 60.0,
    "funding": 180.0,
}


class _Watch:
    __slots__ = ("limit_ns", "since_ns", "stream", "told_ns")

    def __init__(self, stream: Stream, limit_ns: int, since_ns: int) -> None:
        self.stream = stream
        self.limit_ns = limit_ns
        # A silence begins here at the earliest.
        self.since_ns = since_ns
        # Which silence was told, by its beginning.
        self.told_ns = -1


class Liveness:
    """All channels that should speak now."""

    def __init__(self, stale_s: Mapping[str, float]) -> None:
        """
        Args:
            stale_s: By type of data; see above for those it leaves out.
        """
        limits = {**STALE_S, **stale_s}
        self._limits_ns = {name: int(limit * 1e9) for name, limit in limits.items()}
        self._watches: dict[str, _Watch] = {}
        # Before then none can be silent for too long, so nothing need be looked at.
        self._next_ns = 0

    def watch(self, channel: str, stream: Stream, now_ns: int) -> None:
        limit_ns = self._limits_ns[stream.topic.data_type]
        self._watches[channel] = _Watch(stream, limit_ns, now_ns)
        self._next_ns = min(self._next_ns, now_ns + limit_ns)

    def forget(self, channel: str) -> None:
        self._watches.pop(channel, None)

    def set_back(self, now_ns: int) -> None:
        """Note that the clock was set back to this."""
        self._next_ns = now_ns
        for watch in self._watches.values():
            watch.since_ns = min(watch.since_ns, now_ns)

    def silent(self, now_ns: int) -> list[tuple[Stream, float]]:
        """Return the streams that have been silent for too long, and for how many seconds."""
        if now_ns < self._next_ns:
            return []
        found: dict[Stream, float] = {}
        next_ns = now_ns + min(self._limits_ns.values())
        for watch in self._watches.values():
            since_ns = max(watch.stream.heard_ns, watch.since_ns)
            due_ns = since_ns + watch.limit_ns
            if due_ns > now_ns:
                next_ns = min(next_ns, due_ns)
            elif watch.told_ns != since_ns:
                watch.told_ns = since_ns
                found[watch.stream] = (now_ns - since_ns) / 1e9
        self._next_ns = next_ns
        return list(found.items())

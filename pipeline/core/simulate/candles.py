"""Candles of one symbol, of the intervals that somebody has asked for."""

from __future__ import annotations

import msgspec


class Candle(msgspec.Struct):
    """
    Attributes:
        first_deal, deals: The number of its first trade and how many there were.
        volume: Lots; value: ticks times lots; bought, bought_value: by takers.
        closed: It changes no more.
    """

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    value: int = 0
    bought: int = 0
    bought_value: int = 0
    deals: int = 0
    closed: bool = False


class Candles:
    """Candles by their length in milliseconds; those of a length begin when first asked for."""

    def __init__(self, price: int) -> None:
        self._last = price
        self._open: dict[int, Candle] = {}
        self._closed: dict[int, list[Candle]] = {}

    def take(self, price: int, lots: int, now_ms: int, *, bought: bool) -> None:
        for length_ms in self._open:
            self._roll(length_ms, now_ms)
        self._last = price
        for candle in self._open.values():
            candle.high = max(candle.high, price)
            candle.low = min(candle.low, price)
            candle.close = price
            candle.volume += lots
            candle.value += price * lots
            candle.deals += 1
            if bought:
                candle.bought += lots
                candle.bought_value += price * lots

    def of(self, length_ms: int, now_ms: int) -> list[Candle]:
        """Return those that closed since the last call, then the open one."""
        if length_ms not in self._open:
            self._begin(length_ms, now_ms)
        self._roll(length_ms, now_ms)
        return [*self._closed.pop(length_ms, ()), self._open[length_ms]]

    def _roll(self, length_ms: int, now_ms: int) -> None:
        candle = self._open[length_ms]
        if candle.close_ms < now_ms:
            candle.closed = True
            self._closed.setdefault(length_ms, []).append(candle)
            self._begin(length_ms, now_ms)

    def _begin(self, length_ms: int, now_ms: int) -> None:
        begin = now_ms - now_ms % length_ms
        price = self._last
        self._open[length_ms] = Candle(begin, begin + length_ms - 1, price, price, price, price)

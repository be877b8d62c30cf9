"""
Deribit's frames -> records and replies: which frame is what.

    {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "...", "data": ...}}
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}

Source: docs.deribit.com, pages "Subscription Channels", "Notifications", "public/set_heartbeat"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeAlias

import msgspec
from msgspec import UNSET

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Demand, Hearing, Skipped
from pipeline.core.venues.deribit import records, shapes
from pipeline.core.venues.deribit.channels import INTERVALS, OWN, request
from pipeline.core.venues.deribit.replies import accepted, rejected
from pipeline.core.venues.reading import checked_symbol, digest, parsed

TEST = request("public/test", {}, OWN)

_Reader: TypeAlias = Callable[[msgspec.Raw], Hearing]

_SPEED = r"(?:100ms|raw|agg2)"
_BOOK = re.compile(rf"book\.[^.]+\.{_SPEED}")
_TRADES = re.compile(rf"trades\.[^.]+\.{_SPEED}")
_TICKER = re.compile(rf"ticker\.[^.]+\.{_SPEED}|quote\.[^.]+")
_CANDLE = re.compile(r"chart\.trades\.([^.]{1,64})\.(\w{1,4})")
_INDEX = re.compile(r"deribit_volatility_index\.[^.]+")
_PERPETUAL = re.compile(rf"perpetual\.([^.]{{1,64}})\.{_SPEED}")

_RESOLUTIONS = {theirs: ours for ours, theirs in INTERVALS.items()}


def decode(frame: bytes | memoryview) -> Hearing:
    """
    Return what the frame says; several trades of one notification in their order.

    Raises:
        DecodeError: Not JSON, not of the documented shape, or a number we cannot hold.
    """
    head = parsed(shapes.head, frame)
    params = head.params
    if head.method == "subscription" and params is not UNSET and params.channel:
        read = _reader(params.channel)
        return read(params.data) if read is not None else (Skipped.OTHER_KIND,)
    if head.method == "heartbeat" and params is not UNSET:
        return (Demand(TEST) if params.type == "test_request" else Skipped.REPLY,)
    if head.error is not UNSET:
        return (rejected(head.id, head.error),)
    if head.result is not UNSET:
        return (accepted(head.id, head.result),)
    raise DecodeError("shape", "neither a notification, nor a heartbeat, nor a reply")


@lru_cache(maxsize=8_192)
def _reader(channel: str) -> _Reader | None:
    """Return who reads the data of a channel, if anybody does."""
    for pattern, read in _READERS:
        if pattern.fullmatch(channel):
            return read
    if found := _PERPETUAL.fullmatch(channel):
        return partial(_read_funding, checked_symbol(found[1]))
    found = _CANDLE.fullmatch(channel)
    if found and found[2] in _RESOLUTIONS:
        return partial(_read_candle, checked_symbol(found[1]), _RESOLUTIONS[found[2]])
    return None


def _read_trades(data: msgspec.Raw) -> Hearing:
    found = parsed(shapes.trades, data)
    # A notification of no trade would not be documented, and would be no news.
    return [records.trade(one) for one in found] or (Skipped.OTHER_KIND,)


def _read_book(data: msgspec.Raw) -> Hearing:
    return (records.book(parsed(shapes.books, data)),)


def _read_ticker(data: msgspec.Raw) -> Hearing:
    return (records.ticker(parsed(shapes.tickers, data), digest(data)),)


def _read_index(data: msgspec.Raw) -> Hearing:
    return (records.volatility_index(parsed(shapes.indices, data), digest(data)),)


def _read_candle(symbol: str, interval: str, data: msgspec.Raw) -> Hearing:
    return (records.kline(symbol, interval, parsed(shapes.candles, data), digest(data)),)


def _read_funding(symbol: str, data: msgspec.Raw) -> Hearing:
    return (records.funding(symbol, parsed(shapes.fundings, data), digest(data)),)


_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (_BOOK, _read_book),
    (_TICKER, _read_ticker),
    (_TRADES, _read_trades),
    (_INDEX, _read_index),
)

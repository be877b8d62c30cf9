"""
Deribit's channels.

    {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "...", "data": ...}}

A book begins with a snapshot; each change names the one before it. `raw` channels speak at once and
want a login; `100ms` ones gather.

Source: docs.deribit.com, pages "Subscription Channels"
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pipeline.core.simulate.book import Book, Deal, Top
from pipeline.core.simulate.deribit import words
from pipeline.core.simulate.deribit.desk import ROOT, Desk
from pipeline.core.simulate.deribit.session import TOO_MANY, Session
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.frame import Frame
from pipeline.core.simulate.market import TICK_MS, Market
from pipeline.core.simulate.mouth import Answer, json

SECOND_TICKS = 1000 // TICK_MS
RAW = "raw"
# How often the gathering channels speak, in ticks.
SPEEDS = {"100ms": 1, "agg2": 2}
VOLATILITY = "deribit_volatility_index"
WITH_VOLATILITY = ("BTC", "ETH")

TYPES = {
    "trades": "trade",
    "book": "orderbook",
    "ticker": "ticker",
    "quote": "ticker",
    "chart.trades": "kline",
    "perpetual": "funding",
    VOLATILITY: "volatility_index",
}
_CHANNEL = re.compile(r"(?P<kind>chart\.trades|[a-z_]+)\.(?P<symbol>[\w-]+)(?:\.(?P<speed>\w+))?")


class Deribit:
    venue = "deribit"
    path = "/ws/api/v2"
    rest_root = ROOT
    calls_per = (100, 5.0)

    def __init__(self, market: Market, faults: Faults, *, checksums: bool) -> None:
        self._market = market
        self._faults = faults
        self._now_ms = 0
        self._desk = Desk(market, faults)
        self._deals: dict[tuple[str, str], list[Deal]] = defaultdict(list)
        self._told = {
            (symbol, speed): book.number
            for symbol, book in market.books.items()
            for speed in (RAW, *SPEEDS)
        }

    def session(self, path: str, now_s: float) -> Session:
        return Session(
            path,
            now_s,
            takes=self._takes,
            other=lambda method, params: self._desk.called(method, params, self._now_ms),
        )

    def live(
        self, events: Sequence[Top | Deal], heard: Collection[str], now_ms: int
    ) -> Iterator[Frame]:
        self._now_ms = now_ms
        for event in events:
            symbol = event.book.instrument.symbol
            if isinstance(event, Deal):
                for speed in SPEEDS:
                    self._deals[symbol, speed].append(event)
                if f"trades.{symbol}.{RAW}" in heard:
                    yield self._frame("trades", symbol, RAW, [words.trade(event)], event.number)
            elif f"quote.{symbol}" in heard:
                yield self._frame("quote", symbol, "", words.quote(event), event.number)
        for book in self._market.books.values():
            yield from self._book(book, RAW, heard, now_ms)

    def tick(self, number: int, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        for symbol, book in self._market.books.items():
            for speed, every in SPEEDS.items():
                if number % every == 0:
                    yield from self._gathered(symbol, speed, heard)
                    yield from self._book(book, speed, heard, now_ms)
            if number % SECOND_TICKS == 0:
                yield from self._slow(book, heard, now_ms)
        if number % SECOND_TICKS == 0:
            for currency in WITH_VOLATILITY:
                index = f"{currency.lower()}_usd"
                if f"{VOLATILITY}.{index}" in heard:
                    value = self._market.volatility[currency]
                    data = words.volatility(index, value, now_ms)
                    yield self._frame(VOLATILITY, index, "", data)

    def greeting(self, channel: str, now_ms: int) -> Frame | None:
        found = _CHANNEL.fullmatch(channel)
        assert found
        kind, symbol, speed = found["kind"], found["symbol"], found["speed"] or ""
        if kind == VOLATILITY:
            value = self._market.volatility[symbol.partition("_")[0].upper()]
            return self._frame(kind, symbol, "", words.volatility(symbol, value, now_ms))
        return self._first_word(self._market.books[symbol], kind, speed, now_ms)

    def _first_word(self, book: Book, kind: str, speed: str, now_ms: int) -> Frame | None:
        symbol = book.instrument.symbol
        match kind:
            case "book" if self._faults.withholds_snapshot(symbol):
                return None
            case "book":
                return self._snapshot(book, speed, now_ms)
            case "ticker":
                return self._frame(kind, symbol, speed, words.ticker(book, self._market, now_ms))
            case "quote":
                return self._frame(kind, symbol, "", words.quote(book.top(now_ms)))
            case "perpetual":
                data = words.perpetual(book, self._market, now_ms)
                return self._frame(kind, symbol, speed, data)
            case _:
                return None

    def farewell(self, now_ms: int) -> bytes:
        data = {"locked": "true", "maintenance": True}
        return json(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": "platform_state", "data": data},
            }
        )

    def encode(self, frame: Frame, form: str) -> bytes:
        params = {"channel": frame.channel, "data": frame.data}
        return json({"jsonrpc": "2.0", "method": "subscription", "params": params})

    def rest(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return self._desk.answer(path, query, now_ms)

    def too_many(self, wait_s: int) -> Answer:
        error = {"code": TOO_MANY, "message": "too_many_requests", "data": {"wait": wait_s}}
        return Answer(HTTPStatus.TOO_MANY_REQUESTS, json({"jsonrpc": "2.0", "error": error}))

    def used(self, weight: int) -> Mapping[str, str]:
        return {}

    def _gathered(self, symbol: str, speed: str, heard: Collection[str]) -> Iterator[Frame]:
        deals = self._deals.pop((symbol, speed), [])
        if deals and f"trades.{symbol}.{speed}" in heard:
            data = [words.trade(deal) for deal in deals]
            yield self._frame("trades", symbol, speed, data, deals[-1].number)

    def _book(self, book: Book, speed: str, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        symbol = book.instrument.symbol
        before, self._told[symbol, speed] = self._told[symbol, speed], book.number
        if before == book.number:
            return
        if f"book.{symbol}.{speed}" in heard:
            data = words.change(book, before, now_ms)
            yield self._frame("book", symbol, speed, data, book.number)
        if f"ticker.{symbol}.{speed}" in heard:
            data = words.ticker(book, self._market, now_ms)
            yield self._frame("ticker", symbol, speed, data, book.number)

    def _slow(self, book: Book, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        symbol = book.instrument.symbol
        for speed in (RAW, *SPEEDS):
            if f"perpetual.{symbol}.{speed}" in heard:
                data = words.perpetual(book, self._market, now_ms)
                yield self._frame("perpetual", symbol, speed, data)
        for resolution, length_ms in words.RESOLUTIONS_MS.items():
            if f"chart.trades.{symbol}.{resolution}" in heard:
                for candle in book.candles.of(length_ms, now_ms):
                    data = words.candle(book.instrument, candle)
                    yield self._frame("chart.trades", symbol, resolution, data)

    def _snapshot(self, book: Book, speed: str, now_ms: int) -> Frame:
        symbol = book.instrument.symbol
        # Not `book.number`: a slower channel may not have told of that yet.
        number = self._told[symbol, speed]
        if age := self._faults.snapshot_age(symbol):
            number = book.journal.back(age)
        data = words.snapshot(book, book.journal.at(number), number, now_ms)
        name = f"book.{symbol}.{speed}"
        return Frame(name, symbol, "book", "orderbook", data, number, snapshot=True)

    def _frame(self, kind: str, symbol: str, part: str, data: Any, number: int = 0) -> Frame:
        channel = f"{kind}.{symbol}.{part}" if part else f"{kind}.{symbol}"
        return Frame(channel, symbol, kind, TYPES[kind], data, number)

    def _takes(self, channel: str) -> bool:
        found = _CHANNEL.fullmatch(channel)
        if not found or found["kind"] not in TYPES:
            return False
        kind, symbol, part = found["kind"], found["symbol"], found["speed"] or ""
        return self._has(kind, symbol, part) and not self._faults.refuses(
            symbol, channel, kind, TYPES[kind]
        )

    def _has(self, kind: str, symbol: str, part: str) -> bool:
        if kind == VOLATILITY:
            return not part and symbol in [f"{name.lower()}_usd" for name in WITH_VOLATILITY]
        book = self._market.books.get(symbol)
        if book is None:
            return False
        match kind:
            case "quote":
                return not part
            case "chart.trades":
                return part in words.RESOLUTIONS_MS
            case "perpetual":
                return book.instrument.is_perpetual and part in (RAW, *SPEEDS)
            case _:
                return part in (RAW, *SPEEDS)

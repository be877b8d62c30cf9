"""
Binance's streams.

    {"stream": "btcusdt@trade", "data": {"e": "trade", ...}}    or the data alone

Spot numbers every change of a book by one more; the futures skip numbers and name the update
before instead (`pu`). Since 2026 the USD-M streams are parted: books and best prices at /public,
trades, candles and mark prices at /market.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams and
developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec

from pipeline.core.simulate.binance import words
from pipeline.core.simulate.binance.rest import Desk
from pipeline.core.simulate.binance.session import COMBINED, Session
from pipeline.core.simulate.book import Book, Deal, Top
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.frame import Frame
from pipeline.core.simulate.market import TICK_MS, Market
from pipeline.core.simulate.mouth import Answer

# How often a stream of differences speaks, in ticks.
SPOT_SPEEDS = {"depth@100ms": 1, "depth": 10}
FUTURES_SPEEDS = {"depth@100ms": 1, "depth@0ms": 1, "depth": 3, "depth@500ms": 5}
MARK_SPEEDS = {"markPrice@1s": 10, "markPrice": 30}
TICKS_PER_S = 1000 // TICK_MS


class BinanceSpot:
    venue = "binance"
    path = "/stream"
    speeds: Mapping[str, int] = SPOT_SPEEDS
    messages_per_s = 5
    rest_root = "/api/v3"
    calls_per = (6_000, 60.0)
    futures = False
    inverse = False
    parted = False

    def __init__(self, market: Market, faults: Faults, *, checksums: bool) -> None:
        self._market = market
        self._faults = faults
        self._by_name = {symbol.lower(): book for symbol, book in market.books.items()}
        self._told = {
            (symbol, channel): book.number
            for symbol, book in market.books.items()
            for channel in self.speeds
        }
        self._desk = Desk(
            market, faults, root=self.rest_root, futures=self.futures, inverse=self.inverse
        )

    def session(self, path: str, now_s: float) -> Session:
        return Session(
            path,
            refuses=self._refuses,
            messages_per_s=self.messages_per_s,
            parted=self.parted,
        )

    def live(
        self, events: Sequence[Top | Deal], heard: Collection[str], now_ms: int
    ) -> Iterator[Frame]:
        for event in events:
            symbol = event.book.instrument.symbol
            for kind, say in self._said_of(event):
                channel = f"{symbol.lower()}@{kind}"
                if channel in heard:
                    data_type = "ticker" if isinstance(event, Top) else "trade"
                    yield Frame(channel, symbol, kind, data_type, say(), event.number)

    def tick(self, number: int, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        for symbol, book in self._market.books.items():
            for channel, every in self.speeds.items():
                if number % every == 0:
                    yield from self._depth(book, channel, heard, now_ms)
            if number % TICKS_PER_S == 0:
                yield from self._candles(book, heard, now_ms)
            for channel, every in MARK_SPEEDS.items():
                name = f"{symbol.lower()}@{channel}"
                if self.futures and name in heard and number % every == 0:
                    data = words.mark(book, self._market, now_ms)
                    yield Frame(name, symbol, "markPrice", "funding", data)

    def greeting(self, channel: str, now_ms: int) -> Frame | None:
        return None  # Nothing here begins with a word of its own.

    def farewell(self, now_ms: int) -> bytes:
        return msgspec.json.encode({"e": "serverShutdown", "E": now_ms})

    def encode(self, frame: Frame, form: str) -> bytes:
        if form == COMBINED:
            return msgspec.json.encode({"stream": frame.channel, "data": frame.data})
        return msgspec.json.encode(frame.data)

    def rest(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return self._desk.answer(path, query, now_ms)

    def too_many(self, wait_s: int) -> Answer:
        body = {"code": -1003, "msg": "Too many requests; current limit is exceeded."}
        return Answer(
            HTTPStatus.TOO_MANY_REQUESTS,
            msgspec.json.encode(body),
            headers={"Retry-After": str(wait_s)},
        )

    def used(self, weight: int) -> Mapping[str, str]:
        return {"X-MBX-USED-WEIGHT-1M": str(weight)}

    def _said_of(self, event: Top | Deal) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
        told = {"futures": self.futures, "inverse": self.inverse}
        if isinstance(event, Top):
            return [("bookTicker", partial(words.best, event, **told))]
        return [
            ("trade", partial(words.trade, event, **told)),
            ("aggTrade", partial(words.aggregate, event, **told)),
        ]

    def _refuses(self, channel: str) -> bool:
        name, _, kind = channel.partition("@")
        return self._faults.refuses(name.upper(), channel, kind, kind.partition("@")[0])

    def _depth(
        self, book: Book, channel: str, heard: Collection[str], now_ms: int
    ) -> Iterator[Frame]:
        symbol = book.instrument.symbol
        before = self._told[symbol, channel]
        if before == book.number:
            return
        self._told[symbol, channel] = book.number
        name = f"{symbol.lower()}@{channel}"
        if name in heard:
            first, changed = book.journal.since(before)
            data: dict[str, Any] = words.depth(
                book, first, before, changed, now_ms, futures=self.futures, inverse=self.inverse
            )
            yield Frame(name, symbol, "depth", "orderbook", data, book.number)

    def _candles(self, book: Book, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        symbol = book.instrument.symbol
        for interval, length_ms in words.INTERVALS_MS.items():
            name = f"{symbol.lower()}@kline_{interval}"
            if name in heard:
                for candle in book.candles.of(length_ms, now_ms):
                    data = words.kline(book, interval, candle, now_ms, futures=self.futures)
                    yield Frame(name, symbol, "kline", "kline", data)


class BinanceUsdM(BinanceSpot):
    venue = "binance-usdm"
    path = "/market/stream"
    speeds = FUTURES_SPEEDS
    messages_per_s = 10
    rest_root = "/fapi/v1"
    calls_per = (2_400, 60.0)
    futures = True
    parted = True


class BinanceCoinM(BinanceSpot):
    venue = "binance-coinm"
    speeds = FUTURES_SPEEDS
    messages_per_s = 10
    rest_root = "/dapi/v1"
    calls_per = (2_400, 60.0)
    futures = True
    inverse = True

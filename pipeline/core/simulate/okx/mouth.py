"""
OKX's channels.

    {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "update", "data": [{...}]}

A book begins with a snapshot; each update names the one before it (`prevSeqId`), and numbers skip.
The checksum is 0, as at the real venue since 2026; a real one can be had.

Source: www.okx.com/docs-v5/en/#order-book-trading-market-data and
#public-data-websocket-funding-rate-channel
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pipeline.core.simulate.book import Book, Deal, Top
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.frame import Frame
from pipeline.core.simulate.market import Market
from pipeline.core.simulate.mouth import Answer, json
from pipeline.core.simulate.okx import words
from pipeline.core.simulate.okx.rest import ROOT, Desk
from pipeline.core.simulate.okx.session import CONNECTION, Session

CANDLE_TICKS = 5
FUNDING_TICKS = 100
SMALL = 5

PUBLIC = {
    "trades": "trade",
    "tickers": "ticker",
    "books": "orderbook",
    "books5": "orderbook",
    "bbo-tbt": "orderbook",
    "funding-rate": "funding",
}
BUSINESS = {"trades-all": "trade", **dict.fromkeys(words.CANDLES_MS, "kline")}


class Okx:
    venue = "okx"
    path = "/ws/v5/public"
    rest_root = ROOT
    calls_per = (40, 2.0)

    def __init__(self, market: Market, faults: Faults, *, checksums: bool) -> None:
        self._market = market
        self._faults = faults
        self._checksums = checksums
        self._told = {symbol: book.number for symbol, book in market.books.items()}
        self._desk = Desk(market, faults)

    def session(self, path: str, now_s: float) -> Session:
        return Session(path, now_s, self._takes)

    def live(
        self, events: Sequence[Top | Deal], heard: Collection[str], now_ms: int
    ) -> Iterator[Frame]:
        for event in events:
            symbol = event.book.instrument.symbol
            for kind in ("trades", "trades-all") if isinstance(event, Deal) else ("bbo-tbt",):
                if f"{kind}:{symbol}" not in heard:
                    continue
                data = words.best(event) if isinstance(event, Top) else words.trade(event)
                if kind == "trades":
                    data |= {"count": "1", "source": "0", "seqId": event.number}
                yield self._frame(kind, symbol, data, event.number)

    def tick(self, number: int, heard: Collection[str], now_ms: int) -> Iterator[Frame]:
        for symbol, book in self._market.books.items():
            before, self._told[symbol] = self._told[symbol], book.number
            if before != book.number:
                yield from self._changed(book, before, heard, now_ms)
            if number % FUNDING_TICKS == 0 and f"funding-rate:{symbol}" in heard:
                data = words.funding(book, self._market, now_ms)
                yield self._frame("funding-rate", symbol, data)
            if number % CANDLE_TICKS == 0:
                for kind, length_ms in words.CANDLES_MS.items():
                    if f"{kind}:{symbol}" in heard:
                        for candle in book.candles.of(length_ms, now_ms):
                            yield self._frame(kind, symbol, words.candle(book.instrument, candle))

    def greeting(self, channel: str, now_ms: int) -> Frame | None:
        kind, _, symbol = channel.partition(":")
        book = self._market.books[symbol]
        match kind:
            case "books" if self._faults.withholds_snapshot(symbol):
                return None
            case "books":
                return self._snapshot(book, now_ms)
            case "books5":
                return self._small(book, now_ms)
            case "tickers":
                return self._frame(kind, symbol, words.ticker(book, now_ms))
            case "funding-rate":
                return self._frame(kind, symbol, words.funding(book, self._market, now_ms))
            case _:
                return None

    def farewell(self, now_ms: int) -> bytes:
        text = "The connection will soon be closed for a service upgrade. Please reconnect."
        return json({"event": "notice", "code": "64008", "msg": text, "connId": CONNECTION})

    def encode(self, frame: Frame, form: str) -> bytes:
        body: dict[str, Any] = {"arg": {"channel": frame.kind, "instId": frame.symbol}}
        if frame.kind == "books":
            body["action"] = "snapshot" if frame.snapshot else "update"
        return json({**body, "data": [frame.data]})

    def rest(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        return self._desk.answer(path, query, now_ms)

    def too_many(self, wait_s: int) -> Answer:
        body = {"code": "50011", "data": [], "msg": "Too Many Requests"}
        return Answer(HTTPStatus.TOO_MANY_REQUESTS, json(body))

    def used(self, weight: int) -> Mapping[str, str]:
        return {}

    def _changed(
        self, book: Book, before: int, heard: Collection[str], now_ms: int
    ) -> Iterator[Frame]:
        symbol = book.instrument.symbol
        if f"books:{symbol}" in heard:
            _, changed = book.journal.since(before)
            data = words.book(book, changed, book.number, now_ms)
            data |= {"prevSeqId": before, "checksum": self._checksum(book)}
            yield self._frame("books", symbol, data, book.number)
        if f"books5:{symbol}" in heard:
            yield self._small(book, now_ms)
        if f"tickers:{symbol}" in heard:
            yield self._frame("tickers", symbol, words.ticker(book, now_ms), book.number)

    def _snapshot(self, book: Book, now_ms: int) -> Frame:
        symbol, number, levels = book.instrument.symbol, book.number, book.levels
        if age := self._faults.snapshot_age(symbol):
            number = book.journal.back(age)
            levels = book.journal.at(number)
        data = words.book(book, levels, number, now_ms)
        # What the venue computes is of the book that it sends.
        check = words.checksum(book.instrument, levels) if self._checksums else 0
        data |= {"prevSeqId": -1, "checksum": check}
        return Frame(f"books:{symbol}", symbol, "books", "orderbook", data, number, snapshot=True)

    def _small(self, book: Book, now_ms: int) -> Frame:
        data = words.book(book, book.levels, book.number, now_ms, SMALL)
        return self._frame("books5", book.instrument.symbol, data, book.number)

    def _checksum(self, book: Book) -> int:
        return words.checksum(book.instrument, book.levels) if self._checksums else 0

    def _frame(self, kind: str, symbol: str, data: Any, number: int = 0) -> Frame:
        data_type = PUBLIC.get(kind) or BUSINESS[kind]
        return Frame(f"{kind}:{symbol}", symbol, kind, data_type, data, number)

    def _takes(self, path: str, kind: str, symbol: str) -> bool:
        kinds = PUBLIC if path == "public" else BUSINESS
        book = self._market.books.get(symbol)
        if book is None or kind not in kinds:
            return False
        if kind == "funding-rate" and not book.instrument.is_perpetual:
            return False
        return not self._faults.refuses(symbol, f"{kind}:{symbol}", kind, kinds[kind])

"""
Deribit's methods that concern no session; by REST and by WebSocket alike.

Source: docs.deribit.com, pages "public/get_instruments", "public/get_last_trades_by_instrument",
"public/get_order_book"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from pipeline.core.simulate.book import Book
from pipeline.core.simulate.deribit import words
from pipeline.core.simulate.deribit.session import BAD_PARAMS, NO_METHOD, Refusal
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.market import Market
from pipeline.core.simulate.mouth import Answer, json

ROOT = "/api/v2"
MOST_TRADES = 1000
# In units of an ordinary call.
TABLE_WEIGHT = 20


class Desk:
    def __init__(self, market: Market, faults: Faults) -> None:
        self._market = market
        self._faults = faults
        self._now_ms = 0
        self._methods: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "public/get_instruments": self._instruments,
            "public/get_last_trades_by_instrument": self._trades,
            "public/get_order_book": self._book_now,
            "public/get_time": lambda params: self._now_ms,
            "public/test": lambda params: {"version": "1.2.26"},
        }

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        method = path.removeprefix(f"{ROOT}/")
        weight = TABLE_WEIGHT if method == "public/get_instruments" else 1
        try:
            result = self.called(method, query, now_ms)
        except Refusal as e:
            status = HTTPStatus.NOT_FOUND if e.code == NO_METHOD else HTTPStatus.BAD_REQUEST
            error = {"code": e.code, "message": str(e)}
            return Answer(status, json({"jsonrpc": "2.0", "error": error}), weight)
        return Answer(
            HTTPStatus.OK, json({"jsonrpc": "2.0", "result": result, "testnet": False}), weight
        )

    def called(self, method: str, params: Mapping[str, Any], now_ms: int) -> Any:
        """
        Return the result.

        Raises:
            Refusal: There is no such method, or it does not want these parameters.
        """
        self._now_ms = now_ms
        if method not in self._methods:
            raise Refusal(NO_METHOD, "Method not found")
        return self._methods[method](params)

    def _instruments(self, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        currency = params.get("currency")
        if not currency:
            raise Refusal(BAD_PARAMS, "Invalid params")
        rows = [words.instrument(book.instrument) for book in self._market.books.values()]
        return [
            row
            for row in rows
            if currency in ("any", row["settlement_currency"], row["base_currency"])
            and params.get("kind", row["kind"]) == row["kind"]
        ]

    def _trades(self, params: Mapping[str, Any]) -> dict[str, Any]:
        first = _number(params, "start_seq", 0)
        last = _number(params, "end_seq", 1 << 63)
        most = min(_number(params, "count", 10), MOST_TRADES)
        found = [deal for deal in self._book(params).deals if first <= deal.number <= last]
        if params.get("sorting") != "asc":
            found.reverse()
        trades = [words.trade(deal) for deal in found[:most]]
        return {"trades": trades, "has_more": len(found) > most}

    def _book_now(self, params: Mapping[str, Any]) -> dict[str, Any]:
        book = self._book(params)
        number, levels = book.number, book.levels
        if age := self._faults.snapshot_age(book.instrument.symbol):
            number = book.journal.back(age)
            levels = book.journal.at(number)
        found = words.snapshot(book, levels, number, self._now_ms)
        most = _number(params, "depth", 5)
        sides = {side: [level[1:] for level in found[side][:most]] for side in ("bids", "asks")}
        del found["type"]
        return {**words.ticker(book, self._market, self._now_ms), **found, **sides}

    def _book(self, params: Mapping[str, Any]) -> Book:
        book = self._market.books.get(params.get("instrument_name", ""))
        if book is None:
            raise Refusal(BAD_PARAMS, "Invalid params")
        return book


def _number(params: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = params.get(name, otherwise)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if not isinstance(value, int):
        raise Refusal(BAD_PARAMS, "Invalid params")
    return value

"""
OKX's REST answers: `{"code": "0", "msg": "", "data": [...]}`.

Source: www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments and
#order-book-trading-market-data-get-order-book, -get-trades, -get-trades-history
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from pipeline.core.simulate.book import Book, Deal
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.instrument import Instrument
from pipeline.core.simulate.market import Market
from pipeline.core.simulate.mouth import Answer, json
from pipeline.core.simulate.okx import words
from pipeline.core.simulate.text import short

ROOT = "/api/v5"
MOST_LEVELS, MOST_TRADES, MOST_OF_HISTORY = 400, 500, 100

NO_INSTRUMENT, BAD_PARAMETER = "51001", "51000"


class Refusal(Exception):
    """The call is not as the venue wants it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Desk:
    """Whom REST calls reach."""

    def __init__(self, market: Market, faults: Faults) -> None:
        self._market = market
        self._faults = faults
        calls: dict[str, Callable[[Mapping[str, str], int], list[Any]]] = {
            "public/time": lambda query, now_ms: [{"ts": str(now_ms)}],
            "public/instruments": self._instruments,
            "public/funding-rate": self._funding,
            "market/books": self._books,
            "market/trades": self._trades,
            "market/history-trades": self._history,
        }
        self._calls = {f"{ROOT}/{name}": call for name, call in calls.items()}

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        call = self._calls.get(path)
        if call is None:
            body = {"code": "404", "data": [], "msg": "Not found"}
            return Answer(HTTPStatus.NOT_FOUND, json(body))
        try:
            found = call(query, now_ms)
        except Refusal as e:
            body = {"code": e.code, "data": [], "msg": str(e)}
            return Answer(HTTPStatus.OK, json(body))
        return Answer(HTTPStatus.OK, json({"code": "0", "msg": "", "data": found}))

    def _instruments(self, query: Mapping[str, str], now_ms: int) -> list[Any]:
        wanted = query.get("instType", "")
        if wanted not in ("SPOT", "SWAP", "FUTURES", "OPTION", "MARGIN"):
            raise Refusal(BAD_PARAMETER, "Parameter instType error")
        return [
            _instrument(book.instrument)
            for book in self._market.books.values()
            if words.KINDS[book.instrument.kind] == wanted
        ]

    def _funding(self, query: Mapping[str, str], now_ms: int) -> list[Any]:
        book = self._book(query)
        if not book.instrument.is_perpetual:
            raise Refusal(BAD_PARAMETER, "Parameter instId error")
        return [words.funding(book, self._market, now_ms)]

    def _books(self, query: Mapping[str, str], now_ms: int) -> list[Any]:
        book = self._book(query)
        number, levels = book.number, book.levels
        if age := self._faults.snapshot_age(book.instrument.symbol):
            number = book.journal.back(age)
            levels = book.journal.at(number)
        most = min(_number(query, "sz", 1), MOST_LEVELS)
        return [words.book(book, levels, number, now_ms, most)]

    def _trades(self, query: Mapping[str, str], now_ms: int) -> list[Any]:
        most = min(_number(query, "limit", 100), MOST_TRADES)
        return [words.trade(deal) for deal in self._youngest_first(query)[:most]]

    def _history(self, query: Mapping[str, str], now_ms: int) -> list[Any]:
        """Return trades below the number `after` and above the number `before`."""
        below = _number(query, "after", 1 << 63)
        above = _number(query, "before", -1)
        most = min(_number(query, "limit", 100), MOST_OF_HISTORY)
        found = [deal for deal in self._youngest_first(query) if above < deal.number < below]
        return [words.trade(deal) for deal in found[:most]]

    def _youngest_first(self, query: Mapping[str, str]) -> list[Deal]:
        return list(self._book(query).deals)[::-1]

    def _book(self, query: Mapping[str, str]) -> Book:
        book = self._market.books.get(query.get("instId", ""))
        if book is None:
            raise Refusal(NO_INSTRUMENT, "Instrument ID doesn't exist.")
        return book


def _instrument(one: Instrument) -> dict[str, Any]:
    spot = one.kind == "spot"
    return {
        "alias": "",
        "baseCcy": one.base if spot else "",
        "ctMult": "" if spot else "1",
        "ctType": "" if spot else "linear",
        "ctVal": "" if spot else "0.01",
        "ctValCcy": "" if spot else one.base,
        "expTime": str(one.expiry_ms) if one.expiry_ms else "",
        "instFamily": "" if spot else f"{one.base}-{one.quote}",
        "instId": one.symbol,
        "instType": words.KINDS[one.kind],
        "lotSz": short(1, one.lot_decimals),
        "minSz": short(1, one.lot_decimals),
        "quoteCcy": one.quote if spot else "",
        "settleCcy": "" if spot else one.quote,
        "state": "live",
        "tickSz": short(1, one.decimals),
        "uly": "" if spot else f"{one.base}-{one.quote}",
    }


def _number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name) or str(otherwise)
    if name in query and not (text.isascii() and text.isdigit()):
        raise Refusal(BAD_PARAMETER, f"Parameter {name} error")
    return int(text)

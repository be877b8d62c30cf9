"""
Binance's REST answers about markets, with what each call weighs.

Source: developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints and the
same pages of the USD-M and COIN-M futures
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pipeline.core.simulate.binance import words
from pipeline.core.simulate.book import Book, Deal
from pipeline.core.simulate.faults import Faults
from pipeline.core.simulate.instrument import Instrument
from pipeline.core.simulate.journal import Side
from pipeline.core.simulate.market import Market
from pipeline.core.simulate.mouth import Answer, json

MOST_TRADES = 1000
# (levels up to, weight)
SPOT_DEPTH = ((100, 5), (500, 25), (1000, 50), (5000, 250))
FUTURES_DEPTH = ((50, 2), (100, 5), (500, 10), (1000, 20))
FUTURES_LIMITS = (5, 10, 20, 50, 100, 500, 1000)

INVALID_SYMBOL, MISSING, ILLEGAL = -1121, -1102, -1100


class Refusal(Exception):
    """The call is not as the venue wants it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Desk:
    """Whom REST calls of one market reach."""

    def __init__(
        self, market: Market, faults: Faults, *, root: str, futures: bool, inverse: bool
    ) -> None:
        self._market = market
        self._faults = faults
        self._futures = futures
        self._inverse = inverse
        calls: dict[str, Callable[[Mapping[str, str], int], Answer]] = {
            "ping": lambda query, now_ms: Answer(HTTPStatus.OK, b"{}"),
            "time": lambda query, now_ms: Answer(HTTPStatus.OK, json({"serverTime": now_ms})),
            "exchangeInfo": self._symbols,
            "depth": self._depth,
            "trades": self._trades,
            "historicalTrades": self._trades,
            "aggTrades": self._aggregates,
        }
        self._calls = {f"{root}/{name}": call for name, call in calls.items()}

    def answer(self, path: str, query: Mapping[str, str], now_ms: int) -> Answer:
        call = self._calls.get(path)
        if call is None:
            return Answer(HTTPStatus.NOT_FOUND, b"not found\n")
        try:
            return call(query, now_ms)
        except Refusal as e:
            return Answer(HTTPStatus.BAD_REQUEST, json({"code": e.code, "msg": str(e)}))

    def _depth(self, query: Mapping[str, str], now_ms: int) -> Answer:
        book = self._book(query)
        limit = _number(query, "limit", 500 if self._futures else 100)
        if self._futures and limit not in FUTURES_LIMITS:
            raise Refusal(-4021, f"{limit} is not valid depth limit")
        steps = FUTURES_DEPTH if self._futures else SPOT_DEPTH
        weight = next((weight for most, weight in steps if limit <= most), steps[-1][1])
        number, levels = book.number, book.levels
        if age := self._faults.snapshot_age(book.instrument.symbol):
            number = book.journal.back(age)
            levels = book.journal.at(number)
        body: dict[str, Any] = {"lastUpdateId": number}
        if self._futures:
            body |= {"E": now_ms, "T": now_ms}
        if self._inverse:
            body |= {
                "symbol": book.instrument.symbol,
                "pair": words.pair(book.instrument),
            }
        body["bids"] = _best(book, levels.bids, limit, bids=True)
        body["asks"] = _best(book, levels.asks, limit, bids=False)
        return Answer(HTTPStatus.OK, json(body), weight)

    def _trades(self, query: Mapping[str, str], now_ms: int) -> Answer:
        found = self._deals(query)
        body = [
            {
                "id": deal.number,
                "price": words.price(deal.book.instrument, deal.price),
                "qty": words.quantity(deal.book.instrument, deal.lots),
                "time": deal.at_ms,
                "isBuyerMaker": deal.seller,
            }
            for deal in found
        ]
        return Answer(HTTPStatus.OK, json(body), 5 if self._futures else 25)

    def _aggregates(self, query: Mapping[str, str], now_ms: int) -> Answer:
        body = [
            {
                name: value
                for name, value in words.aggregate(
                    deal, futures=self._futures, inverse=self._inverse
                ).items()
                if name not in ("e", "E", "s")
            }
            for deal in self._deals(query)
        ]
        return Answer(HTTPStatus.OK, json(body), 20 if self._futures else 4)

    def _deals(self, query: Mapping[str, str]) -> Sequence[Deal]:
        """Return those from `fromId` on, oldest first; the last ones without it."""
        deals = list(self._book(query).deals)
        limit = min(_number(query, "limit", 500), MOST_TRADES)
        if "fromId" in query:
            first = _number(query, "fromId", 0)
            return [deal for deal in deals if deal.number >= first][:limit]
        return deals[-limit:]

    def _symbols(self, query: Mapping[str, str], now_ms: int) -> Answer:
        body = {
            "timezone": "UTC",
            "serverTime": now_ms,
            "symbols": [self._symbol(book.instrument) for book in self._market.books.values()],
        }
        return Answer(HTTPStatus.OK, json(body), 1 if self._futures else 20)

    def _symbol(self, one: Instrument) -> dict[str, Any]:
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": words.price(one, 1)},
            {"filterType": "LOT_SIZE", "stepSize": words.quantity(one, 1)},
        ]
        found: dict[str, Any] = {
            "symbol": one.symbol,
            "baseAsset": one.base,
            "quoteAsset": one.quote,
            "filters": filters,
        }
        if not self._futures:
            return {**found, "status": "TRADING", "isSpotTradingAllowed": True}
        return {
            **found,
            "contractStatus" if self._inverse else "status": "TRADING",
            "pair": words.pair(one),
            "contractType": "PERPETUAL" if one.is_perpetual else "CURRENT_QUARTER",
            "deliveryDate": one.expiry_ms or 4_133_404_800_000,
            "pricePrecision": one.decimals,
            "quantityPrecision": one.lot_decimals,
        }

    def _book(self, query: Mapping[str, str]) -> Book:
        if "symbol" not in query:
            raise Refusal(
                MISSING, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            )
        book = self._market.books.get(query["symbol"])
        if book is None:
            raise Refusal(INVALID_SYMBOL, "Invalid symbol.")
        return book


def _best(book: Book, side: Side, limit: int, *, bids: bool) -> list[list[str]]:
    return words.levels(book.instrument, side, bids=bids)[:limit]


def _number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit()):
        raise Refusal(ILLEGAL, f"Illegal characters found in parameter '{name}'.")
    return int(text)

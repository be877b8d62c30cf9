"""
What is asked for by REST, and the answers: the symbol table, snapshots, missed trades.

An answer is `{"code": "0", "msg": "", "data": […]}`; any other code is an error.

Sources: www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments and
#order-book-trading-market-data-get-order-book, -get-trades, -get-trades-history
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Trade
from pipeline.core.venues.okx.shapes import BookData, TradeData
from pipeline.core.venues.reading import NS_PER_MS, Data, Symbol, checked_symbol, parsed
from pipeline.core.venues.venue import Call, Instrument

# The venue lists options only family by family. Those of another are found by their full names.
OPTION_FAMILIES = ("BTC-USD", "ETH-USD")
KINDS = {"SPOT": "spot", "SWAP": "perpetual", "FUTURES": "future", "OPTION": "option"}
DEPTH = 400
TRADES = 100

_CODE = re.compile(r"[0-9]{1,9}")
# Nanoseconds in 64 bits end at 9.2 * 10**12 of them.
_MILLISECONDS = re.compile(r"[0-9]{1,12}|[0-8][0-9]{12}")

T = TypeVar("T")


class _Answer(msgspec.Struct, Generic[T]):
    code: str
    data: list[T] = []


class _Instrument(msgspec.Struct, rename="camel"):
    inst_id: Symbol
    inst_type: str
    base_ccy: str = ""
    quote_ccy: str = ""
    uly: str = ""
    tick_sz: str = ""
    lot_sz: str = ""
    exp_time: str = ""
    state: str = "live"


_instruments = msgspec.json.Decoder(_Answer[_Instrument])
_books = msgspec.json.Decoder(_Answer[BookData], strict=False)
_deals = msgspec.json.Decoder(_Answer[TradeData], strict=False)


def instruments_calls() -> list[Call]:
    return [
        *(_call("public/instruments", instType=kind) for kind in KINDS if kind != "OPTION"),
        *(
            _call("public/instruments", instType="OPTION", instFamily=family)
            for family in OPTION_FAMILIES
        ),
    ]


def snapshot_call(symbol: str) -> Call:
    return _call("market/books", instId=symbol, sz=str(DEPTH))


def trades_call(symbol: str, after: Trade) -> Call:
    """Return how to ask for the next hundred; without a number, for the last five hundred."""
    if not after.seq:
        return _call("market/trades", instId=symbol, limit="500")
    # `after` of the venue means before: the hundred trades that end just below this number.
    below = str(after.seq + TRADES + 1)
    return _call("market/history-trades", instId=symbol, type="1", after=below, limit=str(TRADES))


def _call(path: str, **query: str) -> Call:
    return Call(f"/api/v5/{path}?{urlencode(query)}")


def _data(decoder: msgspec.json.Decoder[_Answer[T]], body: Data) -> list[T]:
    answer = parsed(decoder, body)
    if answer.code != "0":
        code = answer.code if _CODE.fullmatch(answer.code) else "without a number"
        raise DecodeError("shape", f"the venue answered with error {code}")
    return answer.data


def instruments(body: Data) -> list[Instrument]:
    """Return those that are traded now."""
    return [
        _instrument(found)
        for found in _data(_instruments, body)
        # Those to come have few details yet and no channels.
        if found.inst_type in KINDS and found.state not in ("preopen", "test")
    ]


def _instrument(found: _Instrument) -> Instrument:
    base, _, quote = found.uly.partition("-")
    return Instrument(
        symbol=checked_symbol(found.inst_id),
        kind=KINDS[found.inst_type],
        base=found.base_ccy or base,
        quote=found.quote_ccy or quote,
        price_decimals=_decimals(found.tick_sz),
        quantity_decimals=_decimals(found.lot_sz),
        expiry_ns=_expiry_ns(found.exp_time),
    )


def _decimals(step: str) -> int:
    """Return how many a multiple of this step has; -1 where the venue does not say."""
    if not step:
        return -1
    return len(step.partition(".")[2].rstrip("0"))


def _expiry_ns(text: str) -> int:
    if not text:
        return 0
    if not _MILLISECONDS.fullmatch(text):
        raise DecodeError("shape", "expTime is no number of milliseconds")
    return int(text) * NS_PER_MS


def snapshot(body: Data) -> BookData:
    found = _data(_books, body)
    if len(found) != 1:
        raise DecodeError("shape", "not one book")
    return found[0]


def trades(symbol: str, body: Data) -> list[TradeData]:
    """Return them oldest first; the venue tells the youngest first."""
    found = _data(_deals, body)
    if any(deal.inst_id != symbol for deal in found):
        raise DecodeError("shape", "trades of another symbol")
    return found[::-1]

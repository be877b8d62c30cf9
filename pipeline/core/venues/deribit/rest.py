"""
REST: the symbol table, and the trades that were missed. Books need no call.

Source: docs.deribit.com, pages "public/get_instruments" and "public/get_last_trades_by_instrument"
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlencode

import msgspec

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Trade
from pipeline.core.scale import MAX, whole
from pipeline.core.venues.deribit.records import trade
from pipeline.core.venues.deribit.shapes import NOTHING, Number, TradeData, text
from pipeline.core.venues.reading import NS_PER_MS, Symbol, checked_symbol, parsed
from pipeline.core.venues.venue import Call, Instrument

# In units of an ordinary call of 500 credits.
TABLE_WEIGHT = 20
# At most so many; the rest of a longer absence is asked for after the last of them.
TRADES = 1_000
# The indices whose volatility is told; no call lists them, but instruments name their index.
VOLATILITY = (
    Instrument("btc_usd", "index", "BTC", "USD"),
    Instrument("eth_usd", "index", "ETH", "USD"),
)


class _Steps(msgspec.Struct, gc=False):
    tick_size: Number


class _Row(msgspec.Struct, gc=False):
    instrument_name: Symbol
    kind: Literal["spot", "future", "option", "future_combo", "option_combo"]
    base_currency: str
    quote_currency: str
    tick_size: Number
    min_trade_amount: Number
    contract_size: Number = NOTHING
    tick_size_steps: list[_Steps] = []
    settlement_period: str = ""
    expiration_timestamp: int | None = None
    is_active: bool = True
    price_index: str = ""


class _Table(msgspec.Struct):
    result: list[_Row]


class _TradesPart(msgspec.Struct):
    trades: list[TradeData]


class _Trades(msgspec.Struct):
    result: _TradesPart


_table = msgspec.json.Decoder(_Table)
_trades = msgspec.json.Decoder(_Trades)


def instruments_calls() -> list[Call]:
    query = urlencode({"currency": "any", "expired": "false"})
    return [Call(f"/api/v2/public/get_instruments?{query}", TABLE_WEIGHT)]


def instruments(body: bytes) -> list[Instrument]:
    """
    Return what can be traded, and the indices whose volatility is told.

    Raises:
        DecodeError: Not the documented answer.
    """
    rows = [row for row in parsed(_table, body).result if row.is_active]
    indices = {row.price_index for row in rows}
    return [_instrument(row) for row in rows] + [
        index for index in VOLATILITY if index.symbol in indices
    ]


def _instrument(row: _Row) -> Instrument:
    ticks = [row.tick_size, *(step.tick_size for step in row.tick_size_steps)]
    lots = [row.min_trade_amount]
    if row.contract_size != NOTHING:
        lots.append(row.contract_size)
    kind = _kind(row)
    return Instrument(
        symbol=checked_symbol(row.instrument_name),
        kind=kind,
        base=row.base_currency,
        quote=row.quote_currency,
        price_decimals=max(map(_decimals, ticks)),
        quantity_decimals=max(map(_decimals, lots)),
        expiry_ns=0 if kind in ("spot", "perpetual") else _expiry_ns(row.expiration_timestamp),
    )


def _kind(row: _Row) -> str:
    if row.kind == "future" and row.settlement_period == "perpetual":
        return "perpetual"
    return "combo" if row.kind.endswith("_combo") else row.kind


def _expiry_ns(milliseconds: int | None) -> int:
    # What never expires does so in the year 3000, which nanoseconds of 64 bits do not reach.
    expiry_ns = (milliseconds or 0) * NS_PER_MS
    return expiry_ns if 0 < expiry_ns <= MAX else 0


def _decimals(size: Number) -> int:
    (number,), exponent = whole((text(size),))
    while exponent < 0 and number % 10 == 0:
        number, exponent = number // 10, exponent + 1
    return max(0, -exponent)


def trades_call(symbol: str, after: Trade) -> Call | None:
    query = urlencode(
        {
            "instrument_name": symbol,
            "start_seq": after.seq + 1,
            "count": TRADES,
            "sorting": "asc",
        }
    )
    return Call(f"/api/v2/public/get_last_trades_by_instrument?{query}")


def trades(symbol: str, body: bytes) -> list[Trade]:
    """
    Return them in their order.

    Raises:
        DecodeError: Not the documented answer, or the trades of another instrument.
    """
    found = [trade(one) for one in parsed(_trades, body).result.trades]
    if any(one.symbol != symbol for one in found):
        raise DecodeError("shape", "trades of another instrument")
    return sorted(found, key=lambda one: one.seq)

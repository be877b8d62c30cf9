"""
What is asked over REST: the symbol table, the snapshot of a book, trades that were missed.

Only what needs no API key: every call names its documentation's weight. The raw trades of the
futures cannot be asked for by number without a key, so they are never filled in.

Sources: developers.binance.com/docs/binance-spot-api-docs/rest-api,
developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api and
developers.binance.com/docs/derivatives/coin-margined-futures/market-data
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from pipeline.core.errors import DecodeError
from pipeline.core.messages import Aggressor, OrderBook, Trade
from pipeline.core.scale import whole
from pipeline.core.venues.reading import (
    NS_PER_MS,
    Milliseconds,
    Sequence,
    Symbol,
    checked_symbol,
    parsed,
)
from pipeline.core.venues.venue import Call, Instrument

# Both the most levels that the futures tell and the most trades that anybody does.
LIMIT = 1000

Level = tuple[str, str]


class _Filter(msgspec.Struct, rename="camel"):
    filter_type: str
    tick_size: str = ""
    step_size: str = ""


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: Symbol
    base_asset: str
    quote_asset: str
    filters: list[_Filter] = []
    status: str = ""
    contract_status: str = ""  # as COIN-M calls it
    contract_type: str = ""
    delivery_date: Milliseconds = 0


class _Table(msgspec.Struct):
    symbols: list[_Symbol]


class _Depth(msgspec.Struct, rename={"last_seq": "lastUpdateId", "event_ms": "E"}):
    last_seq: Sequence
    bids: list[Level]
    asks: list[Level]
    event_ms: Milliseconds = 0  # futures only
    symbol: str = ""  # COIN-M only


class _AggregateTrade(msgspec.Struct, rename={"trade_ms": "T"}):
    a: Sequence
    p: str
    q: str
    trade_ms: Milliseconds
    m: bool


class _RawTrade(msgspec.Struct, rename="camel"):
    id: Sequence
    price: str
    qty: str
    time: Milliseconds
    is_buyer_maker: bool


_table = msgspec.json.Decoder(_Table)
_depth = msgspec.json.Decoder(_Depth)
_aggregate_trades = msgspec.json.Decoder(list[_AggregateTrade])
_raw_trades = msgspec.json.Decoder(list[_RawTrade])


def instruments(body: bytes) -> list[Instrument]:
    """
    Return what is traded now, without what is halted or not begun.

    Raises:
        DecodeError: Not the documented answer.
    """
    return [
        _instrument(found)
        for found in parsed(_table, body).symbols
        if "TRADING" in (found.status, found.contract_status)
    ]


def _instrument(found: _Symbol) -> Instrument:
    # There are PERPETUAL and TRADIFI_PERPETUAL. Theirs is a delivery date too, in the year 2100.
    perpetual = "PERPETUAL" in found.contract_type
    kind = "perpetual" if perpetual else "future" if found.contract_type else "spot"
    return Instrument(
        symbol=checked_symbol(found.symbol),
        kind=kind,
        base=found.base_asset,
        quote=found.quote_asset,
        price_decimals=_decimals(
            filter_.tick_size for filter_ in found.filters if filter_.filter_type == "PRICE_FILTER"
        ),
        quantity_decimals=_decimals(
            filter_.step_size for filter_ in found.filters if filter_.filter_type == "LOT_SIZE"
        ),
        expiry_ns=found.delivery_date * NS_PER_MS if kind == "future" else 0,
    )


def _decimals(steps: Iterable[str]) -> int:
    """Return how many decimals a step such as `0.00100000` has; -1 when there is none."""
    for step in steps:
        (number,), exponent = whole((step,))
        if number > 0:
            zeros = len(str(number)) - len(str(number).rstrip("0"))
            return max(0, -exponent - zeros)
    return -1


def snapshot_call(prefix: str, symbol: str, weight: int) -> Call:
    return Call(f"{prefix}/depth?symbol={quote(symbol)}&limit={LIMIT}", weight)


def snapshot(symbol: str, body: bytes) -> OrderBook:
    """
    Raises:
        DecodeError: Not the documented answer, or the book of another symbol.
    """
    found = parsed(_depth, body)
    if found.symbol not in ("", symbol):
        raise DecodeError("shape", "the book of another symbol")
    levels = found.bids + found.asks
    prices, price_exponent = whole([price for price, _ in levels])
    quantities, quantity_exponent = whole([quantity for _, quantity in levels])
    bids = len(found.bids)
    return OrderBook(
        symbol=symbol,
        event_ns=found.event_ms * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        first_seq=found.last_seq,
        last_seq=found.last_seq,
        bid_prices=prices[:bids],
        bid_quantities=quantities[:bids],
        ask_prices=prices[bids:],
        ask_quantities=quantities[bids:],
        snapshot=True,
    )


def aggregate_trades_call(prefix: str, symbol: str, after: Trade, weight: int) -> Call:
    query = f"symbol={quote(symbol)}&fromId={int(after.trade_id) + 1}&limit={LIMIT}"
    return Call(f"{prefix}/aggTrades?{query}", weight)


def raw_trades_call(prefix: str, symbol: str, after: Trade, weight: int) -> Call:
    query = f"symbol={quote(symbol)}&fromId={int(after.trade_id) + 1}&limit={LIMIT}"
    return Call(f"{prefix}/historicalTrades?{query}", weight)


def aggregate_trades(symbol: str, body: bytes) -> list[Trade]:
    """
    Raises:
        DecodeError: Not the documented answer.
    """
    return [
        _trade(symbol, found.a, found.p, found.q, found.trade_ms, buyer_made=found.m)
        for found in parsed(_aggregate_trades, body)
    ]


def raw_trades(symbol: str, body: bytes) -> list[Trade]:
    """
    Raises:
        DecodeError: Not the documented answer.
    """
    return [
        _trade(
            symbol, found.id, found.price, found.qty, found.time, buyer_made=found.is_buyer_maker
        )
        for found in parsed(_raw_trades, body)
    ]


def _trade(  # noqa: PLR0913
    symbol: str, number: int, price: str, quantity: str, at_ms: int, *, buyer_made: bool
) -> Trade:
    (price_number,), price_exponent = whole((price,))
    (quantity_number,), quantity_exponent = whole((quantity,))
    return Trade(
        symbol=symbol,
        # REST does not tell when the venue would have sent it.
        event_ns=at_ms * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        trade_id=str(number),
        seq=number,
        trade_ns=at_ms * NS_PER_MS,
        price=price_number,
        quantity=quantity_number,
        aggressor=Aggressor.SELLER if buyer_made else Aggressor.BUYER,
    )

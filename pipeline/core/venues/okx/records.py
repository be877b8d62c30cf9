"""What OKX writes -> our records."""

from __future__ import annotations

import re

from pipeline.core.columns import Columns
from pipeline.core.errors import DecodeError
from pipeline.core.intervals import last_ns
from pipeline.core.messages import Aggressor, Funding, Kline, OrderBook, Ticker, Trade
from pipeline.core.scale import whole
from pipeline.core.venues.okx import shapes
from pipeline.core.venues.reading import NS_PER_MS, checked_symbol

_AGGRESSORS = {"buy": Aggressor.BUYER, "sell": Aggressor.SELLER}
_NUMBER = re.compile(r"[0-9]{1,18}")


def book(
    columns: Columns,
    symbol: str,
    found: shapes.BookData,
    *,
    snapshot: bool,
    unnumbered: int = 0,
) -> OrderBook:
    """
    Args:
        unnumbered: What tells the book from others if it has no number.
    """
    prices, quantities = columns.of(symbol)
    levels = found.bids + found.asks
    price_numbers, price_exponent = prices.whole([level.price for level in levels])
    quantity_numbers, quantity_exponent = quantities.whole([level.quantity for level in levels])
    first, last, prev = _numbers(found, snapshot=snapshot)
    bids = len(found.bids)
    # 0 is what the venue sends since it no longer computes any.
    real = found.checksum != 0
    return OrderBook(
        symbol=symbol,
        event_ns=found.ts * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        first_seq=first,
        last_seq=last,
        prev_seq=prev,
        bid_prices=price_numbers[:bids],
        bid_quantities=quantity_numbers[:bids],
        ask_prices=price_numbers[bids:],
        ask_quantities=quantity_numbers[bids:],
        snapshot=snapshot,
        checksum=found.checksum if real else None,
        bid_texts=_texts(found.bids) if real else None,
        ask_texts=_texts(found.asks) if real else None,
        digest=unnumbered,
    )


def trade(columns: Columns, deal: shapes.TradeData) -> Trade:
    symbol = checked_symbol(deal.inst_id)
    prices, quantities = columns.of(symbol)
    (price,), price_exponent = prices.whole((deal.px,))
    (quantity,), quantity_exponent = quantities.whole((deal.sz,))
    seq, first_seq = _counted(deal)
    return Trade(
        symbol=symbol,
        event_ns=deal.ts * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        trade_id=checked_symbol(deal.trade_id),
        seq=seq,
        trade_ns=deal.ts * NS_PER_MS,
        price=price,
        quantity=quantity,
        aggressor=_AGGRESSORS[deal.side],
        first_seq=first_seq,
    )


def ticker(columns: Columns, symbol: str, found: shapes.TickerData, digest: int) -> Ticker:
    prices, quantities = columns.of(checked_symbol(symbol))
    # An empty side is an empty text.
    (bid, ask, last), price_exponent = prices.whole(
        (found.bid_px or "0", found.ask_px or "0", found.last or "0")
    )
    (bid_quantity, ask_quantity, last_quantity), quantity_exponent = quantities.whole(
        (found.bid_sz or "0", found.ask_sz or "0", found.last_sz or "0")
    )
    return Ticker(
        symbol=symbol,
        event_ns=found.ts * NS_PER_MS,
        price_exponent=price_exponent,
        quantity_exponent=quantity_exponent,
        last_seq=0,
        bid_price=bid,
        bid_quantity=bid_quantity,
        ask_price=ask,
        ask_quantity=ask_quantity,
        digest=digest,
        last_price=last if found.last else None,
        last_quantity=last_quantity if found.last_sz else None,
    )


def kline(
    columns: Columns, symbol: str, interval: str, candle: shapes.CandleData, digest: int
) -> Kline:
    prices, _ = columns.of(checked_symbol(symbol))
    (opened, high, low, close), price_exponent = prices.whole(
        (candle.open, candle.high, candle.low, candle.close)
    )
    # `volume` counts contracts where there are contracts: there the base currency is next to
    # it. Only the spot market's symbols have two parts.
    spot = symbol.count("-") == 1
    (volume,), exponent = whole((candle.volume if spot else candle.volume_in_currency,))
    quote_volume, quote_exponent = whole((candle.quote_volume,) if candle.quote_volume else ())
    open_ns = candle.open_ms * NS_PER_MS
    return Kline(
        symbol=symbol,
        interval=interval,
        event_ns=0,
        price_exponent=price_exponent,
        quantity_exponent=exponent,
        open_ns=open_ns,
        close_ns=last_ns(open_ns, interval),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        closed=candle.confirmed == "1",
        quote_volume=quote_volume[0] if quote_volume else None,
        quote_exponent=quote_exponent,
        digest=digest,
    )


def funding(symbol: str, found: shapes.FundingData, digest: int) -> Funding:
    (rate,), rate_exponent = whole((found.funding_rate,))
    return Funding(
        symbol=symbol,
        event_ns=found.ts * NS_PER_MS,
        price_exponent=0,
        rate=rate,
        rate_exponent=rate_exponent,
        next_ns=found.funding_time * NS_PER_MS,
        digest=digest,
    )


def _texts(levels: list[shapes.Level]) -> list[tuple[str, str]]:
    return [(level.price, level.quantity) for level in levels]


def _numbers(book: shapes.BookData, *, snapshot: bool) -> tuple[int, int, int]:
    """Return (first, last, previous) of a book's numbers; (0, 0, -1) where it has none."""
    last, prev = book.seq_id, book.prev_seq_id
    if last is None:
        if prev is not None:
            raise DecodeError("shape", "prevSeqId without seqId")
        return 0, 0, -1
    if snapshot:
        return 0, last, -1
    if prev is None or prev < 0:
        raise DecodeError("shape", "an update without prevSeqId")
    # Everything after prev; of a count that began anew just its own.
    return min(prev + 1, last), last, prev


def _counted(deal: shapes.TradeData) -> tuple[int, int]:
    """Return (number, number of the first trade in it), as a `Trade` has them."""
    if not _NUMBER.fullmatch(deal.trade_id):
        return 0, 0
    number, count = int(deal.trade_id), deal.count or 1
    if count > number:
        raise DecodeError("shape", "more trades in one than there were")
    return number, 0 if count == 1 else number - count + 1

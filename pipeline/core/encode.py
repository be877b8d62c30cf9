"""
Record -> Envelope: the payload, its subject, its identity.

A protobuf message is made anew each time: one that is used again never gives back the memory of
the texts it once held (measured: 24 MB per million messages).
"""

from __future__ import annotations

from pipeline.core.messages import Envelope, OrderBook, Record, Ticker, Trade
from streams.core.proto import market_pb2 as wire
from streams.core.templates import STANDARD, Templates


def encode(
    record: Record, received_ns: int, published_ns: int, templates: Templates = STANDARD
) -> Envelope:
    """Return the record as it travels on the subject of its type's template."""
    if isinstance(record, Ticker):
        return _ticker(record, received_ns, published_ns, templates)
    if isinstance(record, Trade):
        return _trade(record, received_ns, published_ns, templates)
    return _orderbook(record, received_ns, published_ns, templates)


def _trade(record: Trade, received_ns: int, published_ns: int, templates: Templates) -> Envelope:
    message = wire.Trade(
        venue=record.venue,
        symbol=record.symbol,
        event_ns=record.event_ns,
        received_ns=received_ns,
        published_ns=published_ns,
        price_exponent=record.price_exponent,
        quantity_exponent=record.quantity_exponent,
        trade_id=record.trade_id,
        trade_ns=record.trade_ns,
        price=record.price,
        quantity=record.quantity,
        aggressor=record.aggressor,  # type: ignore[arg-type]  # the stub knows its own enum only
    )
    return Envelope(
        templates.build("trade", record.venue, record.symbol),
        message.SerializeToString(),
        f"{record.venue}:{record.symbol}:trade:{record.trade_id}",
    )


def _ticker(record: Ticker, received_ns: int, published_ns: int, templates: Templates) -> Envelope:
    message = wire.Ticker(
        venue=record.venue,
        symbol=record.symbol,
        event_ns=record.event_ns,
        received_ns=received_ns,
        published_ns=published_ns,
        price_exponent=record.price_exponent,
        quantity_exponent=record.quantity_exponent,
        last_seq=record.last_seq,
        bid_price=record.bid_price,
        bid_quantity=record.bid_quantity,
        ask_price=record.ask_price,
        ask_quantity=record.ask_quantity,
    )
    return Envelope(
        templates.build("ticker", record.venue, record.symbol),
        message.SerializeToString(),
        f"{record.venue}:{record.symbol}:ticker:{record.last_seq}",
    )


def _orderbook(
    record: OrderBook, received_ns: int, published_ns: int, templates: Templates
) -> Envelope:
    message = wire.OrderBook(
        venue=record.venue,
        symbol=record.symbol,
        event_ns=record.event_ns,
        received_ns=received_ns,
        published_ns=published_ns,
        price_exponent=record.price_exponent,
        quantity_exponent=record.quantity_exponent,
        first_seq=record.first_seq,
        last_seq=record.last_seq,
        bid_prices=record.bid_prices,
        bid_quantities=record.bid_quantities,
        ask_prices=record.ask_prices,
        ask_quantities=record.ask_quantities,
    )
    return Envelope(
        templates.build("orderbook", record.venue, record.symbol),
        message.SerializeToString(),
        # Both ends: a fast and a slow stream of one book may end at the same update and yet tell
        # different stretches of it.
        f"{record.venue}:{record.symbol}:orderbook:{record.first_seq}-{record.last_seq}",
    )

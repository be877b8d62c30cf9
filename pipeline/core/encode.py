"""
Outgoing -> Envelope: the payload, its subject, its identity.

A protobuf message is made anew each time: one that is used again never gives back the memory of
the texts it once held (measured: 24 MB per million messages).

What stays the same in the messages of a topic is written once, into `Topic.heads`: two messages,
one behind the other, are read as one that has the fields of both. With that, and by setting fields
one by one and only those that are not 0, a message costs half as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from pipeline.core.messages import (
    Control,
    Envelope,
    Funding,
    Kline,
    OrderBook,
    Record,
    Ticker,
    Trade,
    VolatilityIndex,
)
from pipeline.core.normalise.outgoing import Outgoing
from pipeline.core.topic import Topic
from streams.core.market import KINDS, MarketMessage
from streams.core.proto import market_pb2 as wire

# What is in the head, or for others than the consumer.
_ELSEWHERE = frozenset({"symbol", "event_ns", "price_exponent", "quantity_exponent", "digest"})

# A message of its own fields, and what tells it from all others of its topic; the latter is the
# same whoever hears it.
_Written: TypeAlias = tuple[MarketMessage, str]


def encode(outgoing: Outgoing, published_ns: int) -> Envelope:
    """Return the next message of its topic. It is the caller who counts it, once it is taken."""
    topic, content = outgoing.topic, outgoing.content
    number = topic.local_seq + 1
    if isinstance(content, Control):
        message, said = _control(content, topic, number)
        head = topic.heads.get((0, 0)) or _head(topic, 0, 0)
    else:
        message, said = _WRITERS[type(content)](content, topic, number)
        exponents = content.price_exponent, getattr(content, "quantity_exponent", 0)
        head = topic.heads.get(exponents) or _head(topic, *exponents)
        if event_ns := content.event_ns:
            message.event_ns = event_ns
    message.received_ns = outgoing.received_ns
    message.published_ns = published_ns
    message.local_seq = number
    if flags := outgoing.flags:
        message.flags = flags
    return Envelope(topic.subject, head + message.SerializeToString(), f"{topic.identity}:{said}")


def _head(topic: Topic, price_exponent: int, quantity_exponent: int) -> bytes:
    exponents = {"price_exponent": price_exponent, "quantity_exponent": quantity_exponent}
    kind = KINDS[topic.data_type]
    known = {name: number for name, number in exponents.items() if number}
    head = kind(venue=topic.venue, symbol=topic.symbol, epoch=topic.epoch, **known)
    written = head.SerializeToString()
    topic.heads[price_exponent, quantity_exponent] = written
    return written


def _ticker(ticker: Ticker, topic: Topic, number: int) -> _Written:
    message = wire.Ticker()
    message.bid_price = ticker.bid_price
    message.bid_quantity = ticker.bid_quantity
    message.ask_price = ticker.ask_price
    message.ask_quantity = ticker.ask_quantity
    if ticker.last_price is not None:
        message.last_price = ticker.last_price
    if ticker.last_quantity is not None:
        message.last_quantity = ticker.last_quantity
    if ticker.mark_price is not None:
        message.mark_price = ticker.mark_price
    if ticker.index_price is not None:
        message.index_price = ticker.index_price
    if ticker.open_interest is not None:
        message.open_interest = ticker.open_interest
    if seq := ticker.last_seq:
        message.last_seq = seq
        return message, str(seq)
    return message, _moment(ticker)


def _trade(trade: Trade, topic: Topic, number: int) -> _Written:
    message = wire.Trade()
    message.trade_id = trade.trade_id
    message.price = trade.price
    message.quantity = trade.quantity
    message.trade_ns = trade.trade_ns
    # Its type alone costs more than all of this: msgspec has made sure of it.
    message.aggressor = trade.aggressor  # type: ignore[assignment]
    if seq := trade.seq:
        message.seq = seq
    if first_seq := trade.first_seq:
        message.first_seq = first_seq
    return message, trade.trade_id


def _book(book: OrderBook, topic: Topic, number: int) -> _Written:
    message = wire.OrderBook()
    message.bid_prices.extend(book.bid_prices)
    message.bid_quantities.extend(book.bid_quantities)
    message.ask_prices.extend(book.ask_prices)
    message.ask_quantities.extend(book.ask_quantities)
    if first_seq := book.first_seq:
        message.first_seq = first_seq
    if book.prev_seq != -1:
        message.prev_seq = book.prev_seq
    if book.checksum is not None:
        message.checksum = book.checksum
    if seq := book.last_seq:
        message.last_seq = seq
    if book.snapshot:
        # A later one may hold the same update; it is not a repeat.
        return message, f"snapshot-{seq}-{topic.epoch}.{number}"
    # Both ends: a fast and a slow stream of one book may end at the same update and yet tell
    # different stretches of it.
    return message, f"{book.first_seq}-{seq}" if seq else _moment(book)


def _kline(kline: Kline, topic: Topic, number: int) -> _Written:
    return wire.Kline(**_fields(kline)), f"{kline.open_ns}-{_moment(kline)}"


def _index(index: VolatilityIndex, topic: Topic, number: int) -> _Written:
    return wire.VolatilityIndex(**_fields(index)), _moment(index)


def _funding(funding: Funding, topic: Topic, number: int) -> _Written:
    return wire.Funding(**_fields(funding)), _moment(funding)


def _control(control: Control, topic: Topic, number: int) -> _Written:
    message = KINDS[topic.data_type](control=wire.Control(**_fields(control)))
    return cast(MarketMessage, message), f"{control.kind.name.lower()}-{topic.epoch}.{number}"


_WRITERS: dict[type[Record], Callable[[Any, Topic, int], _Written]] = {
    Ticker: _ticker,
    Trade: _trade,
    OrderBook: _book,
    Kline: _kline,
    VolatilityIndex: _index,
    Funding: _funding,
}


def _moment(record: Ticker | OrderBook | Kline | VolatilityIndex | Funding) -> str:
    return f"{record.event_ns}.{record.digest:x}"


def _fields(content: Kline | VolatilityIndex | Funding | Control) -> dict[str, Any]:
    return {
        name: value
        for name in content.__struct_fields__
        if name not in _ELSEWHERE and (value := getattr(content, name)) is not None
    }

"""
Outgoing -> Envelope: the payload, its subject, its identity.

A protobuf message is made anew each time: one that is used again never gives back the memory of
the texts it once held (measured: 24 MB per million messages).

JetStream drops a message whose identity it has seen lately, and by then it has its `local_seq`: the
hole looks like a loss. So only what consumers must never get twice, a trade, is told by the venue's
number alone, and a numbered ticker with it. All else may rightly come again: the state of a quiet
market after a restart, a price that is back, the updates behind another snapshot. Those identities
end with the message's own number in its epoch.

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
_ELSEWHERE = frozenset({"symbol", "price_exponent", "quantity_exponent", "digest"})

# The head and a message of the fields of its own, and what tells it from all others of its topic.
_Written: TypeAlias = tuple[bytes, MarketMessage, str]


def encode(outgoing: Outgoing, published_ns: int) -> Envelope:
    """Return the next message of its topic. It is the caller who counts it, once it is taken."""
    topic, content = outgoing.topic, outgoing.content
    write, serialise = _KINDS[type(content)]
    head, message, said = write(content, topic)
    message.received_ns = outgoing.received_ns
    message.published_ns = published_ns
    message.local_seq = topic.local_seq + 1
    if flags := outgoing.flags:
        message.flags = flags
    return Envelope(topic.subject, head + serialise(message), f"{topic.identity}:{said}")


def _ticker(ticker: Ticker, topic: Topic) -> _Written:
    message = _Ticker()
    message.bid_price = ticker.bid_price
    message.bid_quantity = ticker.bid_quantity
    message.ask_price = ticker.ask_price
    message.ask_quantity = ticker.ask_quantity
    if event_ns := ticker.event_ns:
        message.event_ns = event_ns
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
    head = _head(topic, ticker.price_exponent, ticker.quantity_exponent)
    if seq := ticker.last_seq:
        message.last_seq = seq
        return head, message, f"{seq}"
    return head, message, _moment(ticker, topic)


def _trade(trade: Trade, topic: Topic) -> _Written:
    message = _Trade()
    trade_id = message.trade_id = trade.trade_id
    message.price = trade.price
    message.quantity = trade.quantity
    message.trade_ns = trade.trade_ns
    message.aggressor = trade.aggressor  # type: ignore[assignment]  # the numbers are the same
    if event_ns := trade.event_ns:
        message.event_ns = event_ns
    if seq := trade.seq:
        message.seq = seq
    if first_seq := trade.first_seq:
        message.first_seq = first_seq
    return _head(topic, trade.price_exponent, trade.quantity_exponent), message, trade_id


def _book(book: OrderBook, topic: Topic) -> _Written:
    message = _OrderBook()
    message.bid_prices.extend(book.bid_prices)
    message.bid_quantities.extend(book.bid_quantities)
    message.ask_prices.extend(book.ask_prices)
    message.ask_quantities.extend(book.ask_quantities)
    if event_ns := book.event_ns:
        message.event_ns = event_ns
    if first_seq := book.first_seq:
        message.first_seq = first_seq
    if seq := book.last_seq:
        message.last_seq = seq
    if book.prev_seq != -1:
        message.prev_seq = book.prev_seq
    if book.checksum is not None:
        message.checksum = book.checksum
    if book.snapshot:
        said = f"snapshot-{seq}-{topic.epoch}.{topic.local_seq + 1}"
    elif seq:
        said = f"{first_seq}-{seq}-{topic.epoch}.{topic.local_seq + 1}"
    else:
        said = _moment(book, topic)
    return _head(topic, book.price_exponent, book.quantity_exponent), message, said


def _kline(kline: Kline, topic: Topic) -> _Written:
    head = _head(topic, kline.price_exponent, kline.quantity_exponent)
    return head, wire.Kline(**_fields(kline)), f"{kline.open_ns}-{_moment(kline, topic)}"


def _index(index: VolatilityIndex, topic: Topic) -> _Written:
    head = _head(topic, index.price_exponent, 0)
    return head, wire.VolatilityIndex(**_fields(index)), _moment(index, topic)


def _funding(funding: Funding, topic: Topic) -> _Written:
    head = _head(topic, funding.price_exponent, 0)
    return head, wire.Funding(**_fields(funding)), _moment(funding, topic)


def _control(control: Control, topic: Topic) -> _Written:
    message = KINDS[topic.data_type](control=wire.Control(**_fields(control)))
    said = f"{control.kind.name.lower()}-{topic.epoch}.{topic.local_seq + 1}"
    return _head(topic, 0, 0), cast(MarketMessage, message), said


_Ticker, _Trade, _OrderBook = wire.Ticker, wire.Trade, wire.OrderBook

_Write: TypeAlias = Callable[[Any, Topic], _Written]
_Serialise: TypeAlias = Callable[[Any], bytes]

# The class's own method is found faster than that of each message.
_KINDS: dict[type[Record | Control], tuple[_Write, _Serialise]] = {
    Ticker: (_ticker, wire.Ticker.SerializeToString),
    Trade: (_trade, wire.Trade.SerializeToString),
    OrderBook: (_book, wire.OrderBook.SerializeToString),
    Kline: (_kline, wire.Kline.SerializeToString),
    VolatilityIndex: (_index, wire.VolatilityIndex.SerializeToString),
    Funding: (_funding, wire.Funding.SerializeToString),
    Control: (_control, lambda message: message.SerializeToString()),
}


def _head(topic: Topic, price_exponent: int, quantity_exponent: int) -> bytes:
    exponents = price_exponent, quantity_exponent
    head = topic.heads.get(exponents)
    if head is None:
        message: Any = KINDS[topic.data_type](
            venue=topic.venue, symbol=topic.symbol, epoch=topic.epoch
        )
        if price_exponent:
            message.price_exponent = price_exponent
        if quantity_exponent:
            message.quantity_exponent = quantity_exponent
        head = topic.heads[exponents] = message.SerializeToString()
    return head


def _moment(record: Ticker | OrderBook | Kline | VolatilityIndex | Funding, topic: Topic) -> str:
    return f"{record.event_ns}.{record.digest:x}-{topic.epoch}.{topic.local_seq + 1}"


def _fields(content: Kline | VolatilityIndex | Funding | Control) -> dict[str, Any]:
    return {
        name: value
        for name in content.__struct_fields__
        if name not in _ELSEWHERE and (value := getattr(content, name)) is not None
    }

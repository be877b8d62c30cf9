from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.encode import encode
from pipeline.core.messages import (
    DATA_TYPES,
    Aggressor,
    Control,
    ControlKind,
    Flag,
    Funding,
    Kline,
    OrderBook,
    Ticker,
    Trade,
    VolatilityIndex,
)
from pipeline.core.normalise import Outgoing
from pipeline.core.topic import Topic
from streams.core import market
from streams.core.templates import STANDARD

symbols = st.text(min_size=1, max_size=20).filter(str.isprintable)
counts = st.integers(0, 2**63 - 1)
numbers = st.integers(-(2**63), 2**63 - 1)
perhaps = st.none() | numbers
exponents = st.integers(-64, 64)
columns = st.lists(numbers, max_size=5)


trades = st.builds(
    Trade, symbols, counts, exponents, exponents, counts.map(str), counts, counts, numbers,
    numbers, st.sampled_from(Aggressor), counts,
)  # fmt: skip
tickers = st.builds(
    Ticker, symbols, counts, exponents, exponents, counts, *[numbers] * 4,
    digest=st.integers(0, 2**32 - 1), last_price=perhaps, last_quantity=perhaps,
    mark_price=perhaps, index_price=perhaps, open_interest=perhaps,
)  # fmt: skip
books = st.builds(
    OrderBook, symbols, counts, exponents, exponents, counts, counts, *[columns] * 4,
    prev_seq=st.integers(-1, 2**63 - 1), checksum=perhaps, snapshot=st.booleans(),
)  # fmt: skip
klines = st.builds(
    Kline, symbols, st.sampled_from(["1m", "1d"]), counts, exponents, exponents, counts, counts,
    *[numbers] * 5, st.booleans(), quote_volume=perhaps, quote_exponent=exponents,
    taker_volume=perhaps, trades=st.none() | counts,
)  # fmt: skip
indices = st.builds(VolatilityIndex, symbols, counts, exponents, numbers)
fundings = st.builds(
    Funding, symbols, counts, exponents, numbers, exponents, counts, perhaps, perhaps
)
records = st.one_of(trades, tickers, books, klines, indices, fundings)
NOT_TOLD = {"digest", "bid_texts", "ask_texts", "snapshot"}


def topic_of(record):
    interval = record.interval if isinstance(record, Kline) else ""
    kind = DATA_TYPES[type(record)]
    return Topic(STANDARD, "binance", record.symbol, kind, interval, epoch=3)


def outgoing(record, received_ns=0, flags=0):
    return Outgoing(topic_of(record), record, received_ns, flags)


def fields_of(record):
    """Return what a consumer must read; None for what must not be there."""
    fields = {name: getattr(record, name) for name in set(record.__struct_fields__) - NOT_TOLD}
    if fields.get("prev_seq") == -1:
        fields["prev_seq"] = None
    return fields


def read(message, fields):
    found: dict[str, object] = {}
    for name, expected in fields.items():
        value = getattr(message, name)
        if isinstance(expected, list):
            found[name] = list(value)
        else:
            found[name] = None if expected is None and not message.HasField(name) else value
    return found


@given(records, counts, counts, st.integers(0, 15))
def test_whatever_a_record_holds_is_read_back(record, received_ns, published_ns, flags):
    envelope = encode(outgoing(record, received_ns, flags), published_ns)

    message = market.parse(envelope.subject, envelope.payload)
    assert read(message, fields_of(record)) == fields_of(record)
    assert (message.received_ns, message.published_ns) == (received_ns, published_ns)
    assert (message.venue, message.local_seq, message.epoch) == ("binance", 1, 3)
    assert message.flags == flags
    assert not message.HasField("control")


@given(st.lists(st.tuples(exponents, exponents, numbers), min_size=2, max_size=5))
def test_messages_of_one_topic_keep_their_own_exponents(told):
    trades = [
        Trade("X", 0, price_exponent, quantity_exponent, "1", 1, 1, price, 1, Aggressor.BUYER)
        for price_exponent, quantity_exponent, price in told
    ]
    topic = topic_of(trades[0])

    messages: list[Any] = [
        market.parse(topic.subject, encode(Outgoing(topic, trade, 0), 0).payload)
        for trade in trades
    ]

    assert [
        (message.price_exponent, message.quantity_exponent, message.price) for message in messages
    ] == told


@given(st.sampled_from(sorted(market.KINDS)), st.sampled_from(ControlKind), counts, counts)
def test_a_control_message_says_what_happened_and_nothing_else(kind, control_kind, first, last):
    control = Control(control_kind, "because", first, last, 7)
    topic = Topic(STANDARD, "okx", "BTC-USDT", kind, "1m" if kind == "kline" else "", epoch=3)
    topic.local_seq = 11

    envelope = encode(Outgoing(topic, control, 50, Flag.CONTROL), 60)

    message = market.parse(envelope.subject, envelope.payload)
    said = message.control
    assert (said.kind, said.reason, said.since_ns) == (control_kind, "because", 7)
    assert (said.first_missing, said.last_missing) == (first, last)
    assert (message.venue, message.symbol, message.epoch) == ("okx", "BTC-USDT", 3)
    assert (message.received_ns, message.published_ns, message.local_seq) == (50, 60, 12)
    assert envelope.msg_id.endswith(f":{control_kind.name.lower()}-3.12")
    present = {field.name for field, _ in message.ListFields()}
    assert present == {
        "venue", "symbol", "received_ns", "published_ns", "local_seq", "epoch", "flags", "control",
    }  # fmt: skip


def test_subject_and_identity_name_venue_symbol_kind_and_number():
    trade = Trade("BTCUSDT", 0, 0, 0, "7", 7, 0, 1, 1, Aggressor.BUYER)
    ticker = Ticker("BTCUSDT", 0, 0, 0, 8, 1, 1, 1, 1)
    unnumbered = Ticker("BTCUSDT", 12, 0, 0, 0, 1, 1, 1, 1, digest=255)
    book = OrderBook("BTCUSDT", 0, 0, 0, 9, 11, [], [], [], [])

    found = [encode(outgoing(record), 0) for record in (trade, ticker, unnumbered, book)]

    assert [(envelope.subject, envelope.msg_id) for envelope in found] == [
        ("market.binance.BTCUSDT.trade", "binance:BTCUSDT:trade:7"),
        ("market.binance.BTCUSDT.ticker", "binance:BTCUSDT:ticker:8"),
        ("market.binance.BTCUSDT.ticker", "binance:BTCUSDT:ticker:12.ff-3.1"),
        ("market.binance.BTCUSDT.orderbook", "binance:BTCUSDT:orderbook:9-11-3.1"),
    ]


def test_two_stretches_of_a_book_that_end_alike_are_two():
    books = [OrderBook("X", 0, 0, 0, first, 9, [], [], [], []) for first in (1, 5)]

    assert len({encode(outgoing(book), 0).msg_id for book in books}) == 2


@given(st.one_of(books, klines, indices, fundings), st.integers(1, 9), st.integers(1, 9))
def test_what_may_rightly_come_again_is_no_repeat(record, epochs, messages):
    # JetStream would drop it, though it has a number: to consumers a loss.
    before, after, restarted = topic_of(record), topic_of(record), topic_of(record)
    after.local_seq += messages
    restarted.epoch += epochs

    ids = {encode(Outgoing(topic, record, 0), 0).msg_id for topic in (before, after, restarted)}

    assert len(ids) == 3


@given(trades, st.integers(1, 9))
def test_a_trade_is_a_repeat_whoever_hears_it(trade, epochs):
    before, restarted = topic_of(trade), topic_of(trade)
    restarted.epoch += epochs

    assert len({encode(Outgoing(t, trade, 0), 0).msg_id for t in (before, restarted)}) == 1


@pytest.mark.parametrize("seq", [0, 9])
def test_a_snapshot_is_no_repeat_of_an_earlier_one(seq):
    book = OrderBook("X", 0, 0, 0, 0, seq, [], [], [], [], snapshot=True)
    topic = topic_of(book)

    first = encode(Outgoing(topic, book, 0, Flag.SNAPSHOT), 0)
    topic.local_seq += 1
    second = encode(Outgoing(topic, book, 0, Flag.SNAPSHOT), 0)

    assert first.msg_id != second.msg_id

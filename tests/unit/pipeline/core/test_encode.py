from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.encode import encode
from pipeline.core.messages import DATA_TYPES, Aggressor, OrderBook, Ticker, Trade
from pipeline.core.normalise import Outgoing
from pipeline.core.topic import Topic
from streams.core import market
from streams.core.templates import STANDARD

symbols = st.text(min_size=1, max_size=20).filter(str.isprintable)
counts = st.integers(0, 2**63 - 1)
numbers = st.integers(-(2**63), 2**63 - 1)
exponents = st.integers(-64, 64)
columns = st.lists(numbers, max_size=5)


trades = st.builds(
    Trade, symbols, counts, exponents, exponents, counts.map(str), counts, counts, numbers,
    numbers, st.sampled_from(Aggressor),
)  # fmt: skip
tickers = st.builds(Ticker, symbols, counts, exponents, exponents, counts, *[numbers] * 4)
books = st.builds(OrderBook, symbols, counts, exponents, exponents, counts, counts, *[columns] * 4)
NOT_TOLD = {"digest", "bid_texts", "ask_texts", "snapshot", "prev_seq"}


def outgoing(record, received_ns=0):
    topic = Topic(STANDARD, "binance", record.symbol, DATA_TYPES[type(record)], epoch=3)
    return Outgoing(topic, record, received_ns)


@given(st.one_of(trades, tickers, books), counts, counts)
def test_whatever_a_record_holds_is_read_back(record, received_ns, published_ns):
    envelope = encode(outgoing(record, received_ns), published_ns)

    message = market.parse(envelope.subject, envelope.payload)
    for field in set(record.__struct_fields__) - NOT_TOLD:
        expected = getattr(record, field)
        if expected is None:
            assert not message.HasField(field)
            continue
        found = getattr(message, field)
        assert (list(found) if isinstance(expected, list) else found) == expected
    assert (message.received_ns, message.published_ns) == (received_ns, published_ns)
    assert (message.local_seq, message.epoch) == (1, 3)


def test_subject_and_identity_name_venue_symbol_kind_and_number():
    trade = Trade("BTCUSDT", 0, 0, 0, "7", 7, 0, 1, 1, Aggressor.BUYER)
    ticker = Ticker("BTCUSDT", 0, 0, 0, 8, 1, 1, 1, 1)
    book = OrderBook("BTCUSDT", 0, 0, 0, 9, 11, [], [], [], [])

    found = [encode(outgoing(record), 0) for record in (trade, ticker, book)]

    assert [(envelope.subject, envelope.msg_id) for envelope in found] == [
        ("market.binance.BTCUSDT.trade", "binance:BTCUSDT:trade:7"),
        ("market.binance.BTCUSDT.ticker", "binance:BTCUSDT:ticker:8"),
        ("market.binance.BTCUSDT.orderbook", "binance:BTCUSDT:orderbook:9-11"),
    ]


def test_two_stretches_of_a_book_that_end_alike_are_two():
    books = [OrderBook("X", 0, 0, 0, first, 9, [], [], [], []) for first in (1, 5)]

    assert len({encode(outgoing(book), 0).msg_id for book in books}) == 2

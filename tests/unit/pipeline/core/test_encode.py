from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.encode import encode
from pipeline.core.messages import Aggressor, OrderBook, Ticker, Trade
from streams.core import market

symbols = st.text(min_size=1, max_size=20).filter(str.isprintable)
counts = st.integers(0, 2**63 - 1)
numbers = st.integers(-(2**63), 2**63 - 1)
exponents = st.integers(-64, 64)
columns = st.lists(numbers, max_size=5)


trades = st.builds(
    Trade, st.just("binance"), symbols, counts, exponents, exponents, counts.map(str), counts,
    numbers, numbers, st.sampled_from(Aggressor),
)  # fmt: skip
tickers = st.builds(
    Ticker, st.just("binance"), symbols, counts, exponents, exponents, counts, *[numbers] * 4
)
books = st.builds(
    OrderBook, st.just("binance"), symbols, counts, exponents, exponents, counts, counts,
    *[columns] * 4,
)  # fmt: skip


@given(st.one_of(trades, tickers, books), counts, counts)
def test_whatever_a_record_holds_is_read_back(record, received_ns, published_ns):
    envelope = encode(record, received_ns, published_ns)

    message = market.parse(envelope.subject, envelope.payload)
    for field in record.__struct_fields__:
        found = getattr(message, field)
        expected = getattr(record, field)
        assert (list(found) if isinstance(expected, list) else found) == expected
    assert (message.received_ns, message.published_ns) == (received_ns, published_ns)


def test_subject_and_identity_name_venue_symbol_kind_and_number():
    trade = Trade("binance", "BTCUSDT", 0, 0, 0, "7", 0, 1, 1, Aggressor.BUYER)
    ticker = Ticker("binance", "BTCUSDT", 0, 0, 0, 8, 1, 1, 1, 1)
    book = OrderBook("binance", "BTCUSDT", 0, 0, 0, 9, 11, [], [], [], [])

    found = [encode(record, 0, 0) for record in (trade, ticker, book)]

    assert [(envelope.subject, envelope.msg_id) for envelope in found] == [
        ("market.binance.BTCUSDT.trade", "binance:BTCUSDT:trade:7"),
        ("market.binance.BTCUSDT.ticker", "binance:BTCUSDT:ticker:8"),
        ("market.binance.BTCUSDT.orderbook", "binance:BTCUSDT:orderbook:9-11"),
    ]


def test_two_stretches_of_a_book_that_end_alike_are_two():
    books = [OrderBook("binance", "X", 0, 0, 0, first, 9, [], [], [], []) for first in (1, 5)]

    assert len({encode(book, 0, 0).msg_id for book in books}) == 2

from __future__ import annotations

import pytest

from pipeline.core.messages import Funding, Kline, Ticker, VolatilityIndex
from pipeline.core.normalise.latest import Latest
from tests.unit.pipeline.core.normalise.exchange import SECOND, Engine, channel


def ticker(seq=0, event_s=0.0, digest=0, price=1):
    return Ticker("BTC", int(event_s * SECOND), -2, -2, seq, price, 1, price + 1, 1, digest=digest)


def kline(event_s, digest=0, open_s=0, interval="1m"):
    return Kline(
        "BTC", interval, int(event_s * SECOND), -2, -2, open_s * SECOND, open_s * SECOND + 1,
        1, 1, 1, 1, 1, closed=False, digest=digest,
    )  # fmt: skip


def index(event_s, digest=0):
    return VolatilityIndex("BTC", int(event_s * SECOND), -2, 55, digest)


def funding(event_s, digest=0):
    return Funding("BTC", int(event_s * SECOND), -2, 1, -8, digest=digest)


def took(engine, *records, at_s=1.0):
    """Return whether each was published."""
    return [bool(engine.normaliser.take(record, int(at_s * SECOND))) for record in records]


def test_numbered_tickers_only_go_forward():
    engine = Engine()

    assert took(engine, *map(ticker, (5, 5, 4, 6, 9, 8))) == [1, 0, 0, 1, 1, 0]
    assert engine.normaliser.counts.repeated == 3


def test_numbers_that_begin_anew_are_believed_when_the_time_says_so():
    engine = Engine()
    took(engine, ticker(900, event_s=100))

    assert took(engine, ticker(5, event_s=101), ticker(6, event_s=106)) == [False, True]


def test_numbers_without_a_time_are_believed_when_nothing_newer_comes():
    engine = Engine()
    took(engine, ticker(900), at_s=1)

    assert took(engine, ticker(5), at_s=30) == [False]
    assert took(engine, ticker(6), at_s=60) == [False]
    assert took(engine, ticker(7), at_s=62) == [True]
    assert took(engine, ticker(8), at_s=62) == [True]


@pytest.mark.parametrize("record", [ticker, kline, index, funding])
def test_others_are_told_apart_by_time_and_digest(record):
    engine = Engine()

    def make(event_s, digest):
        return record(event_s=event_s, digest=digest)

    said = [make(5, 1), make(5, 1), make(5, 2), make(5, 1), make(4, 3), make(6, 1), make(5, 2)]
    assert took(engine, *said) == [1, 0, 1, 0, 0, 1, 0]
    # A venue whose clock was set back by more than any link can be behind.
    assert took(engine, make(600, 1), make(500, 1), make(501, 1)) == [1, 1, 1]


def test_a_price_that_comes_back_without_any_time_is_news():
    engine = Engine()

    assert took(engine, *(ticker(digest=n) for n in (1, 1, 2, 1))) == [1, 0, 1, 1]


def test_the_end_of_a_candle_and_the_next_one_may_come_in_one_instant():
    engine = Engine()

    said = [kline(60, open_s=0), kline(60, open_s=60), kline(60, open_s=0)]

    assert took(engine, *said) == [1, 1, 0]


def test_candles_without_a_time_are_known_again_by_what_they_say():
    engine = Engine()

    fast, slow = [kline(0, digest=n, open_s=n // 5) for n in range(20)], []
    for candle in fast:
        slow.append(candle)
        assert took(engine, candle) == [True]
        # Another link that is behind.
        assert took(engine, slow[max(0, len(slow) - 7)]) == [False]
    # The end of a candle may come after the beginning of the next.
    assert took(engine, kline(0, digest=99, open_s=2)) == [True]


def test_candles_of_two_intervals_do_not_know_each_other():
    engine = Engine()

    assert took(engine, kline(60), kline(30, interval="1h"), kline(60)) == [1, 1, 0]
    assert engine.normaliser.take(kline(90), 1)[0].topic.subject.endswith("kline.1m")


def test_messages_of_one_instant_are_remembered_up_to_a_number():
    engine = Engine()

    took(engine, *(ticker(event_s=5, digest=n) for n in range(10_000)))

    (stream,) = engine.normaliser._streams.values()
    assert isinstance(stream, Latest)
    assert len(stream._told) <= 64


@pytest.mark.parametrize("record", [ticker, index, funding])
def test_a_state_that_is_back_is_stored_again(record):
    # `Engine.note` sees to it that no identity comes twice.
    engine = Engine()

    for digest in (1, 2, 1):
        assert engine.note(engine.normaliser.take(record(event_s=0, digest=digest), SECOND))


def test_a_quiet_market_that_is_subscribed_to_again_is_told_again():
    engine = Engine()
    quiet = channel(data_type="ticker")
    engine.subscribed(quiet)
    assert engine.note(engine.normaliser.take(ticker(event_s=5, digest=7), SECOND))

    engine.normaliser.unsubscribed([quiet])
    engine.subscribed(quiet)

    assert engine.note(engine.normaliser.take(ticker(event_s=5, digest=7), 2 * SECOND))

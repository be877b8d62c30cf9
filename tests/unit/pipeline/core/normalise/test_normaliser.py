from __future__ import annotations

import pytest

from pipeline.core.messages import Flag
from pipeline.core.normalise import normaliser, numbering
from streams.core.errors import BadSubject
from tests.unit.pipeline.core.normalise.exchange import (
    SECOND,
    Engine,
    Market,
    channel,
    trade,
)
from tests.unit.pipeline.core.normalise.test_latest import kline, ticker, took

TRADES = channel(data_type="trade")


class TestSilence:
    def test_it_is_told_once_and_ends_with_any_record(self):
        engine = Engine(stale_s={"trade": 10.0})
        engine.subscribed(TRADES, at_s=1)

        assert engine.look(at_s=10.9) == []
        assert engine.look(at_s=11) == ["STALE"]
        assert engine.said[-1].content.since_ns == 0
        assert engine.look(at_s=100) == []
        engine.take(trade(1), at_s=100)
        engine.take(trade(1), at_s=105)  # A repeat, and yet the channel speaks.
        assert engine.look(at_s=114) == []
        assert engine.look(at_s=115) == ["STALE"]
        said = engine.said[-1]
        assert (said.content.since_ns, said.content.reason) == (105 * SECOND, "nothing for 10 s")
        assert engine.look(at_s=200) == []
        assert engine.normaliser.counts.stale == 2

    def test_a_word_between_two_looks_begins_a_new_silence(self):
        engine = Engine(stale_s={"trade": 10.0})
        engine.subscribed(TRADES, at_s=1)
        engine.look(at_s=11)

        engine.take(trade(1), at_s=12)

        assert engine.look(at_s=30) == ["STALE"]

    def test_each_type_has_its_own_patience(self):
        engine = Engine(stale_s={"ticker": 5.0})
        engine.subscribed(TRADES, channel(data_type="ticker"), at_s=0)

        assert engine.look(at_s=6) == ["STALE"]
        assert engine.said[-1].topic.data_type == "ticker"
        assert engine.look(at_s=300) == ["STALE"]
        assert engine.said[-1].topic.data_type == "trade"

    def test_who_is_not_subscribed_to_need_not_speak(self):
        engine = Engine()
        engine.subscribed(TRADES, channel("ETH", "trade"), channel("XRP", "trade"), at_s=1)
        engine.take(trade(1), at_s=1)

        engine.normaliser.unsubscribed([TRADES])
        engine.disconnected(channel("ETH", "trade"), at_s=2)

        assert engine.look(at_s=1_000) == ["STALE"]
        assert engine.said[-1].topic.symbol == "XRP"

    def test_after_a_reconnection_the_silence_begins_anew(self):
        engine = Engine()
        engine.subscribed(TRADES, at_s=1)
        engine.disconnected(TRADES, at_s=100)
        engine.subscribed(TRADES, at_s=1_000)

        assert engine.look(at_s=1_299) == []
        assert engine.look(at_s=1_300) == ["STALE"]


class TestClocksThatAreSetBack:
    def test_a_silence_is_told_after_its_time_all_the_same(self):
        engine = Engine(stale_s={"trade": 10.0})
        engine.subscribed(TRADES, at_s=5_000)
        engine.take(trade(1), at_s=5_001)
        engine.look(at_s=5_002)

        assert engine.look(at_s=1_400) == []
        assert engine.look(at_s=1_409) == []
        assert engine.look(at_s=1_410) == ["STALE"]

    def test_a_snapshot_is_asked_for_again_after_its_time_all_the_same(self):
        engine = Engine()
        engine.subscribed(channel(data_type="orderbook"), at_s=5_000)
        engine.look(at_s=5_002)
        asked = len(engine.wants)

        engine.look(at_s=1_400)
        engine.look(at_s=1_429)
        assert len(engine.wants) == asked
        engine.look(at_s=1_430)

        assert len(engine.wants) == asked + 1


class TestDisconnections:
    def test_each_subject_hears_of_it_once_also_one_that_never_spoke(self):
        engine = Engine()
        engine.take(trade(1), at_s=3)
        fast, slow = channel(name="a"), channel(name="b")

        assert engine.disconnected(TRADES, fast, slow, at_s=9) == ["DISCONNECT"] * 2
        assert [said.topic.data_type for said in engine.said[-2:]] == ["trade", "orderbook"]
        assert [said.content.since_ns for said in engine.said[-2:]] == [3 * SECOND, 0]
        assert {said.flags for said in engine.said[-2:]} == {Flag.CONTROL}
        assert engine.normaliser.counts.disconnects == 2

    def test_a_channel_of_all_symbols_tells_those_that_have_spoken(self):
        engine = Engine()
        took(engine, ticker(5), kline(5), kline(5, interval="1h"))
        everything = channel("", "ticker", name="!bookTicker")
        engine.subscribed(everything)

        assert engine.disconnected(everything) == ["DISCONNECT"]
        assert engine.disconnected(channel("", "kline", "1h")) == ["DISCONNECT"]
        engine.normaliser.unsubscribed([everything])
        assert engine.look(at_s=9_999) == []


class TestSubscriptions:
    def test_what_a_channel_still_says_after_its_end_is_dropped(self):
        engine, market = Engine(), Market("BTC")
        engine.subscribed(channel())
        engine.take(market.update([(10, 1)], []))
        engine.normaliser.unsubscribed([channel()])
        engine.asked()

        assert engine.take(market.update([(10, 2)], [])) == []
        assert engine.snapshot(market.snapshot()) == []
        assert engine.asked() == []
        assert engine.normaliser.counts.unasked == 1
        assert engine.normaliser.book("BTC") is None
        assert not engine.normaliser._shared.waiting

    def test_numbers_go_on_when_somebody_subscribes_again(self):
        engine = Engine()
        engine.subscribed(TRADES)
        engine.take(trade(1))
        engine.take(trade(2))
        engine.normaliser.unsubscribed([TRADES])
        engine.subscribed(TRADES)

        assert engine.take(trade(9)) == ["9"]  # What was between was not subscribed to: no gap.
        assert engine.said[-1].topic.local_seq == 3

    def test_a_stream_ends_with_its_last_channel(self):
        engine, market = Engine(), Market("BTC")
        fast, slow = channel(name="a"), channel(name="b")
        engine.subscribed(fast, slow)
        engine.take(market.update([(10, 1)], []))
        engine.snapshot(market.snapshot())

        engine.normaliser.unsubscribed([slow])
        assert engine.take(market.update([(10, 2)], [])) == ["104"]
        engine.normaliser.unsubscribed([fast])
        assert engine.take(market.update([(10, 3)], [])) == []

    def test_symbols_that_come_and_go_fill_no_memory(self, monkeypatch):
        monkeypatch.setattr(numbering, "MAX_LEFT", 10)
        engine = Engine()

        for n in range(100):
            mine = channel(f"S{n}", "trade")
            engine.subscribed(mine)
            engine.take(trade(1, f"S{n}"))
            engine.normaliser.unsubscribed([mine])

        normaliser = engine.normaliser
        assert not normaliser._streams
        assert not normaliser._channels
        assert not any(normaliser._takers.values())
        assert len(normaliser._numbering._left) == 10
        assert normaliser.published == {"trade": 100}

    def test_a_peer_that_makes_symbols_up_gets_no_further_than_this(self, monkeypatch):
        monkeypatch.setattr(numbering, "MAX_OPEN", 3)
        engine = Engine()
        for n in range(3):
            engine.take(trade(1, f"S{n}"))

        with pytest.raises(BadSubject):
            engine.take(trade(1, "S3"))
        assert engine.take(trade(2, "S0")) == ["2"]

    def test_a_symbol_that_can_be_no_subject_does_not_stop_the_others(self):
        engine = Engine()
        wrong = channel("x" * 5_000, "trade")

        engine.subscribed(wrong, TRADES)

        assert engine.disconnected(wrong, TRADES) == ["DISCONNECT"]


def test_only_data_count_as_published():
    engine = Engine(can_call=False)
    for n in (1, 2, 5):
        engine.take(trade(n))
    took(engine, kline(5))
    engine.disconnected(TRADES)

    # `took` hands nothing to the broker.
    assert engine.normaliser.published == {"trade": 3}


def test_the_same_source_with_other_settings_goes_on_counting():
    before = Engine(can_call=False)
    for n in (1, 2, 5):
        before.take(trade(n))
    again, later = Engine(), Engine(epoch=2)
    again.normaliser.go_on_from(before.normaliser)
    later.normaliser.go_on_from(again.normaliser)

    again.take(trade(6))
    later.take(trade(6))

    assert again.said[-1].topic.local_seq == 5
    assert later.said[-1].topic.local_seq == 1
    assert again.normaliser.published == {"trade": 4}
    assert later.normaliser.published == {"trade": 4}
    assert again.normaliser.counts.gaps == 1


class TestWhatNobodyAskedFor:
    def test_it_is_dropped_and_counted_where_all_that_comes_is_subscribed_to(self):
        engine = Engine(only_subscribed=True)
        engine.subscribed(TRADES, channel("", "ticker", name="!bookTicker"))

        assert took(engine, trade(1), trade(1, "ETH"), ticker(5), kline(5)) == [
            True, False, True, False,
        ]  # fmt: skip
        assert engine.normaliser.counts.unasked == 2

    def test_it_is_taken_once_it_is_subscribed_to(self):
        engine = Engine(only_subscribed=True)
        engine.take(trade(1))
        engine.subscribed(TRADES)

        assert engine.take(trade(2)) == ["2"]

    def test_elsewhere_it_has_a_bound(self, monkeypatch):
        monkeypatch.setattr(normaliser, "MAX_FOUND", 5)
        monkeypatch.setattr(normaliser, "MAX_FOUND_BOOKS", 2)
        engine = Engine()

        books = [Market(f"B{number}").update([(10, 1)], []) for number in range(5)]
        took(engine, *books, *(trade(1, f"S{number}") for number in range(9)))

        assert len(engine.normaliser._streams) == 5
        assert engine.normaliser.counts.unasked == 3 + 6
        # What is subscribed to does not count.
        engine.subscribed(channel("S0", "trade"), channel("X", "trade"))
        assert took(engine, trade(1, "X"), trade(1, "Y"), trade(1, "Z")) == [True, True, False]

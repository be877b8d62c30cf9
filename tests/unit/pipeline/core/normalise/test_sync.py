from __future__ import annotations

import msgspec
import pytest

from pipeline.core.messages import ControlKind
from pipeline.core.normalise import FetchSnapshot, Resubscribe, sync
from pipeline.core.normalise.held import MAX_HELD
from tests.unit.pipeline.core.normalise.exchange import (
    Beginning,
    Chaining,
    Counting,
    Engine,
    Market,
    book_message,
    channel,
    decimals,
)


def ready(venue=None, **options):
    """Return an engine whose book is whole, and its market."""
    engine, market = Engine(venue, **options), Market("BTC")
    engine.take(market.update([(10, 1)], [(11, 1)]))
    engine.snapshot(market.snapshot())
    engine.asked()
    return engine, market


def go(market, quantity=5):
    return market.update([(10, quantity)], [])


def truth(market):
    return tuple(
        {price / 100: quantity / 100 for price, quantity in side.items()}
        for side in market.books[market.seq]
    )


def levels(engine, symbol="BTC"):
    book = engine.normaliser.book(symbol)
    assert book
    return tuple(
        {float(price): float(quantity) for price, quantity in side.items()}
        for side in decimals(book)
    )


def test_updates_are_held_back_until_the_snapshot_is_there():
    engine, market = Engine(), Market("BTC")

    assert engine.take(go(market)) == []
    assert engine.take(go(market)) == []
    assert engine.asked() == [FetchSnapshot("BTC")]
    middle = market.snapshot()
    assert engine.take(go(market)) == []

    # No RESYNC: nothing was lost, and the flag says that all levels are there.
    assert engine.snapshot(middle) == ["104 snapshot", "106"]
    assert engine.take(go(market)) == ["108"]
    assert levels(engine) == truth(market)
    assert engine.asked() == []


def test_a_snapshot_older_than_what_is_held_is_asked_for_again():
    engine, market = Engine(), Market("BTC")
    too_old = market.snapshot()
    go(market)
    engine.take(go(market))

    assert engine.snapshot(too_old) == []
    assert engine.asked() == [FetchSnapshot("BTC"), FetchSnapshot("BTC", attempt=2)]
    assert engine.snapshot(market.snapshot()) == ["104 snapshot"]
    assert engine.normaliser.counts.gaps == 0


def test_a_snapshot_newer_than_all_that_is_held_is_joined_by_what_comes_next():
    engine, market = Engine(), Market("BTC")
    engine.take(go(market))
    on_its_way = go(market)

    assert engine.snapshot(market.snapshot()) == ["104 snapshot"]
    assert engine.take(on_its_way) == []
    assert engine.take(go(market)) == ["106"]
    assert levels(engine) == truth(market)


@pytest.mark.parametrize("venue", [Counting, Chaining])
def test_a_lost_update_is_one_gap_and_one_question(venue):
    engine, market = ready(venue())
    other = Market("ETH")
    engine.take(go(other))
    engine.snapshot(other.snapshot())
    engine.asked()

    go(market)
    assert engine.take(go(market), at_s=2) == ["GAP"]
    go(market)
    assert engine.take(go(market)) == []  # Of the same stretch.
    assert engine.take(go(other)) == ["104"]

    gap = engine.said[-2].content
    assert (gap.kind, gap.first_missing, gap.last_missing) == (ControlKind.GAP, 103, 104)
    assert gap.since_ns == 1_000_000_000
    assert engine.asked() == [FetchSnapshot("BTC", attempt=2)]
    assert engine.snapshot(market.snapshot()) == ["RESYNC", "110 snapshot"]
    assert engine.take(go(market)) == ["112"]
    assert levels(engine) == truth(market)
    counts = engine.normaliser.counts
    assert (counts.gaps, counts.resyncs) == (1, 1)


def test_what_was_held_back_follows_the_snapshot_in_order():
    engine, market = ready()
    go(market)
    engine.take(go(market))
    middle = market.snapshot()
    engine.take(go(market))
    engine.take(go(market))

    assert engine.snapshot(middle) == ["RESYNC", "106 snapshot", "108", "110"]


def test_what_is_lost_while_updates_are_held_back_needs_a_newer_snapshot():
    engine, market = Engine(), Market("BTC")
    engine.take(go(market))
    before = market.snapshot()
    go(market)
    engine.take(go(market))

    assert engine.snapshot(before) == []
    assert engine.asked()[-1] == FetchSnapshot("BTC", attempt=2)
    assert engine.snapshot(market.snapshot()) == ["106 snapshot"]
    assert engine.normaliser.counts.gaps == 0


def test_a_book_that_breaks_again_at_once_asks_with_growing_attempts():
    engine, market = ready()

    for attempt in (2, 3, 4):
        go(market)
        engine.take(go(market))
        assert engine.asked() == [FetchSnapshot("BTC", attempt=attempt)]
        engine.snapshot(market.snapshot())
    go(market)
    engine.take(go(market), at_s=100)

    assert engine.asked() == [FetchSnapshot("BTC", attempt=1)]


def test_repeats_and_older_updates_are_dropped():
    engine, market = ready()
    first, second = go(market), go(market)
    engine.take(first)
    engine.take(second)

    assert engine.take(second) == []
    assert engine.take(first) == []
    assert engine.take(go(market)) == ["108"]
    assert engine.normaliser.counts.repeated == 2


def test_numbers_that_begin_anew_are_a_gap_and_not_silence_for_ever():
    engine, _ = ready()
    anew = book_message("BTC", [(10, 7)], [], first_seq=1, last_seq=2, event_ns=10**12)

    assert engine.take(anew) == ["GAP"]
    assert engine.said[-1].content.first_missing == 0
    engine.asked()
    young = book_message("BTC", [(10, 7)], [], first_seq=0, last_seq=2, snapshot=True)
    for _ in range(sync.MAX_CACHED):
        assert engine.snapshot(young) == []  # Might come out of a cache.
    assert len(engine.asked()) == sync.MAX_CACHED
    assert engine.snapshot(young) == ["RESYNC", "2 snapshot"]


def test_an_answer_out_of_a_cache_does_not_take_consumers_back():
    engine, market = ready()
    old = market.snapshot()
    engine.take(go(market))
    engine.disconnected(channel())
    engine.take(go(market))

    assert engine.snapshot(old) == []
    assert engine.snapshot(market.snapshot()) == ["RESYNC", "106 snapshot"]


def test_a_snapshot_that_never_comes_is_told_once_and_holds_bounded_memory():
    engine, market = Engine(), Market("BTC")

    said = [word for _ in range(3 * MAX_HELD) for word in engine.take(go(market))]

    assert said == ["GAP"]
    assert engine.asked() == [FetchSnapshot("BTC")]
    first_held = market.seq - 2 * (MAX_HELD - 1)
    middle = market.snapshot(first_held)
    said = engine.snapshot(middle)
    assert said[:3] == ["RESYNC", f"{first_held} snapshot", str(first_held + 2)]
    assert len(said) == 2 + MAX_HELD - 1
    assert levels(engine) == truth(market)


def test_all_books_together_hold_a_bounded_weight():
    engine = Engine()
    room = engine.normaliser._shared.room
    room.free = 100
    markets = [Market(f"S{n}") for n in range(5)]

    said = [word for market in markets for _ in range(5) for word in engine.take(go(market))]

    # 6 each: three books are held whole, the others have no room.
    assert said == ["GAP", "GAP"]
    assert 0 <= room.free < 6
    for market in markets:
        engine.take(go(market))
        engine.snapshot(market.snapshot())
    assert room.free == 100


def test_time_says_again_what_was_asked_for_in_vain_and_tells_consumers_once():
    engine, market = Engine(), Market("BTC")
    engine.take(go(market), at_s=1)
    engine.asked()

    assert engine.look(at_s=5) == []
    assert engine.asked() == []
    assert engine.look(at_s=40) == ["GAP"]
    assert engine.asked() == [FetchSnapshot("BTC")]
    assert engine.look(at_s=80) == []
    assert engine.asked() == [FetchSnapshot("BTC")]
    assert engine.snapshot(market.snapshot()) == ["RESYNC", "102 snapshot"]
    assert engine.look(at_s=200) == []
    assert engine.asked() == []


def test_a_call_that_failed_is_asked_for_again():
    engine, market = Engine(), Market("BTC")
    engine.take(go(market))
    (want,) = engine.asked()

    assert engine.normaliser.failed(want, 2) == ()

    assert engine.asked() == [FetchSnapshot("BTC", attempt=2)]


def test_a_quiet_book_is_asked_for_although_no_update_came():
    engine, market = Engine(), Market("BTC")
    engine.subscribed(channel(), at_s=1)

    engine.look(at_s=2)
    assert engine.asked() == []
    engine.look(at_s=4)
    assert engine.asked() == [FetchSnapshot("BTC")]
    assert engine.snapshot(market.snapshot()) == ["100 snapshot"]
    assert engine.take(go(market)) == ["102"]


def test_a_snapshot_with_a_number_that_no_update_reaches_is_asked_for_again():
    engine, market = Engine(), Market("BTC")
    engine.take(go(market))
    engine.asked()
    absurd = msgspec.structs.replace(market.snapshot(), last_seq=2**63 - 1)
    assert engine.snapshot(absurd, at_s=1) == [f"{2**63 - 1} snapshot"]

    assert engine.take(go(market), at_s=10) == []
    assert engine.asked() == []
    assert engine.take(go(market), at_s=12) == ["GAP"]
    assert engine.asked() == [FetchSnapshot("BTC", attempt=2)]
    assert engine.snapshot(market.snapshot(), at_s=13) == []  # Older than what was published.
    for at_s in (14, 15):
        assert engine.snapshot(market.snapshot(), at_s=at_s) == []
    assert engine.snapshot(market.snapshot(), at_s=16) == ["RESYNC", "106 snapshot"]
    assert engine.take(go(market), at_s=17) == ["108"]


@pytest.mark.parametrize("venue", [Counting, Chaining, Beginning])
def test_a_quiet_book_whose_last_number_is_said_again_is_no_gap(venue):
    engine, market = Engine(venue()), Market("BTC")
    last = go(market)
    engine.take(last)
    began = market.snapshot()
    engine.take(began) if venue is Beginning else engine.snapshot(began)
    still = msgspec.structs.replace(last, prev_seq=last.last_seq, bid_prices=[], bid_quantities=[])

    assert engine.take(still, at_s=61) == engine.take(still, at_s=121) == []
    assert engine.take(go(market), at_s=122) == ["104"]


def test_a_broken_link_begins_each_book_anew_and_loses_no_word_about_it():
    engine, market = ready()

    assert engine.disconnected(channel(), channel("ETH"), at_s=3) == ["DISCONNECT"] * 2
    gone = engine.said[-2].content
    assert (gone.reason, gone.since_ns) == ("closed by the peer", 1_000_000_000)
    assert engine.snapshot(market.snapshot()) == []  # Nobody asked for it since.
    go(market)
    assert engine.take(go(market)) == []
    assert engine.asked() == [FetchSnapshot("BTC")]
    assert engine.snapshot(market.snapshot()) == ["RESYNC", "106 snapshot"]
    assert engine.normaliser.counts.gaps == 0  # The DISCONNECT was the word for it.


def test_a_book_nobody_can_make_whole_flows_unsynced_and_its_gaps_are_told():
    engine, market = Engine(can_call=False), Market("BTC")

    assert engine.take(go(market)) == ["102 unsynced"]
    repeat = go(market)
    assert engine.take(repeat) == ["104 unsynced"]
    assert engine.take(repeat) == []
    go(market)
    assert engine.take(go(market)) == ["GAP", "108 unsynced"]
    go(market)
    assert engine.take(go(market)) == ["GAP", "112 unsynced"]
    assert engine.asked() == []
    assert engine.look(at_s=1_000) == []


class TestChannelsThatBeginWithTheirSnapshot:
    def ready(self):
        engine, market = Engine(Beginning()), Market("BTC", skip=3)
        go(market)
        assert engine.take(market.snapshot()) == ["105 snapshot"]
        return engine, market

    def test_the_snapshot_is_the_beginning(self):
        engine, market = Engine(Beginning()), Market("BTC")

        assert engine.take(go(market)) == []
        assert engine.take(market.snapshot()) == ["102 snapshot"]
        assert engine.take(go(market)) == ["104"]
        assert levels(engine) == truth(market)
        assert engine.asked() == []

    def test_a_gap_asks_for_the_channel_anew(self):
        engine, market = self.ready()
        go(market)

        assert engine.take(go(market)) == ["GAP"]
        gap = engine.said[-1].content
        assert (gap.first_missing, gap.last_missing) == (106, 110)
        assert engine.asked() == [Resubscribe("BTC")]
        assert engine.take(go(market)) == []
        assert engine.take(market.snapshot()) == ["RESYNC", f"{market.seq} snapshot"]
        assert engine.take(go(market)) == [str(market.seq)]
        assert levels(engine) == truth(market)

    def test_a_snapshot_in_mid_stream_replaces_the_book(self):
        engine, market = self.ready()
        go(market)

        assert engine.take(market.snapshot()) == [f"{market.seq} snapshot"]
        assert levels(engine) == truth(market)

    def test_a_snapshot_of_a_link_that_is_behind_is_dropped(self):
        engine, market = self.ready()
        old = market.snapshot()
        engine.take(go(market))

        assert engine.take(old) == []
        assert engine.take(go(market)) == [str(market.seq)]

    def test_a_snapshot_that_does_not_come_is_asked_for(self):
        engine = Engine(Beginning())
        engine.subscribed(channel(), at_s=1)

        assert engine.look(at_s=20) == []
        assert engine.asked() == []
        assert engine.look(at_s=40) == ["GAP"]
        assert engine.asked() == [Resubscribe("BTC")]
        assert engine.look(at_s=80) == []
        assert engine.asked() == [Resubscribe("BTC", attempt=2)]


class TestChecksums:
    def with_checksum(self, message, *, right=True, texts=None):
        book = message if texts is None else texts
        bids = [(str(p), str(q)) for p, q in zip(book.bid_prices, book.bid_quantities, strict=True)]
        asks = [(str(p), str(q)) for p, q in zip(book.ask_prices, book.ask_quantities, strict=True)]
        return msgspec.structs.replace(
            message,
            bid_texts=bids[: len(message.bid_prices)] if texts is None else None,
            ask_texts=asks[: len(message.ask_prices)] if texts is None else None,
            checksum=Beginning().checksum(sorted(bids, reverse=True)[:3], sorted(asks)[:3])
            + (not right),
        )

    def update(self, market, bids, *, right=True):
        """Return an update with the checksum of the book after it."""
        update = market.update(bids, [])
        whole = self.with_checksum(market.snapshot(), right=right)
        pairs = [(str(price), str(quantity)) for price, quantity in bids]
        return msgspec.structs.replace(
            update, bid_texts=pairs, ask_texts=[], checksum=whole.checksum
        )

    def ready(self, **options):
        engine, market = Engine(Beginning(), **options), Market("BTC")
        market.update([(20, 1), (21, 2), (22, 3), (23, 4)], [(30, 1)])
        assert engine.take(self.with_checksum(market.snapshot())) == ["102 snapshot"]
        return engine, market

    def test_books_that_match_go_through(self):
        engine, market = self.ready()

        assert engine.take(self.update(market, [(23, 0), (24, 1)])) == ["104"]
        assert engine.take(self.update(market, [(19, 5)])) == ["106"]
        assert engine.normaliser.counts.bad_checksums == 0

    def test_a_book_that_does_not_match_is_a_gap_and_asked_for_anew(self):
        engine, market = self.ready()

        assert engine.take(self.update(market, [(23, 9)], right=False)) == ["GAP"]
        assert "checksum" in engine.said[-1].content.reason
        assert engine.asked() == [Resubscribe("BTC")]
        assert engine.normaliser.counts.bad_checksums == 1
        assert engine.take(self.with_checksum(market.snapshot())) == ["RESYNC", "104 snapshot"]

    def test_a_snapshot_that_does_not_match_is_told_once_and_asked_for_again(self):
        engine, market = Engine(Beginning()), Market("BTC")
        market.update([(20, 1)], [])
        wrong = self.with_checksum(market.snapshot(), right=False)

        assert engine.take(wrong) == ["GAP"]
        assert engine.take(wrong) == []
        assert engine.asked() == [Resubscribe("BTC"), Resubscribe("BTC", attempt=2)]
        assert engine.take(self.with_checksum(market.snapshot())) == ["RESYNC", "102 snapshot"]

    def test_who_wants_no_checksums_gets_the_book_as_it_comes(self):
        engine, market = self.ready(checksums=False)

        assert engine.take(self.update(market, [(23, 9)], right=False)) == ["104"]

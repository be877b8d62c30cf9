"""
What goes wrong at an exchange, for all of them at once, from their sockets to JetStream.

Every fault is ordered at each simulated exchange; then a consumer that has nothing but the stored
messages rebuilds every book and finds every trade.
"""

from __future__ import annotations

import pytest

from streams.core.proto.market_pb2 import FLAG_BACKFILL, FLAG_SNAPSHOT
from tests.integration.pipeline.market import (
    assert_books_are_true,
    assert_numbered,
    assert_trades_are_true,
    market,
    pause,
    told,
)

pytestmark = pytest.mark.integration

BY_REST = ("binance", "binance-usdm", "binance-coinm")


def assert_true(found, exchanges, least=100):
    """All that is stored is numbered and true, and it is not little."""
    assert_numbered(found)
    compared = assert_books_are_true(found, exchanges) + assert_trades_are_true(found, exchanges)
    assert all(compared[venue] > least for venue in exchanges), compared


def calls(exchange, path, symbol):
    return sum(path in call.path and call.query.get("symbol") == symbol for call in exchange.calls)


def asked(exchange, symbol):
    """Return how often clients named the symbol's book in what they sent."""
    return sum(symbol in text and "book" in text for text in exchange.heard)


async def test_a_lost_update_is_one_gap_and_one_resync_of_that_book_alone(own_nats):
    async with market(own_nats) as here:
        here.begin()
        await here.flows()
        before = {v: asked(e, here.first[v]) for v, e in here.exchanges.items()}
        others = {v: asked(e, here.second[v]) for v, e in here.exchanges.items()}
        for venue, exchange in here.exchanges.items():
            exchange.faults.drop_next(here.first[venue], "orderbook")

        await here.until(lambda source: source["gaps"] == source["resyncs"] == 1)
        await here.flows(50)
        found = await here.end()

    assert told(found) == {
        (venue, symbol, "orderbook"): ["GAP", "RESYNC"] for venue, symbol in here.first.items()
    }
    assert_true(found, here.exchanges)
    for venue, exchange in here.exchanges.items():
        first, second = here.first[venue], here.second[venue]
        assert len(exchange.faults.done) == 1, venue
        if venue in BY_REST:
            assert [calls(exchange, "depth", each) for each in (first, second)] == [2, 1], venue
        else:
            # Given up and taken anew, on the link that is there.
            assert asked(exchange, first) == before[venue] + 2
            assert asked(exchange, second) == others[venue]
        source = here.status(venue)
        assert (source["backfilled"], source["stale"], source["undecodable"]) == (0, 0, 0)


async def test_repeats_are_dropped_and_what_comes_late_is_made_good(own_nats):
    async with market(own_nats) as here:
        here.begin()
        await here.flows()
        for venue, exchange in here.exchanges.items():
            first, second = here.first[venue], here.second[venue]
            exchange.faults.duplicate_next(first, "orderbook", count=3)
            exchange.faults.duplicate_next(first, "trade", count=3)
            exchange.faults.reorder_next(second, "orderbook")
            exchange.faults.reorder_next(second, "trade")

        await here.until(lambda source: source["gaps"] == 2 and source["resyncs"] == 1)
        await here.until(lambda source: source["repeated"] >= 6 and source["backfilled"] >= 1)
        await here.flows(50)
        found = await here.end()

    assert told(found) == {
        **{
            (venue, symbol, "orderbook"): ["GAP", "RESYNC"] for venue, symbol in here.second.items()
        },
        **{(venue, symbol, "trade"): ["GAP"] for venue, symbol in here.second.items()},
    }
    assert_true(found, here.exchanges)
    for venue, exchange in here.exchanges.items():
        assert len(exchange.faults.done) == 8, venue


async def test_a_silent_channel_is_stale_once_while_the_others_speak(own_nats):
    async with market(own_nats) as here:
        here.begin(stale_s={"orderbook": 1.5})
        await here.flows()
        for venue, exchange in here.exchanges.items():
            exchange.faults.stall(here.first[venue], "orderbook")

        await here.until(lambda source: source["stale"] == 1)
        await pause(2)  # Longer than what made it stale.
        for venue, exchange in here.exchanges.items():
            assert here.status(venue)["stale"] == 1, venue
            exchange.faults.resume()
        await here.until(lambda source: source["resyncs"] == 1)
        await here.flows()
        found = await here.end()

    assert told(found) == {
        (venue, symbol, "orderbook"): ["STALE", "GAP", "RESYNC"]
        for venue, symbol in here.first.items()
    }
    assert_true(found, here.exchanges)


async def test_after_a_lost_link_books_are_whole_and_no_trade_is_missing(own_nats):
    async with market(own_nats) as here:
        here.begin()
        await here.flows()
        for exchange in here.exchanges.values():
            exchange.disconnect()
            exchange.tick(5)  # Nobody hears that.

        await here.until(lambda source: source["resyncs"] == 2 and source["backfilled"] >= 2)
        await here.flows(50)
        found = await here.end()

    for venue in here.exchanges:
        for symbol in (here.first[venue], here.second[venue]):
            controls = told(found)
            assert controls[venue, symbol, "orderbook"] == ["DISCONNECT", "RESYNC"]
            # Where trades are numbered the loss is certain; elsewhere it is only looked for.
            assert controls[venue, symbol, "trade"][0] == "DISCONNECT"
            assert set(controls[venue, symbol, "trade"][1:]) <= {"GAP"}
            flags = [message.flags for message in found[venue, symbol, "trade"]]
            assert FLAG_BACKFILL in flags
    assert_true(found, here.exchanges)


async def test_a_snapshot_that_is_too_old_or_never_comes_is_asked_for_again(own_nats):
    too_old, never = ("binance", "binance-coinm"), "binance-usdm"
    async with market(own_nats) as here:
        for exchange in here.exchanges.values():
            exchange.tick(200)  # There is something to be behind of.
        for venue in too_old:
            here.exchanges[venue].faults.old_snapshot(here.first[venue], changes=300, count=2)
        here.exchanges[never].faults.rest("hang", "depth")
        here.begin()
        await here.until(lambda source: snapshot_calls(here, source["source_id"]) in ENOUGH)
        await here.flows(100)
        found = await here.end()

    assert told(found) == {}
    assert_true(found, here.exchanges)
    for (venue, symbol, data_type), messages in found.items():
        if data_type == "orderbook":
            flags = [message.flags & FLAG_SNAPSHOT for message in messages]
            assert flags == [FLAG_SNAPSHOT] + [0] * (len(flags) - 1), (venue, symbol)


# For two books: two that were too old, one that never came, none where channels begin with them.
ENOUGH: tuple[list[int], ...] = ([3, 1], [2, 1], [1, 2], [])


def snapshot_calls(here, venue):
    """Return how many snapshots of each symbol were called for; [] where channels bring them."""
    symbols = (here.first[venue], here.second[venue])
    exchange = here.exchanges[venue]
    return [calls(exchange, "depth", symbol) for symbol in symbols] if venue in BY_REST else []

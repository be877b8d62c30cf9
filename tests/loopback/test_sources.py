"""Whole sources against the simulated exchanges, over real sockets."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import pytest

from pipeline.core.simulate.venues import MOUTHS
from pipeline.core.spec import HandshakeStep
from pipeline.core.status import State
from pipeline.simulate.simulator import simulating
from pipeline.supervise import Patience
from streams.core.proto.market_pb2 import FLAG_CONTROL, FLAG_SNAPSHOT
from tests.loopback.supervised import house, spec

TICK_S = 0.02
BRIEF = Patience(healthy_s=0.3, overlap_s=0.2)


def whole(messages):
    """Assert that no subject misses a number; return how many have spoken."""
    for found in messages.values():
        assert [message.local_seq for message in found] == list(range(1, len(found) + 1))
    return len(messages)


def trade_ids(messages):
    """Return the ids of the trades of each subject, controls left out."""
    return {
        subject: [int(m.trade_id.rpartition("-")[2]) for m in found if not m.flags & FLAG_CONTROL]
        for subject, found in messages.items()
        if subject.endswith("trade")
    }


@pytest.fixture(params=sorted(MOUTHS))
async def exchange(request):
    async with simulating(request.param, tick_s=TICK_S) as simulator:
        yield simulator.exchanges[request.param]


@pytest.fixture
async def binance():
    async with simulating("binance", tick_s=TICK_S) as simulator:
        yield simulator.exchanges["binance"]


async def test_every_venue_is_subscribed_to_and_each_book_begins_with_its_snapshot(exchange):
    first, second = exchange.symbols[:2]
    async with house() as here:
        await here.run(spec(exchange, first, second))
        await here.until(
            lambda: all(here.count(kind, s) > 5 for kind in ("orderbook", "trade")
                        for s in (first, second))
        )  # fmt: skip

        status = here.status()

    assert (status.state, status.channels, status.last_error) == (State.RUNNING, 4, "")
    assert (status.gaps, status.undecodable, status.disconnects) == (0, 0, 0)
    assert whole(here.messages()) == 4
    for subject, found in here.messages().items():
        if "orderbook" in subject:
            assert found[0].flags & FLAG_SNAPSHOT


async def test_a_lost_change_is_one_gap_and_one_resync_of_that_symbol_only(exchange):
    first, second = exchange.symbols[:2]
    async with house() as here:
        await here.run(spec(exchange, first, second))
        await here.until(
            lambda: all(here.count("orderbook", symbol) > 3 for symbol in (first, second))
        )

        exchange.faults.drop_next(first, "orderbook")

        await here.until(lambda: len(here.controls()) >= 2)
        seen = here.count("orderbook", first)
        await here.until(lambda: here.count("orderbook", first) > seen + 5)

    # The last is of the end of this test.
    told = [control for control in here.controls() if control[2] != "DISCONNECT"]
    assert told == [(first, "orderbook", "GAP"), (first, "orderbook", "RESYNC")]
    assert here.status().links == 0


@pytest.mark.parametrize("trusted", [False, True], ids=["checked", "raw"])
async def test_a_renewal_loses_nothing_and_is_nobodys_business(exchange, trusted):
    symbol = exchange.symbols[0]
    most = renewals = before = 0
    async with house(patience=BRIEF) as here:
        await here.run(spec(exchange, symbol, link_life_s=0.5, trusted=trusted))
        await here.until(lambda: here.status().channels == 2)
        links = exchange.links  # Two where books and trades have addresses of their own.

        def renewed():
            nonlocal renewals, before, most
            most = max(most, exchange.links)
            renewals += before > links and exchange.links == links
            before = exchange.links
            return renewals == 2

        await here.until(renewed)
        controls, messages = here.controls(), here.messages()
        status = here.status()

    assert most > links
    assert controls == []
    assert (status.state, status.disconnects, status.gaps) == (State.RUNNING, 0, 0)
    assert status.repeated > 0
    whole(messages)
    for ids in trade_ids(messages).values():
        assert ids == [trade.number for trade in exchange.truth(symbol).trades(ids[0], ids[-1])]
    books = [m for subject, found in messages.items() if "orderbook" in subject for m in found]
    assert [book.flags & FLAG_SNAPSHOT for book in books].count(FLAG_SNAPSHOT) == 1


async def test_a_farewell_brings_the_new_link_before_the_old_one_ends():
    async with simulating("okx", tick_s=TICK_S) as simulator:
        okx = simulator.exchanges["okx"]
        async with house() as here:
            await here.run(spec(okx, okx.symbols[0]))
            await here.until(lambda: here.count("trade") > 3)

            okx.farewell()

            await here.until(lambda: okx.links == 2)
            await here.until(lambda: okx.links == 1)
            assert here.controls() == []
            seen = here.count("trade")
            await here.until(lambda: here.count("trade") > seen + 3)


async def test_a_lost_link_is_told_on_every_subject_and_made_good(binance):
    async with house() as here:
        await here.run(spec(binance, "BTCUSDT", "ETHUSDT"))
        await here.until(
            lambda: all(here.count(kind, symbol) > 3 for kind in ("orderbook", "trade")
                        for symbol in ("BTCUSDT", "ETHUSDT"))
        )  # fmt: skip

        binance.disconnect()

        await here.until(lambda: here.status().resyncs == 2)
        # A trade after the interruption is what shows that some are missing.
        seen = here.count("trade")
        await here.until(lambda: here.count("trade") > seen + 5)
        controls, messages = here.controls(), here.messages()

    told = sorted(control for control in controls if control[2] == "DISCONNECT")
    assert told == sorted(
        (symbol, kind, "DISCONNECT")
        for symbol in ("BTCUSDT", "ETHUSDT")
        for kind in ("orderbook", "trade")
    )
    whole(messages)
    for ids in trade_ids(messages).values():
        assert ids == list(range(ids[0], ids[-1] + 1))


async def test_symbols_come_and_go_and_nothing_reconnects(exchange):
    first, second, third = exchange.symbols[:3]
    async with house() as here:
        await here.run(spec(exchange, first, second, types=("trade",)))
        await here.until(lambda: here.count("trade", first) and here.count("trade", second))
        (kept,) = (c for c in exchange.channels if second.lower() in c.lower())
        heard = len(exchange.heard)

        await here.run(spec(exchange, second, third, types=("trade",)))
        await here.until(lambda: here.count("trade", third) > 2)
        await here.until(lambda: len(exchange.channels) == 2)
        seen, others = here.count("trade", first), here.count("trade")
        await here.until(lambda: here.count("trade") > others + 10)

        assert here.count("trade", first) == seen
        assert exchange.links == 1
        assert here.controls() == [(first, "trade", "DISCONNECT")]
        # Only the difference was said.
        assert len(exchange.heard) >= heard + 2
        assert not any(f'"{kept}"' in text for text in exchange.heard[heard:])
    whole(here.messages())


async def test_a_pattern_follows_the_venues_table(exchange):
    symbol = exchange.symbols[0]
    async with house() as here:
        await here.run(spec(exchange, symbol[:-1] + "*", types=("trade",)))
        await here.until(lambda: here.count("trade", symbol) > 2)
        assert here.status().state is State.RUNNING

        await here.run(spec(exchange, "NOTHING*", types=("trade",)))
        await here.until(lambda: exchange.links == 0)

        assert here.status().last_error == "no symbol fits"


async def test_a_refused_subscription_is_reported_and_the_others_go_on(exchange):
    first, second = exchange.symbols[:2]
    exchange.faults.refuse(first)
    async with house() as here:
        await here.run(spec(exchange, first, second, types=("trade",)))
        await here.until(lambda: here.count("trade", second) > 2)
        await here.until(lambda: "1 subscriptions refused" in here.status().last_error, 20)

        status = here.status()

        assert (status.state, status.channels) == (State.RUNNING, 1)
        assert first.lower() in status.last_error.lower()
        assert here.count("trade", first) == 0


async def test_a_venue_that_asks_whether_we_are_there_is_answered():
    async with simulating("deribit", tick_s=TICK_S) as simulator:
        deribit = simulator.exchanges["deribit"]
        async with house() as here:
            await here.run(spec(deribit, deribit.symbols[0]))
            await here.until(lambda: here.count("trade") > 1)
            for _ in range(10):
                deribit.pass_time(30)
                heard = len(deribit.heard)
                await here.until(lambda heard=heard: len(deribit.heard) > heard)

            assert deribit.links == 1
            assert any("public/test" in text for text in deribit.heard)
            assert here.controls() == []


async def test_more_than_one_link_can_carry_is_spread():
    async with simulating("okx", tick_s=TICK_S) as simulator:
        okx = simulator.exchanges["okx"]
        kinds = ("trade", "ticker", "orderbook", "kline")
        intervals = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h")
        async with house() as here:
            await here.run(spec(okx, *okx.symbols, types=kinds, intervals=intervals))
            await here.until(lambda: here.status().channels == 5 * 3 + 5 * 8, 30)

            # 15 at one address; 40 candles at another, which are more than 29.
            assert okx.links == here.status().links == 3
            await here.run(spec(okx, okx.symbols[0], types=kinds, intervals=intervals))
            await here.until(lambda: okx.links == 2, 30)
            assert {s for s, _, _ in here.controls()} == set(okx.symbols[1:])
            assert {kind for *_, kind in here.controls()} == {"DISCONNECT"}


async def test_a_source_that_fails_too_often_is_an_alert_once_and_an_all_clear_later(binance):
    good = binance.endpoint
    async with house(patience=BRIEF) as here:
        told = {"max_reconnect_attempts": 2, "rest_endpoint": ""}
        await here.run(spec(binance, "BTCUSDT", endpoint=good + "/nowhere", **told))
        await here.until(lambda: here.status().state is State.DEGRADED, 30)
        await asyncio.sleep(0.5)
        assert here.herald.said == [("alert", "source_degraded")]
        assert "404" in here.status().last_error

    async with house(patience=BRIEF) as here:
        binance.disconnect()
        await here.run(spec(binance, "BTCUSDT", **{**told, "max_reconnect_attempts": 0}))
        await here.until(lambda: here.count("trade") > 1)

        binance.disconnect()
        await here.until(lambda: here.herald.said == [("alert", "source_degraded")])
        await here.until(lambda: len(here.herald.said) == 2)

    assert here.herald.said[1] == ("event", "source_recovered")
    assert here.status().state is State.STOPPED


async def test_a_script_that_is_not_answered_as_expected_never_subscribes(binance):
    async with house() as here:
        steps = (HandshakeStep(send=json.dumps({"id": 1}), expect="welcome", within_s=5.0),)
        await here.run(spec(binance, "BTCUSDT", handshake=steps))
        await here.until(lambda: "step 1" in here.status().last_error)

    assert not any("SUBSCRIBE" in text for text in binance.heard)


async def test_what_cannot_be_is_refused_and_its_neighbours_run(binance):
    async with house() as here:
        await here.run(
            spec(binance, "BTCUSDT"),
            spec(binance, "BTCUSDT", source_id="b", types=("volatility_index",)),
            spec(binance, "BTC*", source_id="c", rest_endpoint=""),
            spec(binance, "BTCUSDT", source_id="d", options={"no such": "option"}),
        )
        await here.until(lambda: here.count("trade") > 2)

        for source_id, field in (("b", "types"), ("c", "symbols"), ("d", "no such")):
            await here.until(lambda s=source_id: here.status(s).state is State.REFUSED)
            assert here.status(source_id).last_error.startswith(field)
        assert here.status("a").state is State.RUNNING

        await here.run(spec(binance, "ETHUSDT", source_id="d"))
        await here.until(lambda: here.count("trade", "ETHUSDT") > 1)


async def test_messages_keep_their_order_in_time(binance):
    async with house() as here:
        await here.run(spec(binance, "BTCUSDT"))
        await here.until(lambda: here.count("trade") > 20)

    for found in here.messages().values():
        assert all(a.published_ns <= b.published_ns for a, b in pairwise(found))

"""What is subscribed to comes, all of it; and what never comes is told and asked for again."""

from __future__ import annotations

import time

import pytest

from pipeline.core.normalise import sync
from pipeline.core.simulate.venues import MOUTHS
from pipeline.core.venues import VENUES
from pipeline.simulate import simulating
from tests.loopback.supervised import house, spec

TICK_S = 0.02


@pytest.mark.parametrize("venue", MOUTHS)
async def test_nothing_that_was_subscribed_to_is_taken_for_unasked(venue):
    types = tuple(sorted(VENUES[venue].types))
    async with simulating(venue, tick_s=TICK_S) as simulator:
        exchange = simulator.exchanges[venue]
        symbols = list(exchange.symbols)
        if "volatility_index" in types:
            symbols.append("btc_usd")
        async with house() as here:
            await here.run(spec(exchange, *symbols, types=types, intervals=("1m", "1h")))
            await here.until(lambda: set(here.status().by_type) == set(types))

            assert here.status().unasked == 0


@pytest.mark.parametrize("venue", ["okx", "deribit"])
async def test_a_book_whose_channel_begins_without_its_snapshot_is_told_and_subscribed_to_anew(
    venue,
):
    ahead_ns = 0
    async with simulating(venue, tick_s=TICK_S) as simulator:
        exchange = simulator.exchanges[venue]
        first, second = exchange.symbols[:2]
        exchange.faults.no_snapshot(first)
        async with house(clock_ns=lambda: time.time_ns() + ahead_ns) as here:
            await here.run(spec(exchange, first, second))
            await here.until(lambda: here.count("orderbook", second) > 3)
            await here.until(lambda: here.count("trade", first) > 3)
            assert here.count("orderbook", first) == 0

            ahead_ns += sync.TELL_NS
            await here.until(lambda: here.count("orderbook", first) > 5)

            assert here.controls() == [(first, "orderbook", "GAP"), (first, "orderbook", "RESYNC")]
            assert here.status().links == exchange.links

"""All exchanges over real sockets, in this process: faults, REST, heartbeats, control paths."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed

from pipeline.core.venues import VENUES
from pipeline.simulate import simulated, simulating

SYMBOLS = {
    "binance": "BTCUSDT",
    "binance-usdm": "BTCUSDT",
    "binance-coinm": "BTCUSD_PERP",
    "okx": "BTC-USDT",
    "deribit": "BTC-PERPETUAL",
}


class Client:
    """A link that our own venue opens and asks for a book with."""

    def __init__(self, venue, link):
        self.venue = VENUES[venue]({})
        self.link = link

    async def ask(self, types, symbols):
        channels = self.venue.channels(types, symbols, ["1m"])
        await self.link.send(self.venue.subscribe(channels, 1), text=True)

    async def hear(self):
        async with asyncio.timeout(10):
            return list(self.venue.decode(await self.link.recv(decode=False)))

    async def records(self, kind, count):
        found: list[Any] = []
        while len(found) < count:
            found += [heard for heard in await self.hear() if type(heard).__name__ == kind]
        return found


@asynccontextmanager
async def listening(exchange, types=("orderbook",), symbols=()):
    symbols = symbols or [SYMBOLS[exchange.venue]]
    venue = VENUES[exchange.venue]({})
    (first, *_) = venue.channels(types, symbols, ["1m"])
    url = venue.link_url(exchange.endpoint, first)
    async with open_websocket(url, close_timeout=0.5) as link:
        client = Client(exchange.venue, link)
        await client.ask(types, symbols)
        await exchange_hears(exchange)
        exchange.tick()  # It begins.
        yield client


async def exchange_hears(exchange):
    async with asyncio.timeout(10):
        while not exchange.channels:  # noqa: ASYNC110 - it is in this very process
            await asyncio.sleep(0.005)


async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_dropped_update_is_one_gap(venue):
    symbol = SYMBOLS[venue]
    async with simulated(venue, tick_s=None) as exchange, listening(exchange) as client:
        exchange.tick(20)
        exchange.faults.drop_next(symbol, "orderbook")
        exchange.tick(20)
        books = await client.records("OrderBook", 2)
        while books[-1].last_seq != exchange.truth(symbol).number:
            books += await client.records("OrderBook", 1)

    updates = [book for book in books if not book.snapshot]
    steps = [client.venue.follows(a.last_seq, b).value for a, b in pairwise(updates)]
    assert (steps.count("gap"), set(steps)) == (1, {"gap", "next"})
    (done,) = exchange.faults.done
    assert done.frame.number not in [book.last_seq for book in updates]


@pytest.mark.parametrize(
    ("order", "repeated", "inverted"),
    [("duplicate_next", 1, 0), ("reorder_next", 0, 1), ("drop_next", 0, 0)],
)
async def test_trades_are_repeated_or_come_out_of_order_as_it_was_ordered(
    order, repeated, inverted
):
    async with simulated("okx", tick_s=None) as exchange, listening(exchange, ["trade"]) as client:
        begun = len(exchange.truth("BTC-USDT").trades())
        exchange.tick(10)
        getattr(exchange.faults, order)("BTC-USDT", "trades")
        exchange.tick(30)
        true = [trade.number for trade in exchange.truth("BTC-USDT").trades()[begun:]]
        wanted = len(true) + repeated - (order == "drop_next")
        numbers = [trade.seq for trade in await client.records("Trade", wanted)]

    assert sum(a == b for a, b in pairwise(numbers)) == repeated
    assert sum(a > b for a, b in pairwise(numbers)) == inverted
    missing = [done.frame.number for done in exchange.faults.done if order == "drop_next"]
    assert sorted(set(numbers) | set(missing)) == true


async def test_a_stalled_channel_is_silent_while_the_link_stays_open():
    async with (
        simulated("okx", tick_s=None) as exchange,
        listening(exchange, ["trade", "orderbook"]) as client,
    ):
        exchange.faults.stall("BTC-USDT", "trade")
        exchange.tick(40)
        await client.link.send("ping")
        kinds = set()
        while "Pong" not in kinds:
            kinds |= {type(heard).__name__ for heard in await client.hear()}

    assert "OrderBook" in kinds
    assert "Trade" not in kinds


async def test_a_link_is_cut_without_a_word_or_closed_with_one():
    async with simulated("binance", tick_s=None) as exchange:
        async with listening(exchange) as client:
            exchange.disconnect()
            with pytest.raises(ConnectionClosed) as cut:
                while True:
                    await client.link.recv()
        async with asyncio.timeout(5):
            while exchange.links:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        async with listening(exchange) as client:
            exchange.disconnect(code=1001, reason="going away")
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await client.link.recv()

    assert cut.value.rcvd is None
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "going away")


@pytest.mark.parametrize("venue", ["binance", "okx"])
async def test_a_farewell_is_heard_by_all(venue):
    async with simulated(venue, tick_s=None) as exchange, listening(exchange) as client:
        exchange.farewell()
        await client.records("Farewell", 1)


async def test_a_silent_client_of_okx_is_closed_as_time_passes():
    async with simulated("okx", tick_s=None) as exchange, listening(exchange) as client:
        exchange.pass_time(31)
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await client.link.recv()

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4004


async def test_deribit_asks_whether_one_is_there():
    async with simulated("deribit", tick_s=None) as exchange, listening(exchange) as client:
        for opening in client.venue.opening():
            await client.link.send(opening, text=True)
        await client.records("Accepted", 1)
        async with asyncio.timeout(5):
            while len(exchange.heard) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        exchange.pass_time(10)
        (demand,) = await client.records("Demand", 1)
        await client.link.send(demand.answer, text=True)
        async with asyncio.timeout(5):
            while len(exchange.heard) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        exchange.pass_time(10)
        await client.records("Demand", 1)
        exchange.pass_time(10)
        with pytest.raises(ConnectionClosed):
            while True:
                await client.link.recv()


async def test_rest_goes_wrong_as_ordered():
    async with simulated("binance", tick_s=None) as exchange:
        url = f"{exchange.rest_endpoint}/api/v3/depth?symbol=BTCUSDT&limit=100"
        exchange.faults.rest("busy", "depth", seconds=7)
        exchange.faults.rest("broken", "depth")
        busy, broken, fine = [await get(url) for _ in range(3)]

        exchange.faults.rest("hang", "depth")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await get(url)

    assert [answer[0] for answer in (busy, broken, fine)] == [429, 500, 200]
    assert busy[1]["Retry-After"] == "7"
    assert fine[1]["X-MBX-USED-WEIGHT-1M"] == "5"
    assert json.loads(fine[2])["lastUpdateId"] == exchange.truth("BTCUSDT").number


async def test_a_call_that_is_never_answered_does_not_hold_up_the_end():
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(5), simulated("okx", tick_s=None) as exchange:
            exchange.faults.rest("hang")
            asked = asyncio.ensure_future(
                session.get(f"{exchange.rest_endpoint}/api/v5/public/time")
            )
            await asyncio.sleep(0.1)
        response = (await asyncio.gather(asked, return_exceptions=True))[0]

    assert isinstance(response, aiohttp.ClientError | aiohttp.ClientResponse)


async def test_who_calls_too_often_is_told_to_wait_and_may_go_on_later():
    clock = [1_700_000_000_000_000_000]
    async with simulated("binance", tick_s=None, clock_ns=lambda: clock[0]) as exchange:
        exchange.budget.most = 12
        url = f"{exchange.rest_endpoint}/api/v3/depth?symbol=BTCUSDT&limit=100"
        found = [await get(url) for _ in range(3)]
        clock[0] += 60_000_000_000
        later = await get(url)

    assert [status for status, _, _ in found] == [200, 200, 429]
    assert 1 <= int(found[2][1]["Retry-After"]) <= 61
    assert later[0] == 200
    assert [call.status for call in exchange.calls] == [200, 200, 429, 200]


async def test_one_port_serves_them_all_each_at_its_own_address():
    async with simulating(tick_s=None) as simulator:
        for exchange in simulator.exchanges.values():
            async with listening(exchange) as client:
                exchange.tick(3)
                (book, *_) = await client.records("OrderBook", 1)
                assert book.symbol == SYMBOLS[exchange.venue]
            for call in client.venue.instruments_calls():
                status, _, body = await get(exchange.rest_endpoint + call.path)
                assert status == 200
                if "OPTION" not in call.path:
                    assert client.venue.instruments(body)


async def test_faults_are_ordered_over_http_too():
    async with simulating("okx", "deribit", tick_s=None) as simulator:
        base = f"http://{simulator.address}/simulator"
        okx = simulator.exchanges["okx"]
        async with aiohttp.ClientSession() as session:

            async def order(**query):
                async with session.post(f"{base}/faults", params=query) as response:
                    return response.status, (await response.json())["message"]

            assert await order(do="drop_next", venue="okx", channel="books") == (200, "ordered")
            async with listening(okx):
                okx.tick(5)
                state = json.loads((await get(f"{base}/state"))[2])
            assert [fault[:2] for fault in state["okx"]["faults"]] == [["drop", "books:BTC-USDT"]]
            assert state["okx"]["channels"] == ["books:BTC-USDT"]
            assert state["deribit"]["links"] == 0

            assert (await order(do="dance"))[0] == 400
            assert (await order(do="drop_next", venue="lmax"))[0] == 400
            assert (await order(do="drop_next", count="x"))[0] == 400
            assert (await order(do="stall", count="1"))[0] == 400
            assert (await order(do="rest", hitch="dance"))[0] == 400
            assert (await get(f"{base}/faults?do=clear"))[0] == 404

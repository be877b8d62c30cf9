from __future__ import annotations

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from itertools import count

import pytest
from websockets.asyncio.server import serve

from streams.broker.connect import connect
from tests.integration.pipeline.worker import (
    api,
    make_stream,
    spec,
    stored,
    worker,
)
from tests.servers.nats import NatsServer

pytestmark = pytest.mark.integration


def trade(number, symbol="BTCUSDT"):
    data = {
        "e": "trade", "E": 1, "s": symbol, "t": number, "p": "1.5", "q": "2", "T": 1, "m": True,
    }  # fmt: skip
    return json.dumps({"stream": "x@trade", "data": data})


@asynccontextmanager
async def exchange(talk):
    async with serve(talk, "127.0.0.1", 0, close_timeout=0.2) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"


@asynccontextmanager
async def control(nats):
    client = await connect(nats.url, name="test", patience_s=10)
    try:
        yield client
    finally:
        await client.close()


async def count_stored(client):
    return (await api(client, "STREAM.INFO.MARKET_DATA"))["state"]["messages"]


class Pour:
    """Sends one trade per millisecond for ever; numbers go on over all its links."""

    def __init__(self):
        self.number = self.links = 0

    async def __call__(self, link):
        self.links += 1
        while True:
            self.number += 1
            await link.send(trade(self.number))
            await asyncio.sleep(0.001)


@pytest.fixture
def pour():
    return Pour()


async def test_sources_come_and_go_while_it_runs(own_nats):
    async def talk(link):
        await link.send(trade(1, symbol=link.request.path.rpartition("/")[2]))
        await link.wait_closed()

    async with control(own_nats) as client, exchange(talk) as url, worker(own_nats.url) as running:
        await make_stream(client)
        running.order(spec(f"{url}/A", "a"))
        await running.until(lambda: running.source("a")["state"] == "running")

        running.order(spec(f"{url}/A", "a"), spec(f"{url}/B", "b"))
        await running.until(lambda: running.source("b")["state"] == "running")
        running.order(spec(f"{url}/B", "b"))
        await running.until(lambda: running.source("a")["state"] == "stopped")

        assert [running.source(name)["received"] for name in "ab"] == [1, 1]
        assert await running.stop() == 0
        assert [subject for subject, _ in await stored(client)] == [
            "market.binance.A.trade", "market.binance.B.trade",
        ]  # fmt: skip


async def test_a_link_that_the_server_closes_is_opened_again(own_nats):
    numbers = count(1)

    async def talk(link):
        await link.send(trade(next(numbers)))

    async with control(own_nats) as client, exchange(talk) as url, worker(own_nats.url) as running:
        await make_stream(client)
        running.order(spec(url))

        await running.until(lambda: running.source()["received"] >= 3)

        assert "closed" in running.source()["last_error"]
        assert await running.stop() == 0
        assert len(await stored(client)) == running.source()["published"]


async def test_nats_killed_in_mid_stream_loses_nothing(own_nats, pour):
    async with control(own_nats) as client, exchange(pour) as url, worker(own_nats.url) as running:
        await make_stream(client)
        running.order(spec(url))
        await running.until(lambda: running.source()["received"] > 200)

        await asyncio.to_thread(own_nats.kill)
        await running.until(lambda: not running.latest["publisher"]["connected"])
        received = running.source()["received"]
        await running.until(lambda: running.source()["received"] > received + 200)
        await asyncio.to_thread(own_nats.start)
        await running.until(lambda: running.latest["publisher"]["connected"])

        assert await running.stop() == 0
        found = running.source()
        assert found["published"] == running.latest["publisher"]["acknowledged"]
        assert await count_stored(client) == found["published"]
        assert pour.links == 1


async def test_it_waits_for_a_nats_that_is_not_there_yet(own_nats, pour):
    await asyncio.to_thread(own_nats.stop)
    async with exchange(pour) as url, worker(own_nats.url) as running:
        running.order(spec(url))
        await running.until(lambda: running.latest["publisher"].get("connected") is False)

        await asyncio.to_thread(own_nats.start)
        async with control(own_nats) as client:
            await make_stream(client)
            await running.until(lambda: running.latest["publisher"]["acknowledged"] > 100)

        assert await running.stop() == 0


async def test_without_nats_it_still_ends_with_its_manager(tmp_path):
    nobody = NatsServer(tmp_path)
    async with worker(nobody.url) as running:
        await running.until(lambda: running.latest["publisher"].get("connected") is False)

        assert await running.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_and_what_it_took_in_is_stored(own_nats, number, pour):
    async with control(own_nats) as client, exchange(pour) as url, worker(own_nats.url) as running:
        await make_stream(client)
        running.order(spec(url))
        await running.until(lambda: running.source()["received"] > 100)

        running.process.send_signal(number)

        assert await running.ended(within_s=6) == 0
        assert await count_stored(client) == running.source()["published"]


async def test_a_manager_that_dies_while_it_writes_is_an_end_like_any_other(own_nats, pour):
    async with control(own_nats) as client, exchange(pour) as url, worker(own_nats.url) as running:
        await make_stream(client)
        running.order(spec(url))
        await running.until(lambda: running.source()["received"] > 100)

        running.process.stdin.write(b'[{"source_id":"te')

        assert await running.stop() == 0
        assert await count_stored(client) == running.source()["published"]


async def test_what_could_not_be_stored_is_no_clean_end(own_nats, pour):
    async with exchange(pour) as url, worker(own_nats.url, drain_s=0.3) as running:
        running.order(spec(url))
        await running.until(lambda: running.latest["publisher"].get("refused", 0) > 0)

        assert await running.stop() == 3
        assert b"not stored" in await running.process.stderr.read()


async def test_a_bug_ends_it_with_a_traceback(own_nats):
    async with worker(own_nats.url) as running:
        running.order(spec("ws://127.0.0.1:1/", venue="nowhere"))

        assert await running.ended() == 1
        assert b"Traceback" in await running.process.stderr.read()


async def test_settings_that_are_none_end_it_with_one_sentence(own_nats):
    async with worker(own_nats.url, no_such_setting=1) as running:
        assert await running.ended() == 2

        said = await running.process.stderr.read()
        assert b"WorkerSettings" in said
        assert b"Traceback" not in said


async def test_bad_frames_are_counted_and_the_good_ones_arrive(own_nats):
    async def talk(link):
        for frame in (trade(1), "{", b"\xff", trade(2), '{"stream":"x@miniTicker","data":{}}'):
            await link.send(frame, text=True)
        await link.wait_closed()

    async with control(own_nats) as client, exchange(talk) as url, worker(own_nats.url) as running:
        await make_stream(client)
        running.order(spec(url))
        await running.until(lambda: running.source()["received"] == 5)

        found = running.source()
        assert (found["published"], found["undecodable"], found["ignored"]) == (2, 2, 1)
        assert found["state"] == "running"
        assert await running.stop() == 0
        assert await count_stored(client) == 2

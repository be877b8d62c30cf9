"""The library against real WebSockets: plain servers, hostile ones, and simulated exchanges."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest
from websockets.asyncio.server import serve

from pipeline import DataSourceConfig, RealTimeDataPipeline
from pipeline.core.library.item import Item
from pipeline.core.status import State
from pipeline.simulate import simulating
from streams.core.market import is_control
from streams.core.proto.market_pb2 import FLAG_SNAPSHOT
from tests.arch.sources import ROOT


@asynccontextmanager
async def feed(handler):
    """Yield the address of a server whose links `handler` talks on."""
    async with serve(handler, "127.0.0.1", 0, close_timeout=0.5) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def config(endpoint, source_id="plain", **more):
    return DataSourceConfig(source_id, "websocket", endpoint, reconnect_interval=0.05, **more)


def of_exchange(exchange, **more):
    options = {"types": ["trade", "ticker", "orderbook"], "symbols": exchange.symbols[:2]}
    return config(
        exchange.endpoint,
        exchange.venue,
        venue=exchange.venue,
        rest_endpoint=exchange.rest_endpoint,
        **{**options, **more},
    )


async def take(pipeline, enough, within_s=15):
    """Return items until there are enough of them."""
    items: list[Item] = []
    async with asyncio.timeout(within_s):
        while not enough(items):
            items.append(await pipeline.get_aggregated_data())
    return items


def payloads(items):
    return [item.message().payload for item in items]


async def test_what_a_source_sends_comes_out_in_its_order():
    sent = [json.dumps({"number": number}).encode() for number in range(500)]

    async def pour(link):
        for message in sent:
            await link.send(message, text=True)
        await link.wait_closed()

    async with feed(pour) as endpoint:
        pipeline = RealTimeDataPipeline()
        pipeline.add_websocket_source(config(endpoint))
        await pipeline.start_all_receivers()
        items = await take(pipeline, lambda items: len(items) == len(sent))
        assert pipeline.receivers["plain"].is_running
        await pipeline.stop_all_receivers()

    assert payloads(items) == sent
    assert [item.message().sequence for item in items] == list(range(1, len(sent) + 1))
    assert not pipeline.receivers["plain"].is_running
    assert pipeline.get_performance_metrics()["total_processed"] == len(sent)


async def test_nobody_takes_so_the_socket_is_not_read_and_nothing_is_lost():
    size, count = 50_000, 400
    sent = 0

    async def pour(link):
        nonlocal sent
        for number in range(count):
            await link.send(str(number).ljust(size).encode())
            sent += 1
        await link.wait_closed()

    async def stalled(pipeline):
        """Return when the pipeline is full and the peer could send nothing for a while."""
        before = -1
        while before != sent or pipeline.get_performance_metrics()["total_processed"] < 10:
            before = sent
            await asyncio.sleep(0.3)

    async with feed(pour) as endpoint:
        pipeline = RealTimeDataPipeline(max_items=10)
        pipeline.add_websocket_source(config(endpoint, silence_s=0.2))
        async with pipeline:
            async with asyncio.timeout(15):
                await stalled(pipeline)
            held = pipeline.get_performance_metrics()["total_processed"]
            assert held == 10
            # The rest is in the buffers of the two sockets.
            assert sent < count // 2
            items = await take(pipeline, lambda items: len(items) == count)

    assert [int(payload) for payload in payloads(items)] == list(range(count))
    # Silence of our own making ended no link.
    assert {item.message().sequence for item in items} == set(range(1, count + 1))


async def test_a_lost_link_is_opened_again_and_its_neighbour_does_not_notice():
    async def one_word(link):
        await link.send("word")

    async def steady(link):
        with suppress(Exception):
            while True:
                await link.send("tick")
                await asyncio.sleep(0.01)

    async with feed(one_word) as short, feed(steady) as long:
        pipeline = RealTimeDataPipeline()
        pipeline.add_websocket_source(config(short, "short"))
        pipeline.add_websocket_source(config(long, "long"))
        async with pipeline:
            items = await take(
                pipeline, lambda items: [item.source_id for item in items].count("short") == 3
            )

    by_source = {name: [i for i in items if i.source_id == name] for name in ("short", "long")}
    for found in by_source.values():
        assert [i.message().sequence for i in found] == list(range(1, len(found) + 1))


async def test_credentials_and_the_handshake_reach_the_source():
    heard = []

    async def ask(link):
        heard.append(link.request.headers["Authorization"])
        heard.append(await link.recv())
        await link.send("ready")
        await link.send("data")
        await link.wait_closed()

    async with feed(ask) as endpoint:
        pipeline = RealTimeDataPipeline()
        pipeline.add_websocket_source(
            config(
                endpoint,
                credentials={"username": "reader", "password": "hush"},
                handshake=[{"send": '{"subscribe":"prices"}', "expect": "ready"}],
            )
        )
        async with pipeline:
            items = await take(pipeline, lambda items: len(items) == 1)

    assert heard == ["Basic cmVhZGVyOmh1c2g=", '{"subscribe":"prices"}']
    assert payloads(items) == [b"data"]


async def test_a_hostile_source_harms_no_other():
    async def hostile(link):
        with suppress(Exception):
            await link.send(b"\xff\xfe", text=True)
            await link.send("[" * 100_000)
            await link.send("x" * (2 * 1024 * 1024))  # More than a message may have.
            await link.wait_closed()

    async def good(link):
        with suppress(Exception):
            while True:
                await link.send('{"good": true}')
                await asyncio.sleep(0.01)

    async with feed(hostile) as bad_endpoint, feed(good) as good_endpoint:
        pipeline = RealTimeDataPipeline()
        pipeline.add_websocket_source(config(bad_endpoint, "bad"))
        pipeline.add_websocket_source(config(good_endpoint, "good"))
        async with pipeline:
            items = await take(
                pipeline,
                lambda items: (
                    {"bad", "good"} <= {item.source_id for item in items}
                    and [item.source_id for item in items].count("good") >= 50
                ),
            )
            bad = pipeline.receivers["bad"].status
            assert pipeline.receivers["good"].status.state is State.RUNNING

    assert "bad" in {item.source_id for item in items}
    assert bad.last_error
    found = [item.message() for item in items if item.source_id == "good"]
    assert [message.sequence for message in found] == list(range(1, len(found) + 1))


async def test_a_source_that_is_not_there_keeps_nobody_waiting():
    pipeline = RealTimeDataPipeline()
    pipeline.add_websocket_source(config("ws://127.0.0.1:1/"))
    async with asyncio.timeout(4), pipeline:
        receiver = pipeline.receivers["plain"]
        assert not receiver.is_running
        assert receiver.status.state in (State.RECONNECTING, State.DEGRADED)
        assert "no connection" in receiver.status.last_error


async def test_a_source_that_refuses_the_login_is_said_to_without_the_login():
    def refuse(link, request):
        return link.respond(HTTPStatus.UNAUTHORIZED, "no")

    async with serve(
        lambda link: link.wait_closed(), "127.0.0.1", 0, process_request=refuse
    ) as server:
        port = server.sockets[0].getsockname()[1]
        login = {"username": "reader", "password": "hush"}
        pipeline = RealTimeDataPipeline()
        pipeline.add_websocket_source(config(f"ws://127.0.0.1:{port}/", credentials=login))
        async with asyncio.timeout(4), pipeline:
            status = pipeline.receivers["plain"].status

    assert status.state is State.REFUSED
    assert "401" in status.last_error
    assert "hush" not in repr(status)


async def test_exchanges_come_out_as_market_data_with_whole_books():
    venues = ("binance", "okx", "deribit")
    async with simulating(*venues, tick_s=0.02) as simulator:
        pipeline = RealTimeDataPipeline()
        for venue in venues:
            pipeline.add_websocket_source(of_exchange(simulator.exchanges[venue]))

        def enough(items):
            seen = {(item.source_id, item.data_type) for item in items}
            books = {
                item.source_id
                for item in items
                if item.data_type == "orderbook" and item.message().flags & FLAG_SNAPSHOT
            }
            return len(seen) == 9 and books == set(venues)

        async with pipeline:
            items = await take(pipeline, enough, within_s=30)
            assert pipeline.get_performance_metrics()["active_sources"] == 3

    numbers: dict[str, list[int]] = {}
    for item in items:
        message = item.message()
        assert message.venue == item.source_id
        assert not is_control(message) or item.data_type == "orderbook"
        numbers.setdefault(item.subject, []).append(message.local_seq)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def examples():
    text = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def printed(example):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.timeout(90)
def test_the_examples_of_the_documentation_run():
    pipeline, values = examples()

    said = printed(pipeline)
    assert said[0] == "connected: True"
    assert len(said) == 12
    assert all(re.fullmatch(r"btc market\.binance\.BTCUSDT\.\w+ \d+ bytes", s) for s in said[1:11])
    assert "'sources_performance': {'btc': {'avg_time': 0." in said[11]
    assert printed(values) == [
        "EURUSD 10921 -4 16",
        "W EURUSD ['1.09'] (8, b'FIX.4.4')",
        "[8, 9, 35, 49, 56, 34, 55, 268, 269, 270, 271, 10]",
    ]

"""What is the last thing said of a subject whose source ends."""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline.core.spec import SourceSpec
from pipeline.supervise import Supervisor
from streams.core.market import decoded
from streams.core.proto.market_pb2 import Control
from tests.unit.pipeline.fakes import FakePublisher


def trade(number):
    return (
        b'{"e":"trade","E":1,"s":"BTCUSDT","t":%d,"p":"1.5","q":"2","T":1,"m":true,"M":true}'
        % number
    )


async def test_what_a_link_brings_while_it_is_closed_comes_before_the_disconnect():
    publisher, there = FakePublisher(), asyncio.Event()

    async def hold(spec, line, ssl):
        line.say(0.0)
        line.accept(trade(1), 1)
        there.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            line.accept(trade(2), 2)

    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(
            tasks, publisher, clock_ns=lambda: 3, dice=lambda: 1.0, kinds={"fake": hold}
        )
        spec = SourceSpec(
            source_id="a", protocol="fake", endpoint="ws://h/ws/btcusdt@trade", venue="binance"
        )
        await supervisor.reconcile([spec])
        await there.wait()
        await supervisor.reconcile([])
        await supervisor.stop()

    messages: list[Any] = [decoded("trade", payload) for _, payload, _ in publisher.submitted]
    assert [message.trade_id for message in messages] == ["1", "2", ""]
    assert messages[-1].control.kind == Control.KIND_DISCONNECT


async def run(frames, *orders, data_type="trade"):
    """Return what was published, as words: frames come when the link opens, then the orders."""
    publisher, there = FakePublisher(), asyncio.Event()

    async def hold(spec, line, ssl):
        line.say(0.0)
        for frame in frames:
            line.accept(frame, 1)
        there.set()
        await asyncio.Event().wait()

    async def get(url, max_bytes=0):
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(
            tasks, publisher, clock_ns=lambda: 3, dice=lambda: 1.0, kinds={"fake": hold}, get=get
        )
        for order in orders:
            await supervisor.reconcile(order)
            await there.wait()
            await asyncio.sleep(0.01)
        await supervisor.stop()
    messages: list[Any] = [decoded(data_type, payload) for _, payload, _ in publisher.submitted]
    return [
        Control.Kind.Name(m.control.kind) if m.HasField("control")
        else m.trade_id if data_type == "trade" else m.symbol
        for m in messages
    ]  # fmt: skip


def symbols(*names):
    return SourceSpec(
        source_id="a", protocol="fake", endpoint="ws://h/stream", rest_endpoint="http://h",
        venue="binance", types=("trade",), symbols=names,
    )  # fmt: skip


async def test_trades_that_wait_for_missed_ones_are_published_before_the_end():
    said = await run([trade(1), trade(4), trade(5)], [symbols("BTCUSDT")], [])

    assert said == ["1", "KIND_GAP", "4", "5", "KIND_DISCONNECT"]


async def test_a_symbol_that_is_given_up_is_told_to_be_silent():
    # Who subscribes again hears later trades, and nothing else says that some are missing.
    orders = [[symbols("BTCUSDT", "ETHUSDT")], [symbols("ETHUSDT")]]

    said = await run([trade(1), trade(4)], *orders)

    assert said[:4] == ["1", "KIND_GAP", "4", "KIND_DISCONNECT"]
    assert said[4:] == ["KIND_DISCONNECT"]  # That of the other symbol, at the end.


async def test_a_stream_of_all_symbols_ends_with_a_word_to_each_that_has_spoken():
    ticker = b'{"u":1,"s":"%b","b":"1.5","B":"1","a":"2.5","A":"1"}'
    endpoint = "ws://h/ws/!bookTicker"
    everything = SourceSpec(source_id="a", protocol="fake", endpoint=endpoint, venue="binance")

    said = await run([ticker % b"X", ticker % b"Y"], [everything], data_type="ticker")

    assert said == ["X", "Y", "KIND_DISCONNECT", "KIND_DISCONNECT"]

"""The library's door, and what waits behind it to be taken."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

import pipeline
from pipeline import DataSourceConfig, RealTimeDataPipeline, receive
from pipeline.core.errors import BadOption, LinkLost, NotRunning
from pipeline.core.library.item import Item
from pipeline.core.status import State
from pipeline.library.aggregate import Aggregate
from streams.core.proto.pipeline_pb2 import (
    CONTENT_BINARY,
    CONTENT_JSON,
    CONTENT_TEXT,
    Content,
    Envelope,
)
from tests.arch.sources import ROOT


def config(source_id="a", protocol="websocket", endpoint="ws://127.0.0.1:1", **more):
    return DataSourceConfig(source_id, protocol, endpoint, **more)


def loaded_by(code):
    """Return what a fresh Python has imported after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


# The door


def test_importing_the_package_costs_nothing():
    heavy = {"msgspec", "asyncio", "google.protobuf", "picows", "nats", "django", "pipeline.core"}

    assert loaded_by("import pipeline") & heavy == set()


def test_the_library_needs_no_django():
    names = ", ".join(pipeline.__all__)
    loaded = loaded_by(f"from pipeline import {names}; RealTimeDataPipeline()")

    assert {
        name for name in loaded if name.split(".")[0] in ("django", "celery", "channels")
    } == set()


def test_every_name_of_the_door_opens():
    assert set(pipeline.__all__) == {
        "RealTimeDataPipeline", "DataSourceConfig", "ZeroCopyDeserializer", "ProtobufFactory",
    }  # fmt: skip
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = pipeline.nothing


# What waits to be taken


def item(number, size=1):
    return Item("a", bytes([number]) * size)


async def test_without_room_it_takes_and_says_so_and_there_is_room_again_at_half():
    found = Aggregate(max_items=4, max_bytes=1000)
    found.open()
    assert [found.put(item(number)) for number in range(5)] == [True, True, True, False, False]
    room = asyncio.ensure_future(found.room())

    for number in range(2):
        assert (await found.take()).protobuf_data == bytes([number])
        await asyncio.sleep(0)
        assert not room.done()
    await found.take()

    async with asyncio.timeout(5):
        await room


async def test_bytes_are_bounded_as_well():
    found = Aggregate(max_items=100, max_bytes=10)
    found.open()

    assert found.put(item(1, 6))
    assert not found.put(item(2, 6))
    await found.take()
    await found.take()
    async with asyncio.timeout(5):
        await found.room()


async def test_a_cancelled_taker_loses_nothing():
    found = Aggregate(4, 1000)
    found.open()
    taker = asyncio.ensure_future(found.take())
    await asyncio.sleep(0)
    found.put(item(1))  # It has been woken, and is cancelled before it takes.
    taker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taker

    assert await found.take() == item(1)


async def test_several_takers_get_each_item_once():
    found = Aggregate(10, 1000)
    found.open()
    takers = [asyncio.ensure_future(found.take()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        found.put(item(number))

    async with asyncio.timeout(5):
        taken = await asyncio.gather(*takers)

    assert sorted(each.protobuf_data for each in taken) == [b"\x00", b"\x01", b"\x02"]


async def test_after_the_end_the_rest_can_be_taken_and_then_the_end_is_told():
    found = Aggregate(4, 1000)
    found.open()
    found.put(item(1))
    found.close(NotRunning("over"))

    assert await found.take() == item(1)
    with pytest.raises(NotRunning, match="over"):
        await found.take()


# Sources


@pytest.mark.parametrize("protocol", ["fix", "tcp", "udp", "rest", "mqtt", "grpc"])
def test_a_protocol_that_is_not_received_yet_is_said_with_those_that_are(protocol, monkeypatch):
    found = RealTimeDataPipeline()
    endpoint = "http://h" if protocol == "rest" else "h:1"
    monkeypatch.setattr(receive, "KINDS", {"websocket": None})

    with pytest.raises(BadOption, match=f"{protocol} is not received.*websocket") as caught:
        getattr(found, f"add_{protocol}_source")(config("a", protocol, endpoint))

    assert caught.value.field == "protocol"
    assert found.receivers == {}


def test_a_new_receiver_is_taken_as_soon_as_there_is_one(monkeypatch):
    found = RealTimeDataPipeline()
    monkeypatch.setitem(receive.KINDS, "fix", None)

    found.add_fix_source(config("a", "fix", "fix-server.example.com:8193"))

    assert list(found.receivers) == ["a"]


def test_a_source_of_another_protocol_is_refused():
    with pytest.raises(BadOption, match="protocol: is fix"):
        RealTimeDataPipeline().add_websocket_source(config("a", "fix", "h:1"))


def test_two_sources_of_one_name_are_refused():
    found = RealTimeDataPipeline()
    found.add_websocket_source(config())

    with pytest.raises(BadOption, match="source_id"):
        found.add_source(config())


@pytest.mark.parametrize("bounds", [{"max_items": 0}, {"max_bytes": -1}, {"max_items": True}])
def test_bounds_are_checked(bounds):
    with pytest.raises(BadOption, match="max_"):
        RealTimeDataPipeline(**bounds)


def test_before_the_start_nothing_runs_and_nothing_is_counted():
    found = RealTimeDataPipeline()
    found.add_websocket_source(config())

    assert not found.receivers["a"].is_running
    assert found.get_performance_metrics() == {
        "total_processed": 0,
        "avg_processing_time_ms": 0.0,
        "active_sources": 0,
        "sources_performance": {"a": {"avg_time": 0.0}},
    }


async def test_who_takes_before_the_start_is_told():
    found = RealTimeDataPipeline()

    with pytest.raises(NotRunning, match="start_all_receivers"):
        await found.get_aggregated_data()
    with pytest.raises(NotRunning):
        await anext(found)


# Running, by a receiver that does what each test says


@pytest.fixture
def links(monkeypatch):
    """Return what each source's link does; by default it stays open."""
    behaviour: dict[str, Any] = {}

    async def hold(spec, line, ssl):
        await behaviour.get(spec.source_id, speaking())(line)

    monkeypatch.setitem(receive.KINDS, "websocket", hold)
    return behaviour


def speaking(*frames):
    async def speak(line):
        line.say(asyncio.get_running_loop().time())
        for number, frame in enumerate(frames, start=1):
            line.accept(frame, number)
        await asyncio.Event().wait()

    return speak


async def taken(found, count):
    async with asyncio.timeout(5):
        return [await found.get_aggregated_data() for _ in range(count)]


async def test_frames_become_numbered_envelopes_with_what_they_are(links):
    frames = {
        b'{"a": [1]}': CONTENT_JSON,
        b" [] ": CONTENT_JSON,
        b'{"a": 1': CONTENT_TEXT,
        b"hello": CONTENT_TEXT,
        b"": CONTENT_TEXT,
        b"7": CONTENT_TEXT,
        b"[" * 100_000: CONTENT_TEXT,
        b"\xff\xfe": CONTENT_BINARY,
        b'{"a": "\xff"}': CONTENT_BINARY,
    }
    links["a"] = speaking(*[memoryview(frame) for frame in frames])
    found = RealTimeDataPipeline()
    found.add_websocket_source(config())

    async with found:
        items = await taken(found, len(frames))

    said = [each.message() for each in items]
    assert [(e.payload, Content.Name(e.content)) for e in said] == [
        (payload, Content.Name(content)) for payload, content in frames.items()
    ]
    assert [e.sequence for e in said] == list(range(1, len(frames) + 1))
    assert [e.received_ns for e in said] == list(range(1, len(frames) + 1))
    assert {(e.source_id, e.epoch > 10**9) for e in said} == {("a", True)}
    assert {(each.source_id, each.data_type, each.subject) for each in items} == {
        ("a", "envelope", "")
    }
    assert Envelope.FromString(items[0].protobuf_data) == said[0]


async def test_figures_are_by_source(links):
    links["a"] = speaking(b"1", b"2")
    links["b"] = speaking(b"1")
    found = RealTimeDataPipeline()
    for source_id in "abc":
        found.add_websocket_source(config(source_id))

    async with found:
        await taken(found, 3)
        figures = found.get_performance_metrics()

    assert set(figures) == {
        "total_processed", "avg_processing_time_ms", "active_sources", "sources_performance",
    }  # fmt: skip
    assert (figures["total_processed"], figures["active_sources"]) == (3, 3)
    times = {name: of["avg_time"] for name, of in figures["sources_performance"].items()}
    assert times["a"] > 0
    assert times["c"] == 0
    average = (2 * times["a"] + times["b"]) / 3
    assert figures["avg_processing_time_ms"] == pytest.approx(average)
    assert found.get_performance_metrics()["active_sources"] == 0


async def test_a_source_that_fails_is_not_running_and_keeps_nobody_waiting(links):
    async def fail(line):
        raise LinkLost("gone")

    links["bad"] = fail
    found = RealTimeDataPipeline()
    found.add_websocket_source(config("bad", reconnect_interval=3600))
    found.add_websocket_source(config("good"))
    async with found:
        async with asyncio.timeout(3):
            await found.start_all_receivers()  # Again: it only waits.
        bad, good = found.receivers["bad"], found.receivers["good"]

        assert (bad.is_running, good.is_running) == (False, True)
        assert (bad.status.state, bad.status.last_error) == (State.RECONNECTING, "gone")


async def test_a_source_that_fails_again_and_again_is_told_to_the_log(links, caplog):
    async def fail(line):
        raise LinkLost("gone")

    links["bad"] = fail
    found = RealTimeDataPipeline()
    found.add_websocket_source(config("bad", reconnect_interval=0.001, max_reconnect_attempts=2))
    async with found:
        async with asyncio.timeout(5):
            while found.receivers["bad"].status.state is not State.DEGRADED:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    assert "bad fails again and again, and is still tried: gone" in caplog.messages


async def test_a_source_can_be_added_while_others_run(links):
    links["b"] = speaking(b"1")
    found = RealTimeDataPipeline()
    found.add_websocket_source(config("a"))
    async with found:
        found.add_websocket_source(config("b"))

        assert [each.source_id for each in await taken(found, 1)] == ["b"]
        assert found.receivers["a"].is_running


async def test_the_loop_over_items_ends_with_the_pipeline(links):
    links["a"] = speaking(b"1", b"2")
    found = RealTimeDataPipeline()
    found.add_websocket_source(config())
    await found.start_all_receivers()
    seen = []
    async with asyncio.timeout(5):
        async for each in found:
            seen.append(each.message().payload)
            if len(seen) == 2:
                asyncio.ensure_future(found.stop_all_receivers())  # noqa: RUF006

    assert seen == [b"1", b"2"]
    with pytest.raises(NotRunning, match="stopped"):
        await found.get_aggregated_data()


async def test_it_can_be_started_again_and_numbers_begin_anew(links):
    links["a"] = speaking(b"1")
    found = RealTimeDataPipeline()
    found.add_websocket_source(config())
    epochs = []
    for _ in range(2):
        await found.start_all_receivers()
        (each,) = await taken(found, 1)
        epochs.append(each.message().epoch)
        assert each.message().sequence == 1
        await found.stop_all_receivers()
    await found.stop_all_receivers()  # Nothing to stop is no error.

    assert epochs[1] > epochs[0]


async def test_a_bug_ends_the_pipeline_and_is_told_to_who_waits(links):
    async def stumble(line):
        await asyncio.sleep(0)
        raise ZeroDivisionError

    found = RealTimeDataPipeline()
    found.add_websocket_source(config("good"))
    await found.start_all_receivers()
    waiting = asyncio.ensure_future(found.get_aggregated_data())
    links["bad"] = stumble
    found.add_websocket_source(config("bad"))

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(5):
            await waiting

    assert caught.group_contains(ZeroDivisionError)
    with pytest.raises(ExceptionGroup):
        await found.stop_all_receivers()
    assert not found.receivers["good"].is_running


async def test_an_exchange_is_read_and_told_as_market_data(links):
    links["a"] = speaking(
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":5,"s":"BTCUSDT","t":7,"p":"1.50",'
        b'"q":"2","T":4,"m":true}}',
        b"rubbish",
    )
    found = RealTimeDataPipeline()
    found.add_websocket_source(
        config(endpoint="ws://127.0.0.1:1/stream?streams=btcusdt@trade", venue="binance")
    )

    async with found:
        (each,) = await taken(found, 1)
        status = found.receivers["a"].status

    trade = each.message()
    assert (each.data_type, each.subject) == ("trade", "market.binance.BTCUSDT.trade")
    assert (trade.symbol, trade.price, trade.price_exponent, trade.local_seq) == (
        "BTCUSDT", 150, -2, 1,
    )  # fmt: skip
    assert (status.undecodable, status.problems) == (1, {"json": 1})
    assert found.get_performance_metrics()["total_processed"] == 2

"""What becomes of a consumer when its server dies, or its link does without a word."""

from __future__ import annotations

import asyncio
import time

import pytest

from streams.broker.connect import PING_S
from streams.broker.consumer import Limits
from streams.broker.deliveries import Delivery
from streams.core.errors import ConsumerGone
from tests.integration.streams.consuming import SECOND, Sink, numbers, running, until
from tests.servers.nats import NatsServer
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.integration

# The promise: a link that is dead without a word is noticed by then.
NOTICED_S = 10.0


async def test_a_server_that_is_killed_loses_nothing_for_us(own_nats):
    sink = Sink()

    async def take(batch):
        await asyncio.sleep(0.01)
        await sink.take_all(batch)

    async with numbers(own_nats, "KILLED") as stream:
        await stream.add(20_000)
        await stream.consumer("reader", ack_wait=2 * SECOND)
        async with running(
            own_nats.url, stream, durable="reader", on_messages=take, limits=Limits(batch=200)
        ) as consumer:
            for seen in (3_000, 10_000):
                await until(lambda: len(sink.numbers) >= seen)  # noqa: B023
                await asyncio.to_thread(own_nats.kill)
                await asyncio.to_thread(own_nats.start)
            await until(lambda: len(set(sink.numbers)) == 20_000, within_s=30)
            await until(lambda: stream.is_done("reader"), within_s=30)
            counters = consumer.counters()

    assert counters.links == 2
    # What had been acknowledged to a dead server may come twice; that is all there may be.
    assert len(sink.numbers) - 20_000 == counters.received - counters.returned - 20_000
    assert counters.redelivered < 10_000


async def test_an_ephemeral_consumer_that_died_with_its_server_goes_on_where_it_was(own_nats):
    sink = Sink()
    async with numbers(own_nats, "FORGOTTEN") as stream:
        await stream.add(100)
        config = {"ack_policy": "explicit", "mem_storage": True}
        async with running(own_nats.url, stream, config=config, on_message=sink.take) as consumer:
            await until(lambda: len(sink.numbers) == 100)
            await until(lambda: not consumer.counters().unsent)
            await asyncio.to_thread(own_nats.kill)
            await asyncio.to_thread(own_nats.start)
            await until(lambda: stream.client.is_connected)
            await stream.add(100)
            await until(lambda: len(sink.numbers) == 200)

    assert sink.numbers == list(range(200))


async def test_a_stream_that_is_deleted_is_an_error(own_nats):
    async with numbers(own_nats, "GONE") as stream:
        await stream.consumer("reader")
        with pytest.raises(ConsumerGone, match="reader of stream GONE"):
            async with running(
                own_nats.url, stream, durable="reader", on_message=print
            ) as consumer:
                await until(lambda: consumer.counters().wanted)
                await stream.call("STREAM.DELETE.GONE")
                async with asyncio.timeout(10):
                    await consumer._ended.wait()
        await stream.make()  # For the deletion that the helper does.


async def test_acknowledgements_wait_for_the_link(own_nats):
    held: list[Delivery] = []
    async with numbers(own_nats, "UNSENT") as stream, Proxy(own_nats.port) as proxy:
        await stream.add(50)
        await stream.consumer("reader", ack_wait=120 * SECOND)
        async with running(
            proxy.url, stream, durable="reader", on_message=held.append, manual=True
        ) as consumer:
            await until(lambda: len(held) == 50)
            proxy.cut()
            await until(lambda: not consumer._client.is_connected)
            for delivery in held:
                delivery.ack()
            await asyncio.sleep(0.05)  # Several times as long as answers are joined.
            assert consumer.counters().unsent == 50
            proxy.let_through()
            await until(lambda: stream.is_done("reader"))

    assert len(held) == 50


async def test_a_link_that_goes_dead_is_noticed_in_time_and_the_consumer_goes_on(own_nats):
    sink = Sink()
    async with numbers(own_nats, "DEAD") as stream, Proxy(own_nats.port) as proxy:
        # What goes into the dead link is given up by then.
        await stream.consumer("reader", ack_wait=2 * SECOND)
        async with running(
            proxy.url, stream, durable="reader", on_message=sink.take, limits=Limits(heartbeat_s=0)
        ) as consumer:
            await until(lambda: consumer.counters().wanted)
            client = consumer._client
            proxy.swallow()
            began = time.monotonic()
            await stream.add(100)
            await until(lambda: not client.is_connected, within_s=NOTICED_S)
            noticed_s = time.monotonic() - began
            proxy.let_through()
            await until(lambda: len(set(sink.numbers)) == 100)
            await until(lambda: consumer.counters().links == 1)

    assert noticed_s > PING_S  # It was the pings that noticed, not a socket that was closed.
    assert noticed_s < NOTICED_S
    assert proxy.accepted == 2


async def test_heartbeats_that_stay_out_are_noticed_before_the_link_is_given_up(own_nats):
    sink = Sink()
    async with numbers(own_nats, "SILENT") as stream, Proxy(own_nats.port) as proxy:
        await stream.consumer("reader")
        async with running(
            proxy.url, stream, durable="reader", on_message=sink.take,
            limits=Limits(heartbeat_s=0.1),
        ) as consumer:  # fmt: skip
            await until(lambda: consumer.counters().wanted)
            proxy.swallow()
            await until(lambda: consumer.counters().silences == 1)
            proxy.let_through()
            await stream.add(100)
            await until(lambda: len(set(sink.numbers)) == 100)
            counters = consumer.counters()

    assert counters.links == 0
    assert sink.numbers == list(range(100))


@pytest.mark.parametrize("policy", ["explicit", "all"])
async def test_a_server_may_use_the_longer_form_of_acknowledging_subjects(tmp_path, policy):
    server = NatsServer(tmp_path, "feature_flags { js_ack_fc_v2: true }")
    await asyncio.to_thread(server.start)
    found: list[Delivery] = []
    try:
        async with numbers(server, "LONGER") as stream:
            await stream.add(500)
            await stream.consumer("reader", ack_policy=policy)
            async with running(
                server.url, stream, durable="reader", on_message=found.append
            ) as consumer:
                await until(lambda: len(found) == 500)
                await until(lambda: stream.is_done("reader"))
                assert consumer.counters().redelivered == 0
    finally:
        await asyncio.to_thread(server.stop)

    assert found[0].reply.startswith("$JS.ACK._.")  # No domain.
    assert [delivery.stream_seq for delivery in found] == list(range(1, 501))

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from streams.broker.connect import connect
from streams.broker.consumer import Consumer, Limits
from streams.broker.deliveries import Delivery
from streams.core.errors import BadDefinition, ConsumerGone
from tests.integration.streams.consuming import SECOND, Sink, numbers, running, until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("policy", ["explicit", "all"])
async def test_everything_comes_once_in_order_and_is_acknowledged(nats_server, policy, batches):
    sink = Sink()
    handler = {"on_messages": sink.take_all} if batches else {"on_message": sink.take}
    async with numbers(nats_server, "C_ONCE") as stream:
        await stream.add(7_000)
        await stream.consumer("reader", ack_policy=policy)
        async with running(nats_server.url, stream, durable="reader", **handler) as consumer:
            await until(lambda: len(sink.numbers) == 7_000)
            await until(lambda: stream.is_done("reader"))
            counters = consumer.counters()

    assert sink.numbers == list(range(7_000))
    assert (counters.received, counters.acknowledged) == (7_000, 7_000)
    assert (counters.redelivered, counters.failed, counters.held, counters.unsent) == (0, 0, 0, 0)


@pytest.mark.parametrize("batches", [False, True])
async def test_without_acknowledgements_there_is_only_reading(nats_server, batches):
    sink = Sink()
    handler = {"on_messages": sink.take_all} if batches else {"on_message": sink.take}
    async with numbers(nats_server, "C_NONE") as stream:
        await stream.add(3_000)
        await stream.consumer("reader", ack_policy="none", max_ack_pending=0)
        async with running(nats_server.url, stream, durable="reader", **handler) as consumer:
            await until(lambda: len(sink.numbers) == 3_000)
            await until(lambda: not consumer.counters().held)

    assert sink.numbers == list(range(3_000))


async def test_a_delivery_tells_what_it_is(nats_server):
    found: list[Delivery] = []
    async with numbers(nats_server, "C_TELLS") as stream:
        await stream.client.publish(stream.subject, b"with", headers={"Kind": "test"})
        await stream.client.publish(stream.subject, b"without")
        await stream.consumer("reader")
        async with running(nats_server.url, stream, durable="reader", on_message=found.append):
            await until(lambda: len(found) == 2)

    first, second = found
    assert (first.subject, first.data, first.stream_seq, first.deliveries) == (
        stream.subject, b"with", 1, 1,
    )  # fmt: skip
    assert (dict(first.headers or {}), second.headers) == ({"Kind": "test"}, None)
    assert 0 < first.stored_ns <= second.stored_ns
    assert (first.place.pending, second.place.pending) == (1, 0)
    assert first.settled
    assert not first.ack()


async def test_what_comes_later_comes_at_once(nats_server):
    sink = Sink()
    async with numbers(nats_server, "C_LATER") as stream:
        await stream.consumer("reader")
        limits = Limits(expires_s=0.5, heartbeat_s=0.1)
        async with running(
            nats_server.url, stream, durable="reader", on_message=sink.take, limits=limits
        ) as consumer:
            # Requests end and are made anew while nothing comes.
            await until(lambda: consumer.counters().requests >= 6)
            await stream.add(10)
            await until(lambda: len(sink.numbers) == 10, within_s=0.4)
            counters = consumer.counters()

    assert (counters.silences, counters.links) == (0, 0)


async def test_a_message_that_the_handler_refuses_comes_again_and_holds_up_no_other(nats_server):
    sink = Sink()
    refused: list[int] = []

    def take(delivery):
        if delivery.data == b"3" and len(refused) < 2:
            refused.append(delivery.deliveries)
            raise ValueError("not yet")
        sink.take(delivery)

    async with numbers(nats_server, "C_REFUSED") as stream:
        await stream.add(10)
        await stream.consumer("reader")
        async with running(nats_server.url, stream, durable="reader", on_message=take) as consumer:
            await until(lambda: len(sink.numbers) == 10)
            await until(lambda: stream.is_done("reader"))
            counters = consumer.counters()

    assert sink.numbers == [0, 1, 2, 4, 5, 6, 7, 8, 9, 3]
    assert refused == [1, 2]
    assert (counters.failed, counters.returned, counters.redelivered) == (2, 2, 2)


async def test_a_batch_that_the_handler_refuses_comes_again(nats_server):
    sink, calls = Sink(), []

    async def take(batch):
        calls.append(len(batch))
        if len(calls) == 1:
            batch[0].term("broken")
            raise ValueError("not yet")
        await sink.take_all(batch)

    async with numbers(nats_server, "C_REFUSED_ALL") as stream:
        await stream.add(5)
        await stream.consumer("reader")
        async with running(nats_server.url, stream, durable="reader", on_messages=take):
            await until(lambda: len(sink.numbers) == 4)
            await until(lambda: stream.is_done("reader"))

    assert sorted(sink.numbers) == [1, 2, 3, 4]


async def test_a_handler_may_settle_later_and_is_given_no_more_than_it_may_hold(nats_server):
    held: list[Delivery] = []
    async with numbers(nats_server, "C_MANUAL") as stream:
        await stream.add(500)
        await stream.consumer("reader")
        async with running(
            nats_server.url, stream, durable="reader", on_message=held.append, manual=True,
            limits=Limits(max_outstanding=40),
        ) as consumer:  # fmt: skip
            await until(lambda: len(held) == 40)
            assert (consumer.counters().held, consumer.counters().wanted) == (40, 0)
            done = 0
            while done < 500:
                await until(lambda: len(held) > done)  # noqa: B023
                assert len(held) - done <= 40
                held[done].in_progress()
                assert held[done].ack()
                done += 1
            await until(lambda: stream.is_done("reader"))

    assert [int(delivery.data) for delivery in held] == list(range(500))


async def test_one_acknowledgement_settles_all_before_it(nats_server):
    held: list[Delivery] = []
    async with numbers(nats_server, "C_ALL") as stream:
        await stream.add(300)
        await stream.consumer("reader", ack_policy="all", max_ack_pending=100)
        async with running(
            nats_server.url, stream, durable="reader", on_message=held.append, manual=True
        ) as consumer:
            for number in (100, 200, 300):
                await until(lambda: len(held) == number)  # noqa: B023
                assert consumer.counters().held == 100
                held[-1].ack()
                assert consumer.counters().held == 0
            await until(lambda: stream.is_done("reader"))

    assert all(delivery.settled for delivery in held)


async def test_while_a_handler_is_behind_nothing_more_is_asked_for(nats_server):
    sink, gate = Sink(), asyncio.Event()

    async def take(batch):
        await gate.wait()
        await sink.take_all(batch)

    async with numbers(nats_server, "C_BEHIND") as stream:
        await stream.add(2_000)
        await stream.consumer("reader")
        async with running(
            nats_server.url, stream, durable="reader", on_messages=take,
            limits=Limits(max_outstanding=100, expires_s=0.4, heartbeat_s=0.1),
        ) as consumer:  # fmt: skip
            await until(lambda: consumer.counters().held == 100)
            asked = consumer.counters().requests
            await asyncio.sleep(1)  # Longer than requests stand.
            assert (consumer.counters().requests, consumer.counters().held) == (asked, 100)
            assert (await stream.info("reader"))["num_ack_pending"] == 100
            gate.set()
            await until(lambda: len(sink.numbers) == 2_000)

    assert sink.numbers == list(range(2_000))


async def test_too_many_bytes_are_being_behind_too(nats_server):
    gate = asyncio.Event()

    async def take(_):
        await gate.wait()

    async with numbers(nats_server, "C_BYTES") as stream:
        for _ in range(100):
            await stream.client.publish(stream.subject, bytes(1_000))
        await stream.consumer("reader")
        async with running(
            nats_server.url, stream, durable="reader", on_messages=take,
            limits=Limits(batch=5, max_bytes=20_000),
        ) as consumer:  # fmt: skip
            await until(lambda: consumer.counters().held_bytes >= 20_000)
            await until(lambda: not consumer.counters().wanted)
            assert consumer.counters().held_bytes <= 30_000
            gate.set()
            await until(lambda: consumer.counters().acknowledged == 100)
            assert consumer.counters().held_bytes == 0


async def test_a_pause_lasts_until_it_is_ended(nats_server):
    sink = Sink()
    consumers: list[Consumer] = []

    def take(delivery):
        sink.take(delivery)
        if len(sink.numbers) == 50:
            consumers[0].pause()

    async with numbers(nats_server, "C_PAUSE") as stream:
        await stream.add(5_000)
        await stream.consumer("reader")
        async with running(
            nats_server.url, stream, durable="reader", on_message=take, limits=Limits(batch=10)
        ) as consumer:
            consumers.append(consumer)
            await until(lambda: len(sink.numbers) >= 50 and not consumer.counters().wanted)
            assert len(sink.numbers) <= 70
            consumer.resume()
            await until(lambda: len(sink.numbers) == 5_000)


async def test_stopping_acknowledges_what_is_done_and_gives_the_rest_back(nats_server):
    first, second, gate = Sink(), Sink(), asyncio.Event()

    async def take(batch):
        await gate.wait()
        await first.take_all(batch)

    async with numbers(nats_server, "C_STOP") as stream:
        await stream.add(1_000)
        # What is not given back would not come again before the test is over.
        await stream.consumer("reader", ack_wait=120 * SECOND)
        async with running(
            nats_server.url, stream, durable="reader", on_messages=take,
            limits=Limits(max_outstanding=600),
        ) as consumer:  # fmt: skip
            await until(lambda: consumer.counters().received == 600)
            stopping = asyncio.create_task(consumer.stop())
            await until(lambda: consumer._stop.asked)
            gate.set()
            await stopping
            counters = consumer.counters()
        async with running(nats_server.url, stream, durable="reader", on_messages=second.take_all):
            await until(lambda: len(first.numbers) + len(second.numbers) == 1_000)
            await until(lambda: stream.is_done("reader"))

    # One batch was in the handler's hands, of 300 or of what had come when it was called.
    assert first.numbers == list(range(len(first.numbers)))
    assert 0 < len(first.numbers) <= 300
    assert sorted(first.numbers + second.numbers) == list(range(1_000))
    assert counters.acknowledged == len(first.numbers)
    assert counters.returned == 600 - len(first.numbers)


async def test_what_a_handler_still_holds_when_its_time_is_over_is_given_back_or_left(nats_server):
    held: list[Delivery] = []
    async with numbers(nats_server, "C_HELD") as stream:
        await stream.add(20)
        await stream.consumer("reader", ack_wait=120 * SECOND)
        async with running(
            nats_server.url, stream, durable="reader", on_message=held.append, manual=True
        ) as consumer:
            await until(lambda: len(held) == 20)
            for delivery in held[:5]:
                delivery.ack()
            await consumer.stop(within_s=0.1)
        async with running(
            nats_server.url, stream, durable="reader", on_message=held.append, manual=True
        ) as consumer:
            await until(lambda: len(held) == 35)
            assert (await stream.info("reader"))["ack_floor"]["stream_seq"] == 5
            await consumer.stop(within_s=0.1, give_back=False)
        info = await stream.info("reader")

    assert sorted(int(d.data) for d in held[20:]) == list(range(5, 20))
    assert info["num_ack_pending"] == 15
    assert consumer.counters().returned == 0


async def test_an_ephemeral_consumer_is_made_and_ends_with_us(nats_server):
    sink = Sink()
    async with numbers(nats_server, "C_EPHEMERAL") as stream:
        await stream.add(30)
        config = {"ack_policy": "explicit", "filter_subject": stream.subject}
        async with running(
            nats_server.url, stream, config=config, on_message=sink.take
        ) as consumer:
            await until(lambda: len(sink.numbers) == 30)
            assert (await stream.info(consumer.name))["config"]["filter_subject"] == stream.subject
        left = (await stream.call(f"CONSUMER.NAMES.{stream.name}"))["consumers"]

    assert not left


async def test_a_consumer_that_exists_is_used_as_it_is(nats_server):
    sink = Sink()
    async with numbers(nats_server, "C_EXISTS") as stream:
        await stream.add(3)
        await stream.consumer("reader", description="the operator's", max_ack_pending=7)
        config = {"ack_policy": "all", "max_ack_pending": 9}
        async with running(
            nats_server.url, stream, durable="reader", config=config, on_message=sink.take
        ):
            await until(lambda: len(sink.numbers) == 3)
        found = (await stream.info("reader"))["config"]

    assert (found["description"], found["max_ack_pending"]) == ("the operator's", 7)
    assert found["ack_policy"] == "explicit"


@asynccontextmanager
async def refused(server, stream, error, words, **options):
    with pytest.raises(error, match=words):
        async with running(server.url, stream, on_message=print, **options) as consumer:
            yield consumer
            async with asyncio.timeout(10):
                await consumer._ended.wait()


async def test_what_cannot_be_consumed_is_said_at_once(nats_server):
    async with numbers(nats_server, "C_WRONG") as stream:
        async with refused(
            nats_server, stream, ConsumerGone, "nobody.*not found", durable="nobody"
        ):
            pass
        await stream.consumer("pusher", deliver_subject="somewhere")
        async with refused(nats_server, stream, BadDefinition, "pushes", durable="pusher"):
            pass
        await stream.consumer("narrow", filter_subject="c_wrong.other")
        async with refused(
            nats_server, stream, BadDefinition, "filter", durable="narrow", config={}
        ):
            pass


async def test_a_stream_that_is_not_there_is_named(nats_server):
    client = await connect(nats_server.url, name="test", patience_s=10)
    consumer = Consumer(client, stream="C_NOWHERE", config={}, on_message=print)
    try:
        with pytest.raises(ConsumerGone, match="C_NOWHERE"):
            await consumer.run()
    finally:
        await client.close()


async def test_a_consumer_that_is_deleted_meanwhile_is_an_error(nats_server):
    async with numbers(nats_server, "C_DELETED") as stream:
        await stream.consumer("reader")
        async with refused(
            nats_server, stream, ConsumerGone, "reader.*deleted", durable="reader"
        ) as consumer:
            await until(lambda: consumer.counters().wanted)
            await stream.call("CONSUMER.DELETE.C_DELETED.reader")


async def test_a_consumer_that_is_deleted_goes_on_where_it_was_if_so_asked(nats_server):
    sink = Sink()
    refused_once: list[Delivery] = []

    def take(delivery):
        if delivery.data == b"7" and not refused_once:
            refused_once.append(delivery)
            raise ValueError("not yet")
        sink.take(delivery)

    async with numbers(nats_server, "C_AGAIN") as stream:
        await stream.add(10)
        config = {"durable_name": "reader", "ack_policy": "explicit"}
        async with running(
            nats_server.url, stream, config=config, on_message=take, recreate=True
        ) as consumer:
            await until(lambda: len(sink.numbers) == 9)
            await stream.call("CONSUMER.DELETE.C_AGAIN.reader")
            await stream.add(10)
            await until(lambda: set(sink.numbers) == set(range(20)))
            counters = consumer.counters()

    # From what was given back on: nothing is left out, and what was before it does not come again.
    assert sink.numbers[:9] == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert sink.numbers[9:] == list(range(7, 20))
    assert counters.recreated == 1


async def test_a_consumer_whose_limits_somebody_lowers_asks_for_less(nats_server):
    sink = Sink()
    async with numbers(nats_server, "C_LOWER") as stream:
        await stream.consumer("reader")
        async with running(
            nats_server.url, stream, durable="reader", on_message=sink.take,
            limits=Limits(batch=50, expires_s=0.5),
        ) as consumer:  # fmt: skip
            await until(lambda: consumer.counters().wanted == 100)
            await stream.consumer("reader", max_batch=20)
            await stream.add(200)
            await until(lambda: len(sink.numbers) == 200)

    assert sink.numbers == list(range(200))


async def test_a_consumer_that_is_cancelled_while_it_begins_ends(nats_server):
    async with numbers(nats_server, "C_CANCEL") as stream:
        await stream.consumer("reader")
        client = await connect(nats_server.url, name="test", patience_s=10)
        try:
            for turns in range(16):
                consumer = Consumer(client, stream=stream.name, durable="reader", on_message=print)
                task = asyncio.create_task(consumer.run())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()

                done, _ = await asyncio.wait([task], timeout=5)

                assert done, f"cancelled after {turns} turns of the loop and still running"
        finally:
            await client.close()


@pytest.mark.parametrize("batches", [False, True])
async def test_what_is_given_back_is_not_acknowledged_by_what_follows_it(nats_server, batches):
    sink = Sink()
    refused: list[int] = []

    def take(delivery):
        if delivery.data == b"7" and len(refused) < 2:
            refused.append(delivery.deliveries)
            raise ValueError("not yet")
        sink.take(delivery)

    async def take_all(batch):
        for delivery in batch:
            take(delivery)

    handler = {"on_messages": take_all} if batches else {"on_message": take}
    async with numbers(nats_server, f"C_BACK_{batches}".upper()) as stream:
        await stream.consumer("reader", ack_policy="all")
        await stream.add(20)
        options = {"durable": "reader", "limits": Limits(batch=5), **handler}
        async with running(nats_server.url, stream, **options):
            await until(lambda: set(sink.numbers) == set(range(20)))
            await until(lambda: stream.is_done("reader"))

    assert refused == [1, 2]
    if not batches:
        assert sink.numbers == [n for n in range(20) if n != 7] + [7]


async def test_what_is_given_up_holds_up_no_acknowledgement(nats_server):
    sink = Sink()

    def take(delivery):
        if delivery.data == b"7":
            raise ValueError("never")
        sink.take(delivery)

    async with numbers(nats_server, "C_GIVEN_UP") as stream:
        await stream.consumer("reader", ack_policy="all", max_deliver=2)
        await stream.add(20)
        async with running(nats_server.url, stream, durable="reader", on_message=take) as consumer:
            await until(lambda: consumer.counters().failed == 2)
            await stream.add(1)
            await until(lambda: stream.is_done("reader"))

    assert sink.numbers == [n for n in range(21) if n != 7]


@pytest.mark.parametrize("batches", [False, True])
async def test_a_handler_that_awaits_what_was_cancelled_has_failed_and_goes_on(
    nats_server, batches
):
    sink = Sink()
    calls: list[int] = []

    def take(delivery):
        calls.append(1)
        if len(calls) == 1:
            raise asyncio.CancelledError
        sink.take(delivery)

    async def take_all(batch):
        for delivery in batch:
            take(delivery)

    handler = {"on_messages": take_all} if batches else {"on_message": take}
    async with numbers(nats_server, f"C_CANCELLED_{batches}".upper()) as stream:
        await stream.consumer("reader")
        await stream.add(5)
        async with running(nats_server.url, stream, durable="reader", **handler) as consumer:
            await until(lambda: set(sink.numbers) == set(range(5)))
            await until(lambda: stream.is_done("reader"))
            counters = consumer.counters()

    assert (counters.failed, counters.links) == (1, 0)


async def test_a_consumer_that_never_began_is_stopped_at_once(nats_server):
    sink = Sink()
    async with numbers(nats_server, "C_NEVER") as stream:
        await stream.consumer("reader")
        await stream.add(1)
        consumer = Consumer(
            stream.client, stream=stream.name, durable="reader", on_message=sink.take
        )
        async with asyncio.timeout(5):
            await consumer.stop()
            await consumer.run()

    assert sink.numbers == []

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from streams.broker.connect import connect
from streams.broker.publisher import Publisher
from streams.core.errors import BadSubject, TooLarge
from tests.integration.streams.publishing import (
    SUBJECT,
    call,
    keep_publishing,
    make_stream,
    publish,
    running,
    stored,
    until,
    until_it_owes_for_good,
)

pytestmark = pytest.mark.integration

ways = pytest.mark.parametrize("batched", [True, False])


@ways
async def test_everything_is_stored_once_and_in_order(own_nats, batched):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, allow_batched=batched)

        await publish(publisher, range(10_000))

        assert await publisher.drain(20)
        assert await stored(client) == list(range(10_000))
        counters = publisher.counters()
        assert (counters.submitted, counters.acknowledged) == (10_000, 10_000)
        assert (counters.duplicates, counters.in_flight, counters.waiting) == (0, 0, 0)
        # The first one went alone: its acknowledgement named the stream. The second tried a batch.
        assert counters.batched == (9_999 if batched else 0)
        assert (counters.resent, counters.refused) == (0 if batched else 1, 0)


async def test_a_repeated_id_is_stored_once_and_counted(own_nats):
    async with running(own_nats) as (client, publisher):
        await make_stream(client)

        await publish(publisher, [1, 2, 1, 2, 3])
        assert await publisher.drain(10)

        # Inside a batch the server does not say so; of one that comes alone it does.
        await publish(publisher, [3])
        assert await publisher.drain(10)

        assert await stored(client) == [1, 2, 3]
        assert publisher.counters().acknowledged == 6
        assert publisher.counters().duplicates >= 1


async def test_a_bug_in_taking_an_answer_ends_publishing_and_is_not_only_logged(own_nats):
    client = await connect(own_nats.url, name="test", patience_s=10)
    try:
        publisher = Publisher(client)
        task = asyncio.create_task(publisher.run())
        no_message: Any = object()
        publisher._on_answer(no_message)

        with pytest.raises(AttributeError, match="headers"):
            async with asyncio.timeout(10):
                await task
    finally:
        await client.close()


@ways
async def test_a_server_killed_in_mid_stream_loses_and_repeats_nothing(own_nats, batched):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, allow_batched=batched)
        task = asyncio.create_task(keep_publishing(publisher, 40_000))
        await until(lambda: publisher.counters().acknowledged >= 5_000)
        await asyncio.to_thread(own_nats.kill)
        await asyncio.to_thread(own_nats.start)
        await until(lambda: publisher.counters().acknowledged >= 15_000)
        # Stopped first, so that it dies with records in its hands.
        os.kill(own_nats.pid, signal.SIGSTOP)
        owed = await until_it_owes_for_good(publisher)
        await asyncio.to_thread(own_nats.kill)
        await asyncio.to_thread(own_nats.start)
        await task

        assert await publisher.drain(30)
        assert publisher.counters().resent >= owed > 0
        assert await stored(client) == list(range(40_000))


async def test_a_missing_stream_is_waited_for(own_nats):
    async with running(own_nats) as (client, publisher):
        await publish(publisher, range(3_000))
        await until(lambda: publisher.counters().refused > 0)
        assert publisher.counters().acknowledged == 0

        await make_stream(client)

        assert await publisher.drain(15)
        assert await stored(client) == list(range(3_000))


async def test_a_full_stream_is_waited_for(own_nats):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, max_msgs=5, discard="new")
        await publish(publisher, range(8))
        await until(lambda: publisher.counters().refused > 0)
        assert await stored(client) == [0, 1, 2, 3, 4]

        await call(client, "STREAM.PURGE.PUBLISHED")

        assert await publisher.drain(15)
        assert await stored(client) == [5, 6, 7]


async def test_a_record_that_no_stream_will_ever_take_holds_up_no_other(own_nats):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, max_msg_size=100)
        publisher.submit(SUBJECT, b"7" * 200, "too-large")

        await publish(publisher, range(50))

        assert await publisher.drain(20)
        assert await stored(client) == list(range(50))
        counters = publisher.counters()
        assert (counters.rejected, counters.acknowledged) == (1, 50)


async def test_a_full_buffer_says_so_and_has_room_again_later(own_nats):
    async with running(own_nats, window=10, max_waiting=20) as (client, publisher):
        await make_stream(client)
        answers = [publisher.submit(SUBJECT, b"%d" % n, f"id-{n}") for n in range(25)]
        assert answers == [True] * 19 + [False] * 6

        async with asyncio.timeout(10):
            await publisher.room()

        assert await publisher.drain(10)
        assert await stored(client) == list(range(25))


async def test_too_many_bytes_are_a_full_buffer_too(own_nats):
    async with running(own_nats, max_bytes=1_000) as (client, publisher):
        await make_stream(client)

        assert not publisher.submit(SUBJECT, b"1" * 1_000, "id-1")

        async with asyncio.timeout(10):
            await publisher.room()
        assert await publisher.drain(10)


async def test_drain_says_when_it_was_in_vain(own_nats):
    async with running(own_nats) as (_, publisher):
        await publish(publisher, range(3))

        assert not await publisher.drain(0.3)


async def test_what_the_server_could_not_take_is_refused_at_once(own_nats):
    async with running(own_nats) as (client, publisher):
        with pytest.raises(TooLarge):
            publisher.submit(SUBJECT, bytes(client.max_payload), "id")
        with pytest.raises(BadSubject):
            publisher.submit("market.*", b"", "id")
        with pytest.raises(BadSubject):
            publisher.submit(SUBJECT, b"", "id\r\nPUB x 0")

        assert publisher.counters().submitted == 0


@ways
async def test_records_that_a_changed_server_takes_no_longer_are_named_and_the_rest_stored(
    own_nats, batched, caplog
):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, allow_batched=batched)
        await publish(publisher, range(10))
        assert await publisher.drain(10)
        os.kill(own_nats.pid, signal.SIGSTOP)
        for number in range(10, 3_000):
            wide = b"%200000d" if number in (20, 2_900) else b"%d"
            publisher.submit(SUBJECT, wide % number, f"wide-{number}")
        await until(lambda: publisher.counters().in_flight > 0)
        assert publisher.counters().waiting > 0
        await asyncio.to_thread(own_nats.kill)
        own_nats.extra = (*own_nats.extra, "max_payload: 100KB")
        await asyncio.to_thread(own_nats.start)

        assert await publisher.drain(30)
        assert publisher.counters().rejected == 2
        assert caplog.text.count("the server takes 102400 bytes now") == 2
        assert await stored(client) == [n for n in range(3_000) if n not in (20, 2_900)]


async def test_a_publisher_that_is_cancelled_while_it_begins_ends(own_nats):
    client = await connect(own_nats.url, name="test", patience_s=10)
    try:
        for turns in range(8):
            task = asyncio.create_task(Publisher(client).run())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()

            done, _ = await asyncio.wait([task], timeout=5)

            assert done, f"cancelled after {turns} turns of the loop and still running"
    finally:
        await client.close()

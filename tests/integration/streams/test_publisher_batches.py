from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import pytest

from tests.integration.streams.publishing import (
    SUBJECT,
    call,
    keep_publishing,
    make_stream,
    publish,
    running,
    stored,
    until,
)
from tests.servers.nats import NatsServer
from tests.servers.process import go_on

pytestmark = pytest.mark.integration


class TwoBatches(NatsServer):
    """A server on which no stream has more than two batches open."""

    def _lines(self):
        *lines, jetstream = super()._lines()
        limits = "limits { batch { max_inflight_per_stream: 2 } }"
        return [*lines, jetstream.removesuffix("}") + f", {limits} }}"]


async def test_a_stream_may_cease_to_take_batches(own_nats):
    async with running(own_nats) as (client, publisher):
        config = (await make_stream(client))["config"]
        task = asyncio.create_task(keep_publishing(publisher, 20_000))

        await until(lambda: publisher.counters().acknowledged >= 5_000)
        await call(client, "STREAM.UPDATE.PUBLISHED", config | {"allow_batched": False})
        await until(lambda: publisher.counters().acknowledged >= 10_000)
        before = publisher.counters().batched
        await task

        assert await publisher.drain(10)
        assert publisher.counters().batched == before < 10_000
        assert await stored(client) == list(range(20_000))


async def test_a_stream_that_is_made_anew_under_another_name_gets_the_rest(own_nats):
    async with running(own_nats) as (client, publisher):
        await make_stream(client)
        task = asyncio.create_task(keep_publishing(publisher, 20_000))
        await until(lambda: publisher.counters().acknowledged >= 5_000)

        await call(client, "STREAM.DELETE.PUBLISHED")
        await until(lambda: publisher.counters().refused > 0)
        await make_stream(client, "ANEW")
        await task

        assert await publisher.drain(10)
        found = await stored(client, "ANEW")
        assert found == list(range(20_000 - len(found), 20_000))
        assert 10_000 < len(found) <= 15_000
        assert publisher.counters().acknowledged == 20_000
        # It does batches again.
        assert publisher.counters().batched > 15_000


async def test_a_record_too_large_for_the_stream_leaves_the_others_in_order(own_nats):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, max_msg_size=200)
        await publish(publisher, range(500))
        assert await publisher.drain(10)

        await publish(publisher, range(500, 740))
        publisher.submit(SUBJECT, b"7" * 300, "too-large")
        await publish(publisher, range(740, 3_000))
        publisher.submit(SUBJECT, b"7" * 300, "too-large-at-the-end")

        assert await publisher.drain(20)
        assert await stored(client) == list(range(3_000))
        counters = publisher.counters()
        assert (counters.rejected, counters.acknowledged) == (2, 3_000)
        assert counters.refused == 0


async def test_a_stream_that_is_full_in_mid_batch_gets_the_rest_later(own_nats):
    async with running(own_nats) as (client, publisher):
        await make_stream(client, max_msgs=700, discard="new")
        await publish(publisher, range(1_000))
        await until(lambda: publisher.counters().refused > 0)
        assert await stored(client) == list(range(700))

        await call(client, "STREAM.PURGE.PUBLISHED")

        assert await publisher.drain(15)
        assert await stored(client) == list(range(700, 1_000))
        assert publisher.counters().duplicates == 0


async def test_every_stream_gets_its_own_in_order(own_nats):
    streams = {"TRADES": "market.x.trade", "BOOKS": "market.x.book", "SYSTEM": "system.health.x"}
    async with running(own_nats) as (client, publisher):
        for name, subject in streams.items():
            await make_stream(client, name, subjects=[subject], allow_batched=name != "SYSTEM")

        for start in range(0, 6_000, 3):
            for subject in streams.values():
                await publish(publisher, range(start, start + 3), subject)
            publisher.submit("nowhere.x", b"0", f"nowhere-{start}")

        await until(lambda: publisher.counters().acknowledged == 18_000)
        for name, subject in streams.items():
            assert await stored(client, name, subject) == list(range(6_000))
        # A subject that no stream takes holds up none of them.
        counters = publisher.counters()
        assert (counters.in_flight, counters.waiting) == (1, 1_999)
        assert counters.refused > 0


async def test_two_that_publish_the_same_store_it_once(own_nats):
    async with running(own_nats) as (client, one), running(own_nats) as (_, other):
        await make_stream(client)

        await asyncio.gather(keep_publishing(one, 10_000), keep_publishing(other, 10_000))

        assert await one.drain(10)
        assert await other.drain(10)
        assert sorted(await stored(client)) == list(range(10_000))
        assert one.counters().acknowledged == other.counters().acknowledged == 10_000


async def test_more_batches_than_the_server_takes_are_done_in_turn(tmp_path):
    server = TwoBatches(tmp_path)
    server.start()
    try:
        async with AsyncExitStack() as stack:
            found = [await stack.enter_async_context(running(server)) for _ in range(6)]
            client = found[0][0]
            subjects = [f"market.test.{number}" for number in range(6)]
            await make_stream(client, subjects=["market.>"])

            for (_, publisher), subject in zip(found, subjects, strict=True):
                await publish(publisher, range(3_000), subject)

            for (_, publisher), subject in zip(found, subjects, strict=True):
                assert await publisher.drain(20)
                assert await stored(client, subject=subject) == list(range(3_000))
    finally:
        server.stop()


async def test_a_server_that_stops_to_think_gets_nothing_twice(own_nats):
    async with running(own_nats, ack_s=0.5) as (client, publisher):
        await make_stream(client)
        task = asyncio.create_task(keep_publishing(publisher, 20_000))
        await until(lambda: publisher.counters().acknowledged >= 2_000)
        os.kill(own_nats.pid, signal.SIGSTOP)
        # Longer than records are waited for, shorter than the link lasts.
        await asyncio.to_thread(go_on, 1.5)
        os.kill(own_nats.pid, signal.SIGCONT)
        await task

        assert await publisher.drain(15)
        assert publisher.counters().resent > 0
        assert client.stats["reconnects"] == 0
        assert await stored(client) == list(range(20_000))


async def test_a_subject_that_is_forbidden_holds_up_no_other(tmp_path):
    def users(*subjects):
        allowed = ", ".join(f'"{subject}"' for subject in subjects)
        return (
            'authorization { users: [ { user: "admin", password: "a" }, '
            '{ user: "feed", password: "f", permissions: { '
            f'publish: [{allowed}], subscribe: ["_INBOX.>"] }} }} ] }}'
        )

    server = NatsServer(tmp_path, users("market.good"))
    server.start()
    try:
        address = f"127.0.0.1:{server.port}"
        admin, feed = f"nats://admin:a@{address}", f"nats://feed:f@{address}"
        async with running(server, admin) as (client, _), running(server, feed) as (_, publisher):
            await make_stream(client, subjects=["market.>"])

            for start in range(0, 1_000, 10):
                await publish(publisher, range(start, start + 10), "market.good")
                await publish(publisher, range(start, start + 10), "market.bad")
            await until(lambda: publisher.counters().acknowledged == 1_000)
            assert await stored(client, subject="market.good") == list(range(1_000))
            assert publisher.counters().in_flight == 1

            server.extra = (users("market.*"),)
            server.command()
            os.kill(server.pid, signal.SIGHUP)

            assert await publisher.drain(10)
            assert await stored(client, subject="market.bad") == list(range(1_000))
    finally:
        server.stop()

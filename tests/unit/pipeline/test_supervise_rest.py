"""What the sources of one worker ask over REST, and whose it is."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.core.errors import LinkLost
from pipeline.core.spec import SourceSpec
from pipeline.supervise import Supervisor
from tests.unit.pipeline.fakes import FakePublisher

ASK_AT = "http://h/spot"


class Host:
    """Notes what is asked for and answers when the test says so: no symbols."""

    def __init__(self):
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.open = asyncio.Event()
        self.failing = False
        self.body = b'{"symbols":[]}'

    async def get(self, url, max_bytes=0):
        self.asked.append(url)
        await self.open.wait()
        if self.failing:
            raise LinkLost("REST: unreachable")
        self.answered.append(url)
        return self.body

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0)


async def stay(spec, line, ssl):
    await asyncio.Event().wait()


@pytest.fixture
def web():
    return Host()


def supervisor(tasks, web, hold=stay):
    return Supervisor(
        tasks,
        FakePublisher(),
        clock_ns=lambda: 1,
        dice=lambda: 1.0,
        kinds={"fake": hold},
        get=web.get,
    )


def spec(source_id, rest_endpoint=ASK_AT, **more):
    return SourceSpec(
        source_id=source_id,
        protocol="fake",
        endpoint="ws://h",
        venue="binance",
        rest_endpoint=rest_endpoint,
        **{"types": ("trade",), "symbols": ("BTC*",), **more},
    )


async def test_two_venues_behind_one_host_are_each_asked_at_their_own_address(web):
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, web)
        await found.reconcile([spec("a"), spec("b", "http://h/other")])
        await web.until(lambda: len(web.asked) == 2)
        await found.stop()

    assert [url.rpartition("/api")[0] for url in sorted(web.asked)] == ["http://h/other", ASK_AT]


async def test_a_source_called_like_its_venue_takes_nothing_along_that_is_everybodys(web):
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, web)
        await found.reconcile([spec("binance"), spec("b")])
        await web.until(lambda: len(web.asked) == 1)

        await found.reconcile([spec("b")])
        web.open.set()

        await web.until(lambda: web.answered == web.asked)
        await found.stop()


async def test_symbols_that_cannot_be_looked_up_are_a_trouble_that_is_told(web):
    web.failing = True
    web.open.set()
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, web)
        await found.reconcile([spec("a")])
        await web.until(lambda: "REST: unreachable" in found.statuses()[0].last_error)
        await found.stop()


async def test_a_book_that_cannot_be_had_is_a_trouble_that_is_told_until_it_can(web):
    async def hold(spec, line, ssl):
        line.say(0.0)
        line.accept(
            b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":5,"u":6,"b":[["1.5","2"]],"a":[]}', 1
        )
        await asyncio.Event().wait()

    web.failing = True
    web.open.set()
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, web, hold)
        await found.reconcile([spec("a", types=("orderbook",), symbols=("BTCUSDT",))])
        told = "the book of BTCUSDT: REST: unreachable"
        await web.until(lambda: found.statuses()[0].last_error == told)

        web.failing = False
        web.body = b'{"lastUpdateId":5,"bids":[["1.4","1"]],"asks":[["1.6","1"]]}'
        await web.until(lambda: found.statuses()[0].published == 2)

        assert found.statuses()[0].last_error == ""
        await found.stop()

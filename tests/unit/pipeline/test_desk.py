from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pipeline.core.errors import DecodeError, LinkLost, Throttled
from pipeline.core.ratelimit import minutely
from pipeline.core.venues.venue import Call, Limits
from pipeline.supervise.desk import SEATS, Desk, Order
from pipeline.supervise.turnstile import Turnstile

LIMITS = Limits(1, 1, 1.0, 60, weight_per_minute=60_000)


class Host:
    """Answers with what the test says; counts how many ask at once."""

    def __init__(self):
        self.asked: list[str] = []
        self.times: list[float] = []
        self.now = self.most = 0
        self.answers = {}

    async def get(self, url, max_bytes=0):
        self.asked.append(url)
        self.times.append(asyncio.get_running_loop().time())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.001)
        finally:
            self.now -= 1
        answers = self.answers.get(url)
        found = answers.pop(0) if answers else b"fine"
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def web():
    return Host()


def desk(web, tasks, limits=LIMITS):
    pace = Turnstile(minutely(limits.weight_per_minute))
    return Desk("http://x", pace, get=web.get, tasks=tasks, dice=lambda: 0.001)


def order(name, take, weight=1, **more):
    return Order(("a", "snapshot", name), Call(f"/{name}", weight), take, **more)


async def test_what_is_under_way_is_not_ordered_twice(web):
    found: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        counter = desk(web, tasks)
        assert counter.order(order("b", found.append))
        assert not counter.order(order("b", found.append))

    assert found == [b"fine"]


async def test_who_takes_an_answer_may_order_again(web):
    found: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        counter = desk(web, tasks)

        def take(body):
            found.append(body)
            if len(found) < 3:
                assert counter.order(order("b", take))

        counter.order(order("b", take))

    assert len(found) == 3


async def test_hundreds_at_once_are_fetched_a_few_at_a_time_at_the_allowed_pace(web):
    found: list[bytes] = []
    limits = msgspec.structs.replace(LIMITS, weight_per_minute=6_000)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.TaskGroup() as tasks:
        counter = desk(web, tasks, limits)
        for number in range(170):
            counter.order(order(str(number), found.append, weight=10))

    assert len(found) == len(web.asked) == 170
    assert web.most <= SEATS
    # 1,500 at once and then 70 a second: 20 calls of 10 take 200 / 70 s.
    assert loop.time() - began_s > 2.5


@pytest.mark.parametrize("trouble", [LinkLost("away"), DecodeError("json", "")])
async def test_what_fails_is_tried_again(web, trouble):
    web.answers["http://x/b"] = [b"1", b"2", b"3"]
    found: list[bytes] = []

    def take(body):
        found.append(body)
        if len(found) < 3:
            raise trouble

    async def get(url, max_bytes=0):
        body = await web.get(url)
        if isinstance(trouble, LinkLost):
            take(body)
        return body

    async with asyncio.TaskGroup() as tasks:
        pace = Turnstile(minutely(LIMITS.weight_per_minute))
        counter = Desk("http://x", pace, get=get, tasks=tasks, dice=lambda: 0.001)
        counter.order(order("b", found.append if isinstance(trouble, LinkLost) else take))

    assert found[:3] == [b"1", b"2", b"3"]


async def test_too_many_in_vain_are_given_up(web):
    web.answers["http://x/b"] = [LinkLost("away")] * 10
    given_up: list[Any] = []
    async with asyncio.TaskGroup() as tasks:
        counter = desk(web, tasks)
        counter.order(
            order("b", given_up.append, tries=3, give_up=lambda: given_up.append("given up"))
        )

    assert given_up == ["given up"]
    assert len(web.asked) == 3


async def test_a_host_that_had_too_much_is_left_alone_by_all(web):
    web.answers["http://x/0"] = [Throttled(429, 0.5)]
    found: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        counter = desk(web, tasks)
        counter.order(order("0", found.append))
        await asyncio.sleep(0.05)
        for number in range(1, 20):
            counter.order(order(str(number), found.append))

    assert len(found) == 20
    first_s, *later_s = web.times
    assert min(later_s) - first_s >= 0.5


async def test_what_an_owner_no_longer_wants_is_dropped(web):
    web.answers["http://x/b"] = [LinkLost("away")] * 1000
    found: list[bytes] = []
    async with asyncio.TaskGroup() as tasks:
        counter = desk(web, tasks)
        counter.order(order("b", found.append))
        counter.order(msgspec.structs.replace(order("c", found.append), key=("other", "c")))
        await asyncio.sleep(0.02)
        counter.forget("a")

    assert found == [b"fine"]


async def test_a_bug_in_taking_an_answer_ends_the_group(web):
    def stumble(body):
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            desk(web, tasks).order(order("b", stumble))

    assert caught.group_contains(ZeroDivisionError)

from __future__ import annotations

import asyncio

import pytest

from pipeline.supervise import Supervisor
from pipeline.supervise.gather import MANY, Gather
from tests.unit.pipeline.fakes import FakePublisher
from tests.unit.pipeline.test_supervise import Links, spec


@pytest.fixture
async def done():
    return []


@pytest.fixture
async def gather(done):
    found = Gather(sleep=lambda rest_s: done.append(f"rest {rest_s}"))
    found.rest_s = 0.002
    return found


async def turns(count=4):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_turn_with_few_frames_ends_with_one_rest(gather, done):
    gather.frame()
    gather.frame()
    await turns()

    assert done == ["rest 0.002"]


async def test_who_was_woken_by_a_frame_has_its_turn_before_the_rest(gather, done):
    woken = asyncio.Event()

    async def write():
        await woken.wait()
        done.append("written")

    writing = asyncio.create_task(write())
    await turns()
    gather.frame()
    woken.set()
    await turns()

    assert done == ["written", "rest 0.002"]
    await writing


async def test_after_a_turn_with_many_frames_nobody_rests(gather, done):
    for _ in range(MANY):
        gather.frame()
    await turns()
    assert not done

    gather.frame()
    await turns()
    assert len(done) == 1


async def test_nobody_rests_where_one_source_is_in_a_hurry(gather, done):
    gather.rest_s = 0.0

    gather.frame()
    await turns()

    assert not done


async def test_nothing_rests_while_nothing_comes(gather, done):
    gather.frame()
    await turns(20)

    assert len(done) == 1


@pytest.mark.parametrize(
    ("lingers_ms", "rest_s"),
    [([5, 5], 0.002), ([5, 1], 0.001), ([5, 0], 0.0), ([], 0.0)],
)
async def test_the_least_patient_source_says_how_long_all_rest(gather, lingers_ms, rest_s):
    async with asyncio.TaskGroup() as tasks:
        found = Supervisor(
            tasks, FakePublisher(), clock_ns=lambda: 1, dice=lambda: 1.0, gather=gather,
            kinds={"fake": Links().hold},
        )  # fmt: skip
        await found.reconcile([spec(f"s{n}", linger_ms=ms) for n, ms in enumerate(lingers_ms)])

        assert gather.rest_s == rest_s
        await found.stop()


async def test_what_a_lingering_source_says_lingers_in_the_publisher_for_the_rest(gather):
    asked_s = []

    def lingering(linger_s):
        asked_s.append(round(linger_s, 6))
        return FakePublisher()

    async with asyncio.TaskGroup() as tasks:
        found = Supervisor(
            tasks, FakePublisher(), clock_ns=lambda: 1, dice=lambda: 1.0, gather=gather,
            lingering=lingering, kinds={"fake": Links().hold},
        )  # fmt: skip
        await found.reconcile([spec(f"s{ms}", linger_ms=ms) for ms in (0, 1, 5)])
        await found.stop()

    assert asked_s == [0.003]

from __future__ import annotations

import asyncio

import pytest

from pipeline.supervise.gather import MANY, Gather


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

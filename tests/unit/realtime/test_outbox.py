from __future__ import annotations

import asyncio

import pytest

from realtime.core.errors import Overrun
from realtime.core.protocol import Frame
from realtime.outbox import Limits, Outbox

SMALL = Limits(soft_frames=3, soft_characters=1000, hard_characters=2000, patience_s=10)


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def frame(topic, n):
    return Frame(f'{{"topic":"{topic}","n":{n}}}', topic)


async def drain(outbox):
    return [await outbox.take() for _ in range(len(outbox))]


async def test_a_client_that_keeps_up_gets_everything_in_order():
    outbox = Outbox(SMALL)
    frames = [frame("system.a", n) for n in range(10)]

    got = []
    for each in frames:
        outbox.put(each)
        got.append(await outbox.take())

    assert got == [f.text for f in frames]
    assert outbox.conflated == 0


async def test_past_the_soft_limit_only_the_newest_of_each_topic_remains():
    outbox = Outbox(SMALL)

    for n in range(8):
        outbox.put(frame("system.a" if n % 2 else "system.b", n))

    assert await drain(outbox) == [frame("system.b", 6).text, frame("system.a", 7).text]
    assert outbox.conflated == 6


async def test_replies_survive_conflation():
    outbox = Outbox(SMALL)
    replies = [Frame(f'{{"type":"pong","id":{n}}}') for n in range(3)]

    for n in range(9):
        outbox.put(frame("system.a", n))
        if n % 3 == 0:
            outbox.put(replies[n // 3])

    assert [text for text in await drain(outbox) if "pong" in text] == [r.text for r in replies]


async def test_after_the_backlog_is_read_everything_comes_again():
    outbox = Outbox(SMALL)
    for n in range(8):
        outbox.put(frame("system.a", n))
    await drain(outbox)

    for n in range(3):
        outbox.put(frame("system.a", n))

    assert await drain(outbox) == [frame("system.a", n).text for n in range(3)]


async def test_a_backlog_of_too_many_topics_is_given_up():
    outbox = Outbox(SMALL)

    with pytest.raises(Overrun, match="more is waiting"):
        for n in range(1000):
            outbox.put(frame(f"system.{n}", n))

    assert len(outbox) < 1000


async def test_a_client_that_reads_nothing_is_given_up_though_little_is_waiting():
    clock = Clock()
    outbox = Outbox(SMALL, clock)
    outbox.put(frame("system.a", 0))
    await outbox.take()  # The writer is busy with it from here on.
    clock.now_s = 9
    outbox.put(frame("system.a", 1))

    clock.now_s = 11
    with pytest.raises(Overrun, match="nothing was read for 10 s"):
        outbox.put(frame("system.a", 2))


async def test_a_quiet_hour_is_not_slowness():
    clock = Clock()
    outbox = Outbox(SMALL, clock)
    outbox.put(frame("system.a", 0))
    await outbox.take()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)

    clock.now_s = 3600
    outbox.put(frame("system.a", 1))

    assert await waiting == frame("system.a", 1).text


async def test_a_text_beyond_the_hard_limit_reaches_a_client_that_keeps_up():
    outbox = Outbox(SMALL)

    for n in range(3):
        outbox.put(Frame(f"{n}" * 3000, "system.large"))

        assert await outbox.take() == f"{n}" * 3000

"""Sources whose venue says no, or says farewell."""

from __future__ import annotations

import asyncio

from pipeline.core.errors import AuthRefused, LinkLost
from pipeline.core.spec import SourceSpec
from pipeline.core.status import State
from pipeline.supervise import Patience, Supervisor
from tests.unit.pipeline.fakes import FakePublisher

TRADE = (
    b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
    b'"tradeId":"%d","px":"1","sz":"1","side":"buy","ts":"1597026383085","count":"1"}]}'
)
FAREWELL = b'{"event":"notice","code":"64008","msg":"The connection will soon be closed."}'
TAKEN = b'{"id":"101","event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}'


class Herald:
    def __init__(self):
        self.said: list[str] = []

    def alert(self, level, type, text, **details):  # noqa: A002
        self.said.append(type)

    def event(self, name, **details):
        self.said.append(name)


def supervisor(tasks, hold, herald, patience):
    return Supervisor(
        tasks,
        FakePublisher(),
        clock_ns=lambda: 1,
        dice=lambda: 1.0,
        kinds={"fake": hold},
        voice=herald,
        patience=patience,
    )


def spec(**more):
    return SourceSpec(
        source_id="a",
        protocol="fake",
        endpoint="ws://h",
        venue="okx",
        types=("trade",),
        symbols=("BTC-USDT",),
        **{"reconnect_interval": 0.01, **more},
    )


def state(found):
    return found.statuses()[0].state


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_who_is_refused_at_once_is_not_tried_again_and_that_is_an_alert():
    herald, tries = Herald(), 0

    async def hold(spec, line, ssl):
        nonlocal tries
        tries += 1
        raise AuthRefused("no")

    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, hold, herald, Patience())
        await found.reconcile([spec()])
        await until(lambda: state(found) is State.REFUSED)
        await found.stop()

    assert tries == 1
    assert herald.said == ["source_refused"]


async def test_a_refusal_of_who_was_taken_before_is_a_passing_one():
    herald, links = Herald(), 0

    async def hold(spec, line, ssl):
        nonlocal links
        links += 1
        if links in (2, 3):
            raise AuthRefused("the handshake was answered with 403")
        line.say(0.0)
        line.accept(TRADE % links, links)
        await asyncio.sleep(0.01)
        if links == 1:
            raise LinkLost("closed")
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, hold, herald, Patience())
        await found.reconcile([spec()])
        await until(lambda: links == 4 and found.statuses()[0].published >= 3)
        assert state(found) is State.RUNNING
        await found.stop()

    assert herald.said == []


async def test_a_refused_renewal_leaves_the_link_that_works():
    herald, links = Herald(), 0

    async def hold(spec, line, ssl):
        nonlocal links
        links += 1
        if links > 1:
            raise AuthRefused("the handshake was answered with 403")
        line.say(0.0)
        line.accept(TRADE % links, links)
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, hold, herald, Patience())
        await found.reconcile([spec(link_life_s=0.02)])
        await until(lambda: links == 2)
        await asyncio.sleep(0.01)
        assert state(found) is State.RUNNING
        assert found.statuses()[0].disconnects == 0
        await found.stop()


async def test_who_says_farewell_to_every_link_is_not_stormed():
    links = 0

    async def hold(spec, line, ssl):
        nonlocal links
        links += 1
        line.say(0.0)
        line.accept(TAKEN, 1)
        line.accept(TRADE % links, 1)
        line.accept(FAREWELL, 1)
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, hold, Herald(), Patience(overlap_s=0.01))
        await found.reconcile([spec()])
        # At once; then after 0.5 s, 1 s, 2 s.
        await until(lambda: links >= 2)
        await asyncio.sleep(1.0)
        assert links == 3
        await found.stop()

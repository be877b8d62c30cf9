from __future__ import annotations

import asyncio

import msgspec
import pytest

from pipeline.core.errors import AuthRefused, LinkLost
from pipeline.core.spec import SourceSpec
from pipeline.core.status import State
from pipeline.supervise import Supervisor
from tests.unit.pipeline.fakes import FakePublisher

ACK = b'{"result":null,"id":1}'


def spec(source_id, **more):
    return SourceSpec(
        source_id=source_id,
        protocol="fake",
        endpoint=f"ws://{source_id}",
        venue="binance",
        **({"reconnect_interval": 0.001} | more),
    )


class Links:
    """A protocol whose links do what each test says."""

    def __init__(self):
        self.held: list[str] = []
        self.open: set[str] = set()
        self.changed = asyncio.Condition()
        self.behaviour = {}

    async def hold(self, spec, stages, ssl):
        self.held.append(spec.source_id)
        self.open.add(spec.source_id)
        await self._tell()
        try:
            await self.behaviour.get(spec.source_id, self.stay)(spec, stages)
        finally:
            self.open.discard(spec.source_id)

    async def stay(self, spec, stages):
        stages.accept(ACK, 1)
        await asyncio.Event().wait()

    async def fail(self, spec, stages):
        raise LinkLost("gone")

    async def refuse(self, spec, stages):
        raise AuthRefused("no")

    async def _tell(self):
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition):
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(condition)


@pytest.fixture
def links():
    return Links()


def supervisor(tasks, links, publisher=None, luck=1.0):
    return Supervisor(
        tasks,
        publisher or FakePublisher(),
        clock_ns=lambda: 1,
        dice=lambda: luck,
        kinds={"fake": links.hold},
    )


def states(found):
    return {status.source_id: status.state for status in found.statuses()}


async def becomes(found, state, source_id="a"):
    async with asyncio.timeout(5):
        while states(found)[source_id] is not state:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_only_what_changed_is_started_or_stopped(links):
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        await found.reconcile([spec("a"), spec("b")])
        await links.until(lambda: links.open == {"a", "b"})
        await found.reconcile([spec("a"), spec("b", silence_s=3.0), spec("c")])
        await links.until(lambda: links.open == {"a", "b", "c"})
        assert links.held == ["a", "b", "b", "c"]

        await found.reconcile([spec("c")])

        assert links.open == {"c"}
        assert states(found) == {
            "a": State.STOPPED, "b": State.STOPPED, "c": State.RUNNING,
        }  # fmt: skip
        await found.stop()


async def test_a_source_is_never_held_twice(links):
    held_at_once = 0

    async def linger(spec, stages):
        nonlocal held_at_once
        held_at_once += 1
        assert held_at_once == 1
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # It closes slowly.
            held_at_once -= 1

    links.behaviour["a"] = linger
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        for silence_s in (1.0, 2.0, 3.0):
            await found.reconcile([spec("a", silence_s=silence_s)])
            await links.until(lambda: "a" in links.open)
        await found.stop()


async def test_a_lost_link_is_tried_again_and_its_neighbours_are_left_alone(links):
    links.behaviour["bad"] = links.fail
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        await found.reconcile([spec("bad"), spec("good")])
        await links.until(lambda: links.held.count("bad") >= 3)

        assert links.held.count("good") == 1
        assert states(found) == {"bad": State.RECONNECTING, "good": State.RUNNING}
        assert {s.source_id: s.last_error for s in found.statuses()}["bad"] == "gone"
        await found.stop()


async def test_too_many_failures_are_degraded_and_still_tried(links):
    links.behaviour["bad"] = links.fail
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links, luck=0.0)
        await found.reconcile([spec("bad", max_reconnect_attempts=3)])
        await links.until(lambda: len(links.held) > 20)

        assert states(found) == {"bad": State.DEGRADED}
        await found.stop()


async def test_a_degraded_source_that_speaks_again_is_running(links):
    async def recover(spec, stages):
        if len(links.held) < 5:
            raise LinkLost("gone")
        await links.stay(spec, stages)

    links.behaviour["a"] = recover
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links, luck=0.0)
        await found.reconcile([spec("a", max_reconnect_attempts=1)])
        await links.until(lambda: len(links.held) == 5)

        assert states(found) == {"a": State.RUNNING}
        await found.stop()


async def test_a_refused_source_waits_for_other_settings(links):
    links.behaviour["a"] = links.refuse
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        await found.reconcile([spec("a")])
        await links.until(lambda: links.held == ["a"])
        await becomes(found, State.REFUSED)
        await found.reconcile([spec("a")])
        assert states(found) == {"a": State.REFUSED}

        links.behaviour["a"] = links.stay
        await found.reconcile([spec("a", silence_s=1.0)])
        await links.until(lambda: links.held == ["a", "a"])

        assert states(found) == {"a": State.RUNNING}
        await found.stop()


async def test_no_link_is_opened_while_the_publisher_is_full(links):
    publisher = FakePublisher()
    publisher.may_go_on.clear()
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links, publisher)
        await found.reconcile([spec("a")])
        await asyncio.sleep(0)
        assert links.held == []

        publisher.may_go_on.set()

        await links.until(lambda: links.held == ["a"])
        await found.stop()


async def test_a_bug_in_one_source_ends_them_all(links):
    async def stumble(spec, stages):
        raise ZeroDivisionError

    links.behaviour["bad"] = stumble

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            found = supervisor(tasks, links)
            await found.reconcile([spec("good"), spec("bad")])
            await asyncio.Event().wait()

    assert caught.group_contains(ZeroDivisionError)
    assert links.open == set()


async def test_counters_go_on_when_settings_change_and_are_told_after_the_end(links):
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        for number, silence_s in enumerate([1.0, 2.0], start=1):
            await found.reconcile([spec("a", silence_s=silence_s)])
            await links.until(lambda n=number: len(links.held) == n and "a" in links.open)
            (status,) = found.statuses()
            assert (status.received, status.state) == (number, State.RUNNING)

        await found.reconcile([])

        (status,) = found.statuses()
        assert (status.received, status.state) == (2, State.STOPPED)


@pytest.mark.parametrize("outcome", ["lost", "ended"])
async def test_a_stop_that_a_closing_link_swallowed_still_stops_the_source(links, outcome):
    async def swallow(spec, stages):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            links.behaviour["a"] = links.stay
            if outcome == "lost":
                raise LinkLost("closed") from None

    links.behaviour["a"] = swallow
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        await found.reconcile([spec("a")])
        await links.until(lambda: "a" in links.open)

        async with asyncio.timeout(5):
            await found.stop()

        assert links.held == ["a"]
        assert states(found) == {"a": State.STOPPED}


async def test_a_hundred_sources_of_one_venue_do_not_wait_for_each_other(links):
    names = [f"s{number}" for number in range(100)]
    async with asyncio.TaskGroup() as tasks:
        found = supervisor(tasks, links)
        await found.reconcile([msgspec.structs.replace(spec(n), endpoint="ws://h") for n in names])
        await links.until(lambda: links.open == set(names))
        await found.stop()

"""What sources may subscribe to."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.core.spec import SourceSpec
from pipeline.core.status import State
from pipeline.supervise import Supervisor
from tests.unit.pipeline.fakes import FakePublisher


@pytest.mark.parametrize(
    ("streams", "types", "state"),
    [
        ("btcusdt@trade/btcusdt@aggTrade", (), State.REFUSED),
        ("btcusdt@aggTrade", ("trade",), State.REFUSED),
        ("btcusdt@trade", ("trade",), State.CONNECTING),
        ("btcusdt@trade/ethusdt@aggTrade", (), State.CONNECTING),
        # A fast and a slow stream of one book count its changes alike.
        ("btcusdt@depth/btcusdt@depth@100ms", (), State.CONNECTING),
    ],
)
async def test_trades_that_are_counted_in_two_ways_are_refused(streams, types, state):
    async def hold(spec, line, ssl):
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(
            tasks, FakePublisher(), clock_ns=lambda: 1, dice=lambda: 1.0, kinds={"fake": hold}
        )
        spec = SourceSpec(
            source_id="a", protocol="fake", endpoint=f"ws://h/stream?streams={streams}",
            venue="binance", types=types, symbols=("BTCUSDT",) if types else (),
        )  # fmt: skip
        await supervisor.reconcile([spec])
        await asyncio.sleep(0.01)
        (status,) = supervisor.statuses()
        await supervisor.stop()

    assert status.state is state
    assert ("two ways" in status.last_error) is (state is State.REFUSED)

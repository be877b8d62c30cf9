"""
Hostile peers, each as a source of its own beside an honest one in the same house.

That nobody crashes, every error that is not ours ends the house and so the test.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from pipeline.core.spec import Credentials, SourceSpec
from pipeline.core.status import State
from pipeline.receive import websocket
from tests.loopback.attacks import FRAMES, HANDSHAKES
from tests.loopback.hostile import Honest, peer
from tests.loopback.supervised import house
from tests.loopback.test_websocket import Pages

LOGIN = Credentials(username="reader", password="hush-hush")
CONNECT_S = 0.7
KINDS = {"checked": False, "trusted": True}


def source(source_id, at, **more):
    return SourceSpec(
        source_id=source_id, protocol="websocket", endpoint=f"ws://{at}/", venue="binance",
        reconnect_interval=0.2, **more,
    )  # fmt: skip


@asynccontextmanager
async def beside_an_honest_one(deeds):
    """Yield a house, the addresses of these peers, and the honest source, which already speaks."""
    honest = Honest()
    kinds = {"websocket": partial(websocket.hold, connect_s=CONNECT_S)}
    async with AsyncExitStack() as stack:
        at = {name: await stack.enter_async_context(peer(deed)) for name, deed in deeds.items()}
        good = source("honest", await stack.enter_async_context(peer(honest)))
        here = await stack.enter_async_context(house(kinds=kinds))
        await here.run(good)
        await here.until(lambda: here.status("honest").received > 10)
        yield here, at, good

        # Untouched: every trade that was sent arrived, over one link, and more come.
        seen = here.status("honest").received
        await here.until(lambda: here.status("honest").received > seen + 50)
        status = here.status("honest")
        assert (status.state, status.published) == (State.RUNNING, status.received)
        assert (status.gaps, status.disconnects, status.undecodable) == (0, 0, 0)
        assert 0 <= honest.sent - status.received < 50
        assert honest.links == 1


async def test_handshakes_that_are_none_are_lost_links(caplog):
    deeds = {name: attack.deed for name, attack in HANDSHAKES.items()}
    async with beside_an_honest_one(deeds) as (here, at, good):
        ends = {(name, kind): HANDSHAKES[name].ends for name in at for kind in KINDS}
        await here.run(
            good,
            *(
                source(f"{name}, {kind}", at[name], trusted=KINDS[kind], credentials=LOGIN)
                for name, kind in ends
            ),
        )
        await here.until(lambda: not unlike(here, ends), 30)

        statuses = [here.status(f"{name}, {kind}") for name, kind in ends]
    assert not [s for s in statuses if s.received or s.disconnects]
    for text in (*(status.last_error for status in statuses), caplog.text):
        for secret in ("hush-hush", "cmVhZGVyOmh1c2gtaHVzaA", "asic "):
            assert secret not in text
    assert all(status.last_error.isprintable() for status in statuses)


async def test_whatever_comes_over_a_link_ends_it_or_is_counted(caplog):
    deeds = {name: attack.deed for name, attack in FRAMES.items()}
    async with beside_an_honest_one(deeds) as (here, at, good):
        ends = {
            (name, kind): (
                attack.trusted if trusted and attack.trusted is not None else attack.ends
            )
            for name, attack in FRAMES.items()
            for kind, trusted in KINDS.items()
        }
        await here.run(
            good,
            *(
                source(
                    f"{name}, {kind}",
                    at[name],
                    trusted=KINDS[kind],
                    silence_s=FRAMES[name].silence_s,
                )
                for name, kind in ends
            ),
        )
        await here.until(lambda: not unlike(here, ends), 30)

        for (name, kind), end in ends.items():
            status = here.status(f"{name}, {kind}")
            assert status.last_error.isprintable(), name
            if end:
                assert (status.received, status.disconnects) == (0, 0), name
            else:
                attack = FRAMES[name]
                trusted = attack.trusted_counts if KINDS[kind] else None
                counts = attack.counts if trusted is None else trusted
                assert (status.state, status.problems) == (State.RUNNING, counts), name
    # Not as a line of its own.
    assert "\nCRITICAL" not in caplog.text


def unlike(here, ends):
    """Return the sources that do not stand as expected yet, and how they stand."""
    found = {}
    for (name, kind), end in ends.items():
        status = here.status(f"{name}, {kind}")
        there = re.search(end, status.last_error) if end else status.published == 1
        if not there:
            found[name, kind] = status
    return found


async def test_a_link_that_is_given_up_while_it_closes_leaves_no_socket():
    gone = asyncio.Event()

    async def never_says_goodbye(link):
        await link.accept()
        await link.gone()
        gone.set()

    line = Pages()
    async with peer(never_says_goodbye) as at:
        line.url = f"ws://{at}/"
        task = asyncio.create_task(websocket.hold(source("a", at, silence_s=0.1), line, None))
        await asyncio.sleep(0.3)  # It is closing now.
        assert not task.done()

        task.cancel()

        async with asyncio.timeout(0.5):
            await gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await task

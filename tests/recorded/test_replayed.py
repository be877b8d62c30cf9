"""Recordings of three exchanges, replayed to clients that subscribe as our venues do."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from pipeline.core.recording import RecordedFrame
from pipeline.core.venues import VENUES
from pipeline.core.venues.venue import Channel
from pipeline.simulate import replay
from pipeline.simulate.recorded import Recording

pytestmark = pytest.mark.recorded

DATA_FRAMES = {"okx": 392, "deribit": 135}


@asynccontextmanager
async def served(*paths):
    recording = Recording(paths)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(
        replay.run(
            recording, host="127.0.0.1", port=0, speed=None, once=False, ready=ready.set_result
        )
    )
    try:
        yield recording, await ready
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("name", DATA_FRAMES)
async def test_who_subscribes_is_answered_and_sent_every_frame_of_it(recorded_data, name):
    path = recorded_data / "cryptofeed" / f"{name.upper()}.ws.1.0"
    venue = VENUES[name]({})

    async with served(path) as (recording, url):
        channels = [Channel(stream, "trade", "") for stream in sorted(recording.streams)]
        found, accepted = [], set()
        async with asyncio.timeout(20), connect(url) as link:
            for part in (channels[:3], [*channels[3:], Channel("dance:A", "trade", "")]):
                await link.send(venue.subscribe(part, 1), text=True)
            try:
                while True:
                    frame = await link.recv(decode=False)
                    for heard in venue.decode(frame):
                        accepted |= set(getattr(heard, "channels", ()))
                    if b'"data"' in frame:
                        found.append(frame)
            except ConnectionClosedOK:
                pass
        wanted = [frame.data for frame in recording.frames()]

    assert found == wanted
    assert len(found) == recording.count == DATA_FRAMES[name]
    assert {channel.name for channel in channels} <= accepted


async def test_snapshots_are_served_where_the_venue_has_them(recorded_data):
    folder = recorded_data / "cryptofeed"

    async with served(folder / "BINANCE.ws.1.0", folder / "BINANCE.http.0.0") as (_, url):
        base = url.replace("ws://", "http://").removesuffix("/stream")
        venue = VENUES["binance"]({})
        call = venue.snapshot_call("LRCBTC")
        assert call is not None
        async with aiohttp.ClientSession() as session:
            async with session.get(base + call.path) as response:
                snapshot = venue.snapshot("LRCBTC", await response.read())
            async with session.get(f"{base}/api/v3/depth?symbol=NONE") as response:
                assert response.status == 404

    assert snapshot.last_seq == 259345543


async def test_a_snapshot_without_an_address_is_that_of_the_only_symbol(recorded_data):
    recording = Recording([recorded_data / "hftbacktest" / "spot_btcusdt_20240808.gz"])
    frames = [json.loads(frame.data) for frame in recording.frames()]
    depths = [frame["data"] for frame in frames if "@depth" in frame["stream"]]

    body = recording.answer("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "1000"})

    assert body is not None
    number = json.loads(body)["lastUpdateId"]
    assert any(update["U"] <= number + 1 and number <= update["u"] for update in depths)
    assert recording.answer("/api/v3/depth", {"symbol": "ETHUSDT"}) is None
    assert all(isinstance(frame, RecordedFrame) for frame in recording.frames())

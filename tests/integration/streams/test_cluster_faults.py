"""What a cluster loses when its leaders are killed under load: nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.streams.load import Load, assert_each_once
from tests.servers.cluster import NatsCluster

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# Each election takes about five seconds: two clusters are halves of ten.
CLUSTERS, KILLS = 2, 5


async def test_ten_killed_leaders_lose_and_repeat_nothing(tmp_path):
    clusters = [NatsCluster(tmp_path / f"c{number}") for number in range(CLUSTERS)]
    try:
        gaps = await asyncio.gather(*(kill_leaders(cluster) for cluster in clusters))
    finally:
        for cluster in clusters:
            cluster.stop()

    told = ", ".join(f"{gap_s:.1f}" for gaps_s in gaps for gap_s in gaps_s)
    print(f"seconds without an acknowledgement at each kill: {told}")  # noqa: T201


async def kill_leaders(cluster):
    await asyncio.to_thread(cluster.start)
    gaps_s = []
    async with Load(cluster.url()) as load:
        for number in range(KILLS):
            leader = cluster.node(await load.leader())
            load.begin_gap()
            leader.kill()
            if number % 2:  # Back before, or after the others have chosen.
                await asyncio.to_thread(leader.start)
            await load.more(500)
            if not leader.running:
                await asyncio.to_thread(leader.start)
            gaps_s.append(load.gap_s)
            await load.whole(cluster)
        submitted = await load.finish()
        assert_each_once(await load.stored(), submitted)
    return gaps_s

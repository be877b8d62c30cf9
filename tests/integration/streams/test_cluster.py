"""Three nodes on loopback: they form, hand over, take users live, and lose their majority."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import msgspec
import pytest

from streams import services
from streams.broker import system
from streams.broker.connect import connect
from streams.broker.link import Link
from streams.core import permissions
from streams.core.errors import ApiRefused, BrokerAway
from tests.integration.streams.load import Load, assert_each_once, call
from tests.servers.cluster import NatsCluster
from tests.servers.process import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

R3 = {"subjects": ["kept.>"], "num_replicas": 3}


@pytest.fixture
def cluster(tmp_path):
    found = NatsCluster(tmp_path / "cluster")
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
async def system_client(cluster):
    client = await connect(cluster.system_url, name="system", patience_s=30)
    yield client
    await client.close()


async def until(condition, within_s=30):
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class Guest:
    """A client in plain words, that asks once and stays away when it is told to."""

    def __init__(self, node, user, password):
        self.port, self.user, self.password = node.port, user, password

    async def logs_in(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        login = msgspec.json.encode({"user": self.user, "pass": self.password, "verbose": False})
        self.writer.write(b"CONNECT %b\r\nPING\r\n" % login)
        async with asyncio.timeout(30):
            await self.reader.readline()
            answer = await self.reader.readline()
        if answer == b"PONG\r\n":
            return True
        await self.leaves()
        return False

    async def is_sent_away(self):
        """Return when the server has closed the connection."""
        async with asyncio.timeout(30):
            await self.reader.read()
        await self.leaves()

    async def leaves(self):
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def all_servers(client):
    """Return the three servers once each has heard of all others."""
    found: list[system.Server] = []

    async def all_know_of_all():
        found[:] = await system.servers(client)
        return [server.active_servers for server in found] == [3, 3, 3]

    await until(all_know_of_all)
    return found


def all_log_in(guests):
    left = list(guests)

    async def condition():
        while left and await left[0].logs_in():
            left.pop(0)
        return not left

    return condition


def kept_thrice(link):
    """Create the stream; healthy nodes may not yet count as peers of the one that leads them."""
    made = []

    def is_made():
        with contextlib.suppress(ApiRefused):
            made.append(link.api("STREAM.CREATE.KEPT", {"name": "KEPT", **R3}, within_s=20))
        return made

    wait_until(is_made, 60, "three copies are taken")
    return made[0]


async def test_it_forms_and_each_node_shows_what_another_stored(cluster, system_client):
    found = await all_servers(system_client)
    assert [server.name for server in found] == ["n1", "n2", "n3"]
    assert {(server.cluster, server.jetstream) for server in found} == {("test", True)}

    links = [Link(cluster.url_of(node), name="test") for node in cluster.nodes]
    try:
        made = await asyncio.to_thread(kept_thrice, links[0])
        assert len(made["cluster"]["replicas"]) == 2

        async def stored():
            try:
                once = {"Nats-Msg-Id": "1"}
                return await asyncio.to_thread(links[1].publish_stored, "kept.a", b"1", 5, once)
            except BrokerAway:  # The second node may hear of the new stream a moment later.
                return None

        await until(stored)
        for link in links:
            info = await asyncio.to_thread(link.api, "STREAM.INFO.KEPT")
            assert (info["config"]["num_replicas"], info["state"]["messages"]) == (3, 1)
    finally:
        for link in links:
            link.close()


async def test_a_planned_restart_of_each_leader_loses_nothing(cluster, capsys):
    gaps_s = []
    async with Load(cluster.url()) as load:
        for _ in range(2):
            leader = cluster.node(await load.leader())
            load.begin_gap()
            leader.signal(signal.SIGUSR2)
            await load.until(lambda: not leader.running)  # noqa: B023
            await load.more(500)
            gaps_s.append(load.gap_s)
            await asyncio.to_thread(leader.start)
            await load.whole(cluster)
        submitted = await load.finish()
        assert_each_once(await load.stored(), submitted)

    # Speed is no matter of tests; `make bench BENCH=cluster` holds it to its bar.
    with capsys.disabled():
        print(" longest gaps at planned restarts:", *(f"{gap:.3f} s" for gap in gaps_s))  # noqa: T201


@pytest.mark.parametrize("way", ["RELOAD", "SIGHUP"])
async def test_users_come_and_go_on_all_nodes_while_others_stay(cluster, system_client, way):
    async def reload():
        for node in cluster.nodes:
            node.write()
        if way == "RELOAD":
            for server in await all_servers(system_client):
                await system.reload(system_client, server.id, within_s=30)
        else:
            for node in cluster.nodes:
                node.signal(signal.SIGHUP)

    stays = await connect(cluster.url(), name="stays", patience_s=30)
    cluster.add_user("eve", "eve's own", permissions.consumer(["kept.>"], ["KEPT"]))
    guests = [Guest(node, "eve", "eve's own") for node in cluster.nodes]
    assert [await guest.logs_in() for guest in guests] == [False] * 3

    await reload()
    await until(all_log_in(guests))
    cluster.remove_user("eve")
    await reload()
    for guest in guests:
        await guest.is_sent_away()

    assert [await guest.logs_in() for guest in guests] == [False] * 3
    assert stays.is_connected
    assert stays.stats["reconnects"] == 0
    await stays.close()


async def test_a_file_that_cannot_be_loaded_is_refused_and_nothing_changes(cluster, system_client):
    node = cluster.nodes[0]
    (node.folder / "nats.conf").write_text("listen: nonsense:\n")

    one, *others = await all_servers(system_client)
    with pytest.raises(ApiRefused):
        await system.reload(system_client, one.id, within_s=30)

    assert one.id in {server.id for server in await all_servers(system_client)}
    for server in others:
        await system.reload(system_client, server.id, within_s=30)
    guest = await connect(cluster.url_of(node), name="guest", patience_s=30)
    await guest.close()


async def test_one_address_is_enough_while_its_node_runs(cluster):
    node = cluster.nodes[0]
    client = await connect(cluster.url_of(node), name="test", patience_s=30)
    link = Link(cluster.url_of(node), name="test")
    await asyncio.to_thread(link.api, "INFO")

    node.kill()

    async def both_answer():
        try:
            await asyncio.to_thread(link.api, "INFO", None, 1)
        except BrokerAway:
            return False
        return "memory" in await call(client, "INFO")

    await until(both_answer)
    await client.close()
    await asyncio.to_thread(link.close)


async def test_one_of_several_addresses_is_enough_to_begin(cluster):
    for node in cluster.nodes[:2]:
        node.kill()

    client = await connect(cluster.url(), name="test", patience_s=30)

    assert client.connected_url
    assert client.connected_url.port == cluster.nodes[2].port
    await client.close()


async def test_an_unknown_or_silent_server_is_said_to_be_away(cluster, system_client):
    with pytest.raises(BrokerAway):
        await system.ask(system_client, "NOBODY", "VARZ", within_s=1)
    admin = await connect(cluster.url(), name="admin", patience_s=30)
    with pytest.raises(BrokerAway):  # Not the system account's.
        await system.servers(admin, within_s=0.5)
    await admin.close()


async def test_the_leader_of_the_cluster_itself_hands_over(cluster, system_client):
    async def leader():
        for server in await system.servers(system_client):
            meta = (await system.ask(system_client, server.id, "JSZ")).get("meta_cluster") or {}
            if meta.get("leader"):
                return meta["leader"]
        return ""

    before = await leader()
    await system.meta_leader_steps_down(system_client)

    async def another():
        return await leader() not in ("", before)

    await until(another)


@pytest.mark.django_db(transaction=True)
def test_without_a_majority_every_call_ends_in_time_and_says_so(cluster, settings, client):
    settings.NATS_URL, settings.NATS_MONITOR_URL = cluster.url(), cluster.nodes[0].monitor_url
    settings.API_ANONYMOUS = True
    services.link.cache_clear()
    link = services.link()
    kept_thrice(link)
    for node in cluster.nodes[1:]:
        node.kill()
    try:
        # The one that is left waits about ten seconds before it believes it.
        wait_until(lambda: client.get("/health").status_code == 503, 60, "not healthy")
        with pytest.raises(BrokerAway):
            link.api("STREAM.CREATE.MORE", {"name": "MORE", "subjects": ["more"]}, within_s=3)
        status = client.get("/api/v1/status").json()
        assert status["nats_server"]["status"] == "running"
        assert client.get("/api/v1/streams").status_code == 503
        body = {"subject": "kept.a", "message": "x"}
        refused = client.post("/api/v1/publish", body, content_type="application/json")
        assert refused.status_code == 503
    finally:
        link.close()
        services.link.cache_clear()


def test_a_stream_whose_only_server_is_away_is_named_and_not_left_out(cluster, settings, client):
    settings.NATS_URL, settings.NATS_MONITOR_URL = cluster.url(), cluster.nodes[0].monitor_url
    settings.API_ANONYMOUS = True
    services.link.cache_clear()
    link = services.link()
    body = {"name": "ALONE", "subjects": ["alone"], "num_replicas": 1}
    leader = link.api("STREAM.CREATE.ALONE", body, within_s=20)["cluster"]["leader"]
    try:
        assert [row["name"] for row in client.get("/api/v1/streams").json()["streams"]] == ["ALONE"]
        cluster.node(leader).kill()

        wait_until(
            lambda: "ALONE" in client.get("/api/v1/streams").json().get("error", ""), 60, "named"
        )
        body = {"subject": "alone", "message": "x"}
        refused = client.post("/api/v1/publish", body, content_type="application/json")
        assert refused.status_code == 503
        assert "ALONE" in refused.json()["error"]
    finally:
        link.close()
        services.link.cache_clear()


async def test_a_publisher_rides_out_the_loss_of_the_majority(cluster):
    async with Load(cluster.url()) as load:
        for node in cluster.nodes[1:]:
            node.kill()
        before = load.submitted
        await load.until(lambda: load.submitted > before + 1_000)
        for node in cluster.nodes[1:]:
            await asyncio.to_thread(node.start)
        await load.whole(cluster)
        submitted = await load.finish()
        assert_each_once(await load.stored(), submitted)

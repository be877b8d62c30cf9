"""A link of Django's to a real server, and streams that go away with their test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from streams import services
from streams.broker.connect import connect
from streams.broker.link import Link
from streams.core.errors import ApiRefused, BrokerAway
from streams.core.serverconf import SYSTEM_USER
from streams.services import servers
from tests.missing import missing
from tests.servers.cluster import NatsCluster
from tests.servers.nats import NatsServer
from tests.servers.process import ServerMissing, wait_until


def linked(server: NatsServer, settings: Any) -> Iterator[NatsServer]:
    settings.NATS_URL, settings.NATS_MONITOR_URL = server.url, server.monitor_url
    services.link.cache_clear()
    yield server
    services.link().close()
    services.link.cache_clear()


@pytest.fixture
def broker(nats_server, settings):
    """The shared server, linked to. Streams are made by `make_stream`, which takes them away."""
    yield from linked(nats_server, settings)


@pytest.fixture
def own_broker(own_nats, settings):
    yield from linked(own_nats, settings)


@pytest.fixture
def make_stream(broker) -> Iterator[Callable[..., dict[str, Any]]]:
    """Make a stream in NATS: `make_stream("NAME", subjects=["a.>"])`; there is no row of it."""
    made: list[str] = []

    def make(name: str, **config: Any) -> dict[str, Any]:
        made.append(name)
        return create(services.link(), name, **config)

    yield make
    there = services.link().api("STREAM.NAMES").get("streams") or []
    for name in set(there) & set(made):
        services.link().api(f"STREAM.DELETE.{name}")


@pytest.fixture
def linked_cluster(tmp_path, settings) -> Iterator[NatsCluster]:
    """Three servers, linked to as the product would."""
    found = NatsCluster(tmp_path)
    settings.NATS_PASSWORD = "of-the-test"
    found.passwords[SYSTEM_USER] = servers.system_password()
    try:
        found.start()
    except ServerMissing as e:
        missing("NATS", str(e))
    settings.NATS_URL = found.url()
    services.link.cache_clear()
    wait_until(takes_three_copies, 60, "three servers know of each other")
    yield found
    services.link().close()
    services.link.cache_clear()
    found.stop()


def takes_three_copies() -> bool:
    """Servers are healthy before the leader of all counts them among its peers."""
    try:
        create(services.link(), "PROBE", subjects=["probe"], num_replicas=3)
        services.link().api("STREAM.DELETE.PROBE")
    except (ApiRefused, BrokerAway):
        return False
    return True


def create(link: Link, name: str, **config: Any) -> dict[str, Any]:
    body = {"name": name, "allow_direct": True, "storage": "memory", **config}
    return link.api(f"STREAM.CREATE.{name}", body)


def fill(server: NatsServer | NatsCluster, messages: Iterable[tuple[str, bytes]]) -> None:
    """Publish (subject, payload) pairs into streams, each acknowledged."""
    url = server.url() if isinstance(server, NatsCluster) else server.url

    async def publish() -> None:
        client = await connect(url, name="test")
        stream = client.jetstream(publish_async_max_pending=500)
        waiting = [await stream.publish_async(*message) for message in messages]
        await asyncio.gather(*waiting)
        await client.close()

    asyncio.run(publish())

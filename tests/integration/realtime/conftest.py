from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from tests.integration.realtime.web import WebServer
from tests.servers.nats import NatsServer


@pytest.fixture(scope="package")
def web(tmp_path_factory: pytest.TempPathFactory, nats_server: NatsServer) -> Iterator[WebServer]:
    server = WebServer(tmp_path_factory.mktemp("web"), nats_server.url)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def web_on_own_nats(tmp_path: Path, own_nats: NatsServer) -> Iterator[WebServer]:
    folder = tmp_path / "web"
    folder.mkdir()
    server = WebServer(folder, own_nats.url)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def publisher(nats_server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(nats_server.url)
    yield client
    await client.close()

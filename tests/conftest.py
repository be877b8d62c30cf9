"""
Fixtures for all tests.

Servers are real and shared by the session: `nats_server`, `rabbitmq_server`, `redis_server`,
`postgres_server`. A test that kills, fills or configures one takes `own_nats`. Names of streams,
queues and databases must be the test's own; the shared servers keep what was put into them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests.missing import in_ci, missing, summary
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import Server, ServerMissing
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("fast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("fast"), derandomize=True)
settings.load_profile("ci" if in_ci() else "fast")

AnyServer = TypeVar("AnyServer", bound=Server)


def running(server: AnyServer) -> Iterator[AnyServer]:
    """Yield the server, started; skip or fail where this machine has none."""
    try:
        server.start()
    except ServerMissing as e:
        missing(server.name, str(e))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    yield from running(NatsServer(tmp_path_factory.mktemp("nats")))


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server for one test, which may kill it or fill it."""
    folder = tmp_path / "nats"
    folder.mkdir()
    yield from running(NatsServer(folder))


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    yield from running(RabbitServer(tmp_path_factory.mktemp("rabbitmq")))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from running(RedisServer(tmp_path_factory.mktemp("redis")))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    yield from running(PostgresServer(tmp_path_factory.mktemp("postgres")))


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded traffic. The tests pass without it, in CI as well."""
    folder = Path(os.environ.get("TICKPLANE_RECORDED_DATA", "") or ROOT / "../shared/data")
    if not folder.is_dir():
        missing("recorded traffic", f"no folder {folder}", even_in_ci=False)
    return folder.resolve()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Say last of all what was skipped for want of a server."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    skipped = [
        (report.nodeid, report.longrepr[2])
        for report in reporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    ]
    for line in summary(skipped):
        reporter.write_line(line, yellow=True)

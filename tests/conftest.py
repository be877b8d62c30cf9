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
from tests.servers.compose import PostgresContainer, RabbitContainer, RedisContainer
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import Server, ServerMissing
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer
from tests.servers.standalone import Tickplane

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("fast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("fast"), derandomize=True)
settings.load_profile("ci" if in_ci() else "fast")

AnyServer = TypeVar("AnyServer", bound=Server)


def running(server: AnyServer, *others: AnyServer) -> Iterator[AnyServer]:
    """Yield the first of these that can be had, started; skip or fail where none can."""
    reason = ""
    for candidate in (server, *others):
        try:
            candidate.start()
        except ServerMissing as e:
            reason = str(e)
            continue
        try:
            yield candidate
        finally:
            candidate.stop()
        return
    missing(server.name, reason)


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
    folder = tmp_path_factory.mktemp("rabbitmq")
    yield from running(RabbitServer(folder), RabbitContainer(folder))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("redis")
    yield from running(RedisServer(folder), RedisContainer(folder))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    folder = tmp_path_factory.mktemp("postgres")
    yield from running(PostgresServer(folder), PostgresContainer(folder))


@pytest.fixture(scope="session")
def tickplane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tickplane]:
    """The whole product, started as the operator starts it, with its demo moving."""
    yield from running(Tickplane(tmp_path_factory.mktemp("tickplane")))


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
    reports = reporter.stats.get("skipped", [])
    line = summary(report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple))
    if line:
        reporter.write_line(line, yellow=True)

"""The same servers in containers, for machines that have Docker instead of packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.postgres import PostgresServer
from tests.servers.process import Server, ServerFailed, ServerMissing, listens, wait_until
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer

FILE = Path(__file__).resolve().parent.parent.parent / "docker" / "compose.test.yaml"
COMMAND_S = 60


class Container(Server):
    """
    Mixed in before a server: the same `url` and `answers`, with a container as its process.

    Images must be on this machine already: `tests/prepare.py` fetches them, no test waits for it.
    """

    service: str
    port: int

    def compose(self, *args: str) -> str:
        """
        Return what `docker compose <args>` printed, for a project that is this server's only.

        Raises:
            ServerMissing: Docker is not installed.
            ServerFailed: It ended with an error.
        """
        docker = shutil.which("docker")
        if docker is None:
            raise ServerMissing("neither it nor docker is installed")
        project = f"tickplane-tests-{self.service}-{self.port}"
        done = subprocess.run(
            [docker, "compose", "-f", str(FILE), "-p", project, *args],
            env=os.environ | {"TEST_PORT": str(self.port)},
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"docker compose {args}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        try:
            self.compose("up", "--detach", "--pull", "never", self.service)
        except ServerFailed as e:
            last_line = str(e).strip().splitlines()[-1]
            raise ServerMissing(f"it is not installed, and in a container: {last_line}") from e
        try:
            wait_until(self.answers, self.start_s, "an answer")
        except TimeoutError as e:
            raise ServerFailed(f"{self.name}: {e}\n{self.compose('logs', self.service)}") from e

    def kill(self) -> None:
        self.compose("kill", self.service)
        wait_until(lambda: not listens(self.port), 10, "a killed container's port is closed")

    def stop(self) -> None:
        self.compose("down", "--volumes", "--timeout", "5")


class RabbitContainer(Container, RabbitServer):
    service = "rabbitmq"

    @property
    def url(self) -> str:
        return f"amqp://tests:tests@127.0.0.1:{self.port}/%2F"

    def ctl(self, *args: str) -> str:
        return self.compose("exec", "-T", self.service, "rabbitmqctl", "--quiet", *args)


class RedisContainer(Container, RedisServer):
    service = "redis"


class PostgresContainer(Container, PostgresServer):
    service = "postgres"

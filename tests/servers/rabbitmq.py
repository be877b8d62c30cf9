"""A real RabbitMQ, from Debian's package, with an epmd of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pika
from pika.exceptions import AMQPError

from tests.servers.process import (
    Server,
    ServerFailed,
    ServerMissing,
    free_port,
    listens,
    spawn,
    wait_until,
)

# Debian's /usr/sbin/rabbitmq-server changes the user; these are the scripts behind it.
SCRIPTS = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")


def program(name: str) -> str:
    """
    Return the path of RabbitMQ's script `name`.

    Raises:
        ServerMissing: RabbitMQ is not installed.
    """
    if found := shutil.which(name, path=os.pathsep.join(SCRIPTS)):
        return found
    raise ServerMissing("rabbitmq-server is not installed")


class RabbitServer(Server):
    name = "RabbitMQ"
    start_s = 60.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.dist_port = free_port()
        self.epmd_port = free_port()
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def command(self) -> list[str]:
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "log.console = true\n"
            "log.file = false\n"
            "disk_free_limit.absolute = 50MB\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        return [program("rabbitmq-server")]

    def environment(self) -> dict[str, str]:
        own = {
            "HOME": str(self.folder),  # Erlang keeps its cookie there.
            # With it the script becomes the Erlang VM, instead of waiting for one beside it.
            "detached": "true",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tickplane-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            # Schedulers that spin while idle take a core from the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none +S 2:2",
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
        return kept | own

    def start(self) -> None:
        program("rabbitmq-server")
        self._start_epmd()
        super().start()

    def _start_epmd(self) -> None:
        # Erlang would start one as a daemon that outlives everybody.
        if self._epmd and self._epmd.poll() is None:
            return
        epmd = shutil.which("epmd")
        if epmd is None:
            raise ServerMissing("epmd, a part of Erlang, is not installed")
        self._epmd = spawn(
            [epmd, "-port", str(self.epmd_port), "-address", "127.0.0.1"],
            log=self.folder / "epmd.log",
            env=self.environment(),
        )
        wait_until(lambda: listens(self.epmd_port), 10, "epmd listens")

    def answers(self) -> bool:
        if not listens(self.port):
            return False
        try:
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except (AMQPError, OSError):
            return False
        return True

    def stop(self) -> None:
        super().stop()
        if self._epmd:
            self._epmd.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._epmd.wait(5)
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def ctl(self, *args: str) -> str:
        """
        Return what `rabbitmqctl <args>` printed.

        Raises:
            ServerFailed: It ended with an error.
        """
        done = subprocess.run(
            [program("rabbitmqctl"), "--quiet", *args],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"rabbitmqctl {args}: {done.stdout}{done.stderr}")
        return done.stdout

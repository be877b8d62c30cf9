"""Which processes make the whole system, on which ports, with which environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from controlplane.standalone.child import Child
from controlplane.standalone.ports import Picker
from streams.broker import server
from streams.core.serverconf import quoted

WEB_PORT, NATS_PORT, MONITOR_PORT, EXCHANGE_PORT = 8000, 4222, 8222, 9443
NATS_USER = "tickplane"
ROLES = {"worker": "worker", "beat": "beat", "pipeline": "pipeline"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what they stand for
# One batch of heap arenas each: glibc gives every thread its own otherwise, which costs
# a process of six threads some ten megabytes.
FRUGAL = {"MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True)
class Given:
    """What the operator gave: where to listen, and servers to use instead of embedded parts."""

    home: Path
    host: str
    web_port: int
    nats_url: str
    monitor_url: str
    nats_password: str


@dataclass(frozen=True)
class Plan:
    """
    Everything that will run.

    Attributes:
        nats_configuration: Text for the embedded server; empty when an outside one is used.
        nats_name: What the embedded server calls itself; empty when an outside one is used.
        exchange_url: Where the simulated exchange listens, as `ws://host:port`.
    """

    given: Given
    nats_url: str
    monitor_url: str
    nats_name: str
    nats_port: int
    nats_configuration: str
    exchange_port: int
    nats_binary: str

    @property
    def web_host(self) -> str:
        """Where the web server is reached from this machine, as a URL and a Host header say it."""
        host = WILDCARDS.get(self.given.host, self.given.host)
        return f"[{host}]" if ":" in host else host

    @property
    def web_url(self) -> str:
        return f"http://{self.web_host}:{self.given.web_port}"

    @property
    def exchange_url(self) -> str:
        return f"ws://127.0.0.1:{self.exchange_port}"

    @property
    def nats_folder(self) -> Path:
        return self.given.home / "nats"


def draw(given: Given) -> Plan:
    """
    Return the plan, with free ports chosen for the embedded parts.

    Raises:
        PortTaken: No free port was found.
        BrokerAway: An embedded nats-server is needed and there is none.
    """
    picker = Picker()
    picker.take(given.web_port)
    exchange_port = picker.near(EXCHANGE_PORT)
    if given.nats_url:
        monitor = given.monitor_url or f"http://{urlsplit(given.nats_url).hostname}:{MONITOR_PORT}"
        return Plan(given, given.nats_url, monitor, "", 0, "", exchange_port, "")
    port, monitor_port = picker.near(NATS_PORT), picker.near(MONITOR_PORT)
    folder, name = given.home / "nats", f"tickplane-{os.getpid()}"
    configuration = render(
        ServerConfiguration(
            name=name,
            port=port,
            monitor_port=monitor_port,
            store_folder=str(folder / "jetstream"),
            pid_file=str(folder / "nats.pid"),
            user=NATS_USER,
            password=given.nats_password,
        )
    )
    url = f"nats://{NATS_USER}:{quote(given.nats_password, safe='')}@127.0.0.1:{port}"
    return Plan(
        given,
        url,
        f"http://127.0.0.1:{monitor_port}",
        name,
        port,
        configuration,
        exchange_port,
        server.binary(),
    )


def child_environment(plan: Plan, own: Mapping[str, str]) -> dict[str, str]:
    """Return what the children see: the operator's environment, and the chosen servers."""
    given = plan.given
    hosts = own.get("TICKPLANE_ALLOWED_HOSTS", "").strip()
    return {
        **own,
        # Whatever names the operator allows: we ask for the pages ourselves, to see that they come.
        **({"TICKPLANE_ALLOWED_HOSTS": f"{hosts},{plan.web_host}"} if hosts else {}),
        **FRUGAL,
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "TICKPLANE_HOME": str(given.home),
        "TICKPLANE_API_ANONYMOUS": own.get(
            "TICKPLANE_API_ANONYMOUS", "true" if given.host in LOOPBACK else "false"
        ),
        "NATS_URL": plan.nats_url,
        "NATS_MONITOR_URL": plan.monitor_url,
        "PYTHONUNBUFFERED": "1",
        # Celery would check the URLs too, and so load the admin, REST and every view.
        "CELERY_SKIP_CHECKS": "1",
        # The file broker moves a message through the temporary folder: keep it on this disk,
        # and out of a folder that everybody reads.
        "TMPDIR": str(given.home / "celery" / "tmp"),
    }


def nats_child(plan: Plan, environment: Mapping[str, str]) -> Child:
    return Child(
        "nats",
        [plan.nats_binary, "-c", str(plan.nats_folder / "nats.conf")],
        environment,
        plan.given.home / "log",
    )


def children(plan: Plan, environment: Mapping[str, str], *, demo: bool) -> list[Child]:
    """Return the children that stand on NATS, in the order in which they are started."""
    python, given, logs = sys.executable, plan.given, plan.given.home / "log"
    celery = [python, "-m", "celery", "-A", "controlplane"]
    commands: dict[str, list[str]] = {
        "web": [
            python, "-m", "uvicorn", "controlplane.asgi:application",
            "--host", given.host, "--port", str(given.web_port),
            "--ws", "websockets-sansio", "--ws-per-message-deflate", "false",
            "--ws-max-size", "65536", "--loop", "uvloop", "--no-access-log",
            "--timeout-graceful-shutdown", "3",
        ],
        "exchange": [
            python, "-m", "pipeline.simulate", "--host", "127.0.0.1",
            "--port", str(plan.exchange_port),
        ],
        "pipeline": [python, "manage.py", "run_pipeline"],
        "worker": [
            *celery, "worker", "--pool", "solo", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ],
        "beat": [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""],
    }  # fmt: skip
    if not demo:
        del commands["exchange"]
    return [
        Child(name, command, {**environment, "TICKPLANE_ROLE": ROLES.get(name, "all")}, logs)
        for name, command in commands.items()
    ]


class ServerConfiguration(msgspec.Struct, frozen=True):
    """
    What one single-node server needs. Ports are on loopback.

    Attributes:
        max_file_bytes, max_memory_bytes: JetStream would otherwise claim 75 % of the disk's free
            space and of the memory.
    """

    name: str
    port: int
    monitor_port: int
    store_folder: str
    pid_file: str
    user: str
    password: str
    max_file_bytes: int = 10 * 1024**3
    max_memory_bytes: int = 1024**3


def render(c: ServerConfiguration) -> str:
    """
    Return the text of a nats-server configuration file.

    There is no cluster block: with JetStream on and no routes the server refuses to start.
    The monitoring port carries no authentication, so it is on loopback only.
    """
    return f"""\
server_name: {quoted(c.name)}
listen: "127.0.0.1:{c.port}"
http: "127.0.0.1:{c.monitor_port}"
pid_file: {quoted(c.pid_file)}
max_payload: 1MB
max_connections: 1000
write_deadline: "2s"
jetstream {{
  store_dir: {quoted(c.store_folder)}
  max_memory_store: {c.max_memory_bytes}
  max_file_store: {c.max_file_bytes}
}}
authorization {{
  user: {quoted(c.user)}
  password: {quoted(c.password)}
}}
"""

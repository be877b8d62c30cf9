"""Which processes make the whole system, on which ports, with which environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.standalone.child import Child
from controlplane.standalone.ports import Picker
from streams.core.serverconf import Tls
from streams.services import servers

MONITOR_PORT, EXCHANGE_PORT = 8222, 9443
# Time passes so slowly at the demo's exchanges that they leave the machine to others.
DEMO_TICK_S = 0.2
ROLES = {"worker": "worker", "pipeline": "pipeline"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what they stand for
# One batch of heap arenas each: glibc gives every thread its own otherwise, which costs
# a process of six threads some ten megabytes.
FRUGAL = {"MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True)
class Given:
    """
    What the operator gave: where to listen, and servers to use instead of embedded parts.

    Attributes:
        nats_port, monitor_port: From where on a free one is taken.
    """

    home: Path
    host: str
    web_port: int
    nats_url: str
    monitor_url: str
    nats_tls: Tls | None
    nats_port: int
    monitor_port: int


@dataclass(frozen=True)
class Plan:
    """
    Everything that will run.

    Attributes:
        nats_port, monitor_port: Of the embedded server; 0 when an outside one is used.
        exchange_url: Where the simulated exchange listens, as `ws://host:port`.
    """

    given: Given
    nats_url: str
    monitor_url: str
    nats_port: int
    monitor_port: int
    exchange_port: int

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


def draw(given: Given) -> Plan:
    """
    Return the plan, with free ports chosen for the embedded parts.

    Raises:
        PortTaken: No free port was found.
    """
    picker = Picker()
    picker.take(given.web_port)
    exchange_port = picker.near(EXCHANGE_PORT)
    if given.nats_url:
        monitor = given.monitor_url or f"http://{urlsplit(given.nats_url).hostname}:{MONITOR_PORT}"
        return Plan(given, given.nats_url, monitor, 0, 0, exchange_port)
    port, monitor_port = picker.near(given.nats_port), picker.near(given.monitor_port)
    url = servers.own_url(f"127.0.0.1:{port}", given.nats_tls)
    monitor = f"http://127.0.0.1:{monitor_port}"
    return Plan(given, url, monitor, port, monitor_port, exchange_port)


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
            "--port", str(plan.exchange_port), "--tick", str(DEMO_TICK_S),
            "--venue", "binance", "--venue", "okx", "--venue", "deribit",
        ],
        "pipeline": [python, "manage.py", "run_pipeline"],
        "worker": [
            *celery, "worker", "--pool", "solo", "--with-beat", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ],
    }  # fmt: skip
    if not demo:
        del commands["exchange"]
    return [
        Child(name, command, {**environment, "TICKPLANE_ROLE": ROLES.get(name, "all")}, logs)
        for name, command in commands.items()
    ]

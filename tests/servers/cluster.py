"""Several real nats-servers on loopback that form one cluster, configured by the product."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bcrypt
import msgspec

from streams.broker.server import binary
from streams.core import permissions
from streams.core.errors import BrokerAway
from streams.core.permissions import Permissions
from streams.core.serverconf import (
    ADMIN_USER,
    SYSTEM_USER,
    NodeConfiguration,
    Routes,
    Tls,
    User,
    render,
)
from tests.servers.nats import NatsServer
from tests.servers.process import ServerFailed, ServerMissing, free_port, wait_until

READY_S = 60.0
ATTEMPTS = 3
# As fast as bcrypt goes; the product's own cost is measured elsewhere.
COST = 4
MEBIBYTE = 1024**2


class ClusterNode(NatsServer):
    """One of them. `answers` means that the process does; `ready`, that it takes part."""

    def __init__(self, folder: Path, name: str, configured: Callable[[str], str]) -> None:
        """
        Args:
            configured: Returns the text of a node's configuration.
        """
        folder.mkdir(parents=True)
        super().__init__(folder)
        self.draw_ports()
        self.name = name
        self._configured = configured

    def draw_ports(self) -> None:
        self.port, self.monitor_port, self.route_port = free_port(), free_port(), free_port()

    def command(self) -> list[str]:
        try:
            program = binary()
        except BrokerAway as e:
            raise ServerMissing(str(e)) from e
        self.write()
        return [program, "-c", str(self._file)]

    def write(self) -> None:
        """Write the configuration as it should be now; a running server does not look."""
        self._file.write_text(self._configured(self.name))

    def reload(self) -> None:
        """Write it, and let the server look."""
        self.write()
        self.signal(signal.SIGHUP)

    def signal(self, number: int) -> None:
        assert self.process, f"{self.name} was not started"
        self.process.send_signal(number)

    def answers(self) -> bool:
        # Without a quorum it can do no more.
        return self.healthy("?js-server-only=true")

    @property
    def ready(self) -> bool:
        return self.running and self.healthy()

    def healthy(self, query: str = "") -> bool:
        try:
            with urllib.request.urlopen(f"{self.monitor_url}/healthz{query}", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def _file(self) -> Path:
        return self.folder / "nats.conf"


class NatsCluster:
    """
    Nodes n1, n2, … that start with no data; one alone is a single server.

    `passwords` and `may` hold the users; changes reach a node when it reloads.
    """

    name = "NATS"

    def __init__(self, folder: Path, *, size: int = 3, **settings: Any) -> None:
        """
        Args:
            settings: Of each node's configuration. A `route_tls` goes to the routes.
        """
        self.passwords = {ADMIN_USER: "the admin's", SYSTEM_USER: "the system's"}
        self.may: dict[str, Permissions] = {ADMIN_USER: permissions.admin()}
        self.settings = settings
        names = [f"n{number}" for number in range(1, size + 1)]
        self.nodes = [ClusterNode(folder / name, name, self.rendered) for name in names]

    def add_user(self, name: str, password: str, may: Permissions) -> None:
        self.passwords[name], self.may[name] = password, may

    def remove_user(self, name: str) -> None:
        del self.passwords[name], self.may[name]

    def node(self, name: str) -> ClusterNode:
        return next(node for node in self.nodes if node.name == name)

    def rendered(self, name: str) -> str:
        return render(self.configuration(self.node(name)))

    def configuration(self, node: ClusterNode) -> NodeConfiguration:
        settings = dict(self.settings)
        route_tls = settings.pop("route_tls", None)
        found = NodeConfiguration(
            name=node.name,
            port=node.port,
            http_port=node.monitor_port,
            client_advertise=f"127.0.0.1:{node.port}",
            store_folder=str(node.folder / "data"),
            max_memory_bytes=256 * MEBIBYTE,
            max_storage_bytes=2048 * MEBIBYTE,
            users=tuple(
                User(name, _hash(self.passwords[name]), may) for name, may in self.may.items()
            ),
            system_hash=_hash(self.passwords[SYSTEM_USER]),
            routes=self._routes(node, route_tls) if len(self.nodes) > 1 else None,
        )
        return msgspec.structs.replace(found, **settings)

    def _routes(self, node: ClusterNode, tls: Tls | None) -> Routes:
        login = "route:between-us"
        return Routes(
            cluster="test",
            host="127.0.0.1",
            port=node.route_port,
            urls=tuple(
                f"nats-route://{login}@127.0.0.1:{other.route_port}"
                for other in self.nodes
                if other is not node
            ),
            password="between-us",
            advertise=f"127.0.0.1:{node.route_port}",
            tls=tls,
        )

    def start(self) -> None:
        """Return when every node takes part. Ports that others took meanwhile are drawn anew."""
        for attempt in range(ATTEMPTS):
            try:
                for node in self.nodes:
                    node.start()
            except ServerFailed as e:
                if "address already in use" not in str(e) or attempt == ATTEMPTS - 1:
                    raise
                self.stop()
                for node in self.nodes:
                    node.draw_ports()
            else:
                break
        self.wait_ready()

    def wait_ready(self) -> None:
        wait_until(lambda: all(n.ready for n in self.nodes), READY_S, "every node takes part")

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def url(self, user: str = ADMIN_USER, *, scheme: str = "nats") -> str:
        """Return the URL that names all nodes."""
        return ",".join(self.url_of(node, user, scheme=scheme) for node in self.nodes)

    def url_of(self, node: ClusterNode, user: str = ADMIN_USER, *, scheme: str = "nats") -> str:
        name, password = (quote(text, safe="") for text in (user, self.passwords[user]))
        return f"{scheme}://{name}:{password}@127.0.0.1:{node.port}"

    @property
    def system_url(self) -> str:
        return self.url(SYSTEM_USER)


@cache
def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(COST)).decode()

"""
Restarts the nodes of a cluster one after another, so that what has three copies never stops.

Each node's own supervisor restarts it: it leaves as a lame duck, hands its streams over and sends
its clients to the others. The next node's turn comes when every server is well and every copy of
every stream and consumer is whole. If that does not happen, nothing more is restarted.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from django.utils.translation import gettext as _
from nats.aio.client import Client

from streams.broker import system
from streams.core.errors import ApiRefused, BrokerAway, BrokerError
from streams.core.serverconf import SYSTEM_USER
from streams.models import Cluster, Node, TlsFiles
from streams.services import servers

# A lame duck may take its 30 seconds, and copies of many gigabytes some minutes.
PATIENCE = timedelta(minutes=10)
SHOWN = 3
# Several questions to each server.
CALL_S = 20.0


class Progress(NamedTuple):
    """How far it is. `waits_for` are reasons; empty in the end."""

    restarted: tuple[str, ...]
    now: str
    left: tuple[str, ...]
    waits_for: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        return not (self.now or self.left)


class RollStopped(BrokerError):
    """The cluster did not become whole in time; the nodes that are left run as they did."""


class NoSuchCluster(BrokerError):
    """No cluster has this name, or none was named where there are several."""


def begin(*, cluster: str, actor: str, now: datetime, patience: timedelta = PATIENCE) -> Roll:
    """
    Return the restart of a cluster's nodes; nothing has happened yet.

    Args:
        cluster: Its name; empty where there is only one.

    Raises:
        NoSuchCluster: It is not declared, or has no enabled node.
    """
    rows = {row.name: row for row in Cluster.objects.all()}
    chosen = [row for name, row in rows.items() if cluster in ("", name)]
    if len(chosen) != 1:
        raise NoSuchCluster(_("Name one of these clusters: %s") % ", ".join(rows))
    roll = Roll(cluster=chosen[0], actor=actor, now=now, patience=patience)
    if not roll.left:
        raise NoSuchCluster(_("%s has no enabled node") % chosen[0])
    return roll


class Roll:
    """
    One restart of all enabled nodes. Call `look` again and again until it is done.

    Args:
        patience: For one node, and for the cluster to be whole before the first.
    """

    def __init__(
        self, *, cluster: Cluster, actor: str, now: datetime, patience: timedelta = PATIENCE
    ) -> None:
        self._cluster = cluster
        self._actor = actor
        self._patience = patience
        self._since = now
        self._restarted: list[str] = []
        self._current = ""
        # A server has another id after each start.
        self._old_id = ""
        self.left = [node.name for node in cluster.nodes.filter(enabled=True)]

    def look(self, *, now: datetime) -> Progress:
        """
        Let the next node restart if the cluster is whole; return how far it is.

        Raises:
            RollStopped: It has not been whole for as long as `patience`.
        """
        found, reasons = self._seen()
        if not reasons:
            self._since = now
            if self._current:
                self._restarted.append(self._current)
                self._current = ""
            if self.left:
                reasons = self._restart_next(found)
        elif now - self._since > self._patience:
            raise RollStopped(f"{'; '.join(reasons)}: no further node is restarted")
        return Progress(tuple(self._restarted), self._current, tuple(self.left), tuple(reasons))

    def _restart_next(self, found: Sequence[system.Server]) -> list[str]:
        ids = {server.name: server.id for server in found}
        # One that was disabled since is no longer ours to restart.
        self.left = [name for name in self.left if name in ids]
        if not self.left:
            return []
        self._current = self.left.pop(0)
        self._old_id = ids[self._current]
        node = Node.objects.get(cluster=self._cluster, name=self._current)
        servers.request_restart(node=node, actor=self._actor)
        return [f"{self._current} restarts"]

    def _seen(self) -> tuple[list[system.Server], list[str]]:
        """Return the servers that answer, and why the next may not be restarted yet."""
        nodes = list(self._cluster.nodes.filter(enabled=True).select_related("client_tls"))
        try:
            found, reasons = system.called(
                system_url(nodes), _state, within_s=CALL_S, tls=tls_context(self._cluster, nodes)
            )
        except BrokerAway as e:
            return [], [str(e)]
        reasons += _missing(nodes, found)
        if any(s.name == self._current and s.id == self._old_id for s in found):
            reasons.append(f"{self._current} leaves")
        return found, reasons


def system_url(nodes: Sequence[Node]) -> str:
    """Return the URL, with the system user's password, that names all these nodes."""
    login = f"{SYSTEM_USER}:{quote(servers.system_password(), safe='')}"
    return ",".join(
        f"nats://{login}@{_bracketed(node.address)}:{node.nats_port or node.cluster.nats_port}"
        for node in nodes
    )


def tls_context(cluster: Cluster, nodes: Sequence[Node]) -> ssl.SSLContext | None:
    """
    Return how to talk to these nodes, or None when they speak without TLS.

    A node that asks for a certificate is shown its own.

    Raises:
        BrokerAway: A file cannot be used here.
    """
    files = next((node.client_tls for node in nodes if node.client_tls), cluster.client_tls)
    if files is None:
        return None
    try:
        return _context(files)
    except (OSError, ValueError) as e:  # ssl.SSLError is an OSError.
        raise BrokerAway(f"the certificates of {files.name} cannot be used here: {e}") from e


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca_file or None)
    if files.verify:
        context.load_cert_chain(files.cert_file, files.key_file)
    return context


async def _state(client: Client) -> tuple[list[system.Server], list[str]]:
    found = await system.servers(client)
    reasons: list[str] = []
    for server in found:
        try:
            health = await system.ask(client, server.id, "HEALTHZ")
        except (ApiRefused, BrokerAway) as e:
            reasons.append(f"{server.name}: {e}")
        else:
            if health.get("status") != "ok":
                reasons.append(f"{server.name}: {health.get('error') or 'is not ready'}")
    behind = await system.replicas_behind(client, of=found)
    reasons += [_behind(replica) for replica in behind[:SHOWN]]
    if len(behind) > SHOWN:
        reasons.append(f"{len(behind) - SHOWN} more copies are behind")
    return found, reasons


def _behind(replica: system.Replica) -> str:
    name = "/".join(filter(None, (replica.stream, replica.consumer)))
    if not replica.server:
        return f"{name} has no leader"
    return f"{name} is behind on {replica.server} by {replica.lag}"


def _missing(nodes: Sequence[Node], found: Sequence[system.Server]) -> list[str]:
    there = {server.name for server in found}
    return [f"{node.name} does not answer" for node in nodes if node.name not in there]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

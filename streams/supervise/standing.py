"""How a server is, by what its monitoring says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.broker import server
from streams.core.serverconf import NodeConfiguration


class Standing(msgspec.Struct, frozen=True):
    """
    How the server is now.

    Attributes:
        state: One of `streams.models.Node.State`.
        digest, wanted_digest: The server's own, of what it runs and of what it should run.
        awaits_restart: The options whose change waits for a restart.
        certificate_ends: As the server writes it, RFC 3339; empty without TLS.
    """

    state: str = "stopped"
    reason: str = ""
    pid: int | None = None
    version: str = ""
    restarts: int = 0
    digest: str = ""
    wanted_digest: str = ""
    awaits_restart: tuple[str, ...] = ()
    certificate_ends: str = ""

    @property
    def serves(self) -> bool:
        """It is ready, if not as it is wanted."""
        return bool(self.pid and self.digest) and self.state in ("running", "refused")


class Monitored(msgspec.Struct, frozen=True):
    """What a server answers about itself."""

    varz: Mapping[str, Any]
    health: Mapping[str, Any]

    def judged(
        self, c: NodeConfiguration, *, refusal: str, is_leaving: bool, was_ready: bool
    ) -> tuple[str, str]:
        """
        Return its state, and the reason.

        Args:
            c: What it runs, as far as we know.
            refusal: Why what is wanted does not run; empty when it does.
            was_ready: Whether it has been, since it started.
        """
        if self.varz.get("server_name") != c.name:
            return "unhealthy", f"another server answers on port {c.http_port}"
        if is_leaving:
            return "starting", "it is being restarted"
        if self.health.get("status") != "ok":
            state = "unhealthy" if was_ready else "starting"
            return state, refusal or str(self.health.get("error", "not ready"))
        return ("refused", refusal) if refusal else ("running", "")

    def told(self) -> dict[str, Any]:
        """Return the fields of a `Standing` that it knows best."""
        return {
            "version": str(self.varz.get("version", "")),
            "digest": str(self.varz.get("config_digest", "")),
            "certificate_ends": str(self.varz.get("tls_cert_not_after", "")),
        }


def monitored(c: NodeConfiguration) -> Monitored:
    """
    Raises:
        BrokerAway: Nobody answers.
    """
    return Monitored(
        server.monitor(c.monitor_url, "/varz"), server.monitor(c.monitor_url, "/healthz")
    )

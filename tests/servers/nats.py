"""A real nats-server with JetStream."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from streams.broker.server import binary
from streams.core.errors import BrokerAway
from tests.servers.process import Server, ServerMissing, free_port


class NatsServer(Server):
    name = "NATS"

    def __init__(self, folder: Path, *extra: str) -> None:
        """
        Args:
            extra: Further lines of its configuration file.
        """
        super().__init__(folder)
        self.port = free_port()
        self.monitor_port = free_port()
        self.extra = extra

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}"

    def command(self) -> list[str]:
        try:
            program = binary()
        except BrokerAway as e:
            raise ServerMissing(str(e)) from e
        configuration = self.folder / "nats.conf"
        configuration.write_text("\n".join([*self._lines(), *self.extra, ""]))
        return [program, "-c", str(configuration)]

    def _lines(self) -> list[str]:
        return [
            f"listen: 127.0.0.1:{self.port}",
            f"http: 127.0.0.1:{self.monitor_port}",
            f"jetstream {{ store_dir: {json.dumps(str(self.folder / 'data'))} }}",
        ]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.monitor_url}/healthz", timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

"""A real Redis that keeps nothing on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import redis

from tests.servers.process import Server, ServerMissing, free_port


class RedisServer(Server):
    name = "Redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise ServerMissing("redis-server is not installed")
        folder = str(self.folder)
        options = ["--bind", "127.0.0.1", "--dir", folder, "--appendonly", "no", "--save", ""]
        return [program, "--port", str(self.port), *options]

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

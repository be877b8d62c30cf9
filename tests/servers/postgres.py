"""A real PostgreSQL that forgets everything: no fsync, no password, no socket but loopback."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers.process import Server, ServerMissing, free_port

DEBIAN = Path("/usr/lib/postgresql")
INITDB_S = 60
# It refuses to be run by root; the first of these that exists runs it then.
OTHERS = ("postgres", "nobody")


def program(name: str) -> str:
    """
    Return the path of PostgreSQL's program `name`, of the newest version installed.

    Raises:
        ServerMissing: It is not installed.
    """
    found = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if found:
        return str(found[-1])
    if on_path := shutil.which(name):
        return on_path
    raise ServerMissing("postgresql is not installed")


class PostgresServer(Server):
    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "Fast": does not wait for clients to leave.
    death_signal = signal.SIGQUIT  # "Immediate": gives its shared memory back, unlike SIGKILL.

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def user(self) -> str | None:
        if os.geteuid() != 0:
            return None
        known = {entry.pw_name for entry in pwd.getpwall()}
        return next((name for name in OTHERS if name in known), None)

    def environment(self) -> dict[str, str]:
        # Its own settings (PGDATA, PGPORT, LC_...) would win over the command line's silence.
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.cwd)}

    def command(self) -> list[str]:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 60,
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.data), *settings]

    @property
    def data(self) -> Path:
        return self.cwd / "data"

    def start(self) -> None:
        initdb = program("initdb")
        if not self.data.exists():
            # Not below `folder`: pytest's folders are closed to the user who runs the server.
            self.cwd = Path(tempfile.mkdtemp(prefix="tickplane-postgres-"))
            if user := self.user():
                shutil.chown(self.cwd, user)
            self._initialise(initdb)
        super().start()

    def _initialise(self, initdb: str) -> None:
        command = [initdb, "-D", str(self.data), "-U", "postgres", "--auth=trust"]
        done = subprocess.run(
            [*command, "--encoding=UTF8", "--no-sync"],
            env=self.environment(),
            user=self.user(),
            extra_groups=[] if self.user() else None,
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=INITDB_S,
            check=False,
        )
        if done.returncode:
            raise self.failed(f"initdb: {done.stdout}{done.stderr}")

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return re.sub(r"/postgres$", f"/{name}", self.url)

    def stop(self) -> None:
        super().stop()
        if self.data.exists():
            shutil.rmtree(self.cwd, ignore_errors=True)

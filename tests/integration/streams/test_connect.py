"""Connecting to a nats-server that wants a password."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from streams.broker.connect import connect
from streams.broker.link import Link
from streams.core.errors import BrokerAway
from streams.core.serverconf import quoted
from tests.servers.nats import NatsServer

pytestmark = pytest.mark.integration

PASSWORD = 'p@ss/w:rd %41 "quoted" # {$HOME} ä'


@pytest.fixture
def locked(tmp_path):
    server = NatsServer(
        tmp_path, f"authorization {{ user: operator, password: {quoted(PASSWORD)} }}"
    )
    server.start()
    yield server
    server.stop()


def url(server, password):
    return f"nats://operator:{quote(password, safe='')}@127.0.0.1:{server.port}"


async def test_a_password_may_hold_any_character(locked):
    client = await connect(url(locked, PASSWORD), name="test", patience_s=5)

    assert client.is_connected
    await client.close()


def test_a_refused_password_is_the_reason_that_is_given(locked):
    link = Link(url(locked, "wrong-one"), name="test")

    with pytest.raises(BrokerAway, match="Authorization Violation") as caught:
        link.api("INFO", within_s=2)

    assert "wrong-one" not in str(caught.value)
    link.close()

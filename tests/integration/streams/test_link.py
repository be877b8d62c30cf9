"""What becomes of a link when the server refuses it, and when the server says nothing at all."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import pytest

from realtime.hub import Hub
from streams.broker.connect import connect
from streams.broker.link import Link
from streams.core.errors import BrokerAway
from tests.servers.process import wait_until

pytestmark = [
    pytest.mark.integration,
    # nats-py lets go of the socket of an attempt that was refused without closing it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LOCKED = 'authorization { user: "somebody", password: "else" }'


def configure(server, *lines):
    """Let a running server take another configuration, which cuts off whom it does not admit."""
    server.extra = lines
    server.command()
    os.kill(server.pid, signal.SIGHUP)


class Listener:
    def __init__(self):
        self.texts: list[str] = []
        self.heard = asyncio.Event()

    def deliver(self, frame):
        self.texts.append(frame.text)
        self.heard.set()

    async def hear(self, text):
        async with asyncio.timeout(15):
            while not any(text in each for each in self.texts):
                self.heard.clear()
                await self.heard.wait()
        self.texts.clear()


def works(link):
    try:
        link.publish([("a", b"1")], within_s=1)
    except BrokerAway:
        return False
    return True


def test_a_link_that_was_refused_for_a_while_works_again(own_nats):
    link = Link(own_nats.url, "test")
    link.publish([("a", b"1")])

    configure(own_nats, LOCKED)
    wait_until(lambda: not works(link), 10, "the link is refused")
    configure(own_nats)

    wait_until(lambda: works(link), 10, "the link works again")
    link.close()


async def test_a_hub_that_was_refused_for_a_while_delivers_again(own_nats):
    hub, listener = Hub(own_nats.url), Listener()
    hub.join(listener)
    await listener.hear('"up"')
    await hub.subscribe(listener, ["system.>"])

    configure(own_nats, LOCKED)
    await listener.hear('"down"')
    configure(own_nats)
    await listener.hear('"up"')

    # Asked for by nobody again: the hub remembers. Settled before the message is sent.
    await hub.subscribe(listener, ["market.>"])
    client = await connect(own_nats.url, name="test")
    await client.publish("system.test", b"1")
    await listener.hear("system.test")
    await client.close()
    await hub.close()


def test_a_server_that_says_nothing_is_not_kept_waiting():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        link = Link(f"nats://127.0.0.1:{mute.getsockname()[1]}", "test")

        with pytest.raises(BrokerAway):
            link.publish([], within_s=0.5)

        end, _ = mute.accept()
        end.settimeout(5)
        assert end.recv(1) == b""
        end.close()
        link.close()

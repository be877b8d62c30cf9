from __future__ import annotations

import pytest

from streams.broker import server
from streams.broker.connect import apart
from streams.core.errors import BrokerAway


@pytest.mark.parametrize(
    ("url", "servers", "credentials"),
    [
        ("nats://one:4222", ["nats://one:4222"], {}),
        ("nats://one:1,nats://two:2", ["nats://one:1", "nats://two:2"], {}),
        ("nats://one:1, tls://two:2", ["nats://one:1", "tls://two:2"], {}),
        (
            "nats://u:a,b@one:1,nats://two:2",
            ["nats://one:1", "nats://two:2"],
            {"user": "u", "password": "a,b"},
        ),
        (
            "nats://one:1,nats://u:p%40ss@two:2,nats://x:y@[::1]:3",
            ["nats://one:1", "nats://two:2", "nats://[::1]:3"],
            {"user": "u", "password": "p@ss"},
        ),
        ("nats://token@one:1", ["nats://one:1"], {"token": "token"}),
    ],
)
def test_servers_and_the_first_credentials_are_told_apart(url, servers, credentials):
    assert apart(url) == (servers, credentials)


@pytest.mark.parametrize("url", ["http://user:secret@host", "http://user:se cret@host:1"])
def test_a_monitoring_address_that_cannot_be_used_is_not_told(url):
    with pytest.raises(BrokerAway) as caught:
        server.monitor(url, "/varz")

    assert "cret" not in str(caught.value)

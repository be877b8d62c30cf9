"""Servers of the operator that refuse what their URL holds."""

from __future__ import annotations

import pytest

from controlplane.standalone import outside
from tests.servers.process import free_port

pytestmark = pytest.mark.integration


def test_servers_that_let_us_in_or_are_away_are_no_reason_to_stop(rabbitmq_server, redis_server):
    outside.ask(rabbitmq_url=rabbitmq_server.url, redis_url=redis_server.url)
    outside.ask(
        rabbitmq_url=f"amqp://127.0.0.1:{free_port()}", redis_url=f"redis://127.0.0.1:{free_port()}"
    )
    outside.ask(rabbitmq_url="", redis_url="")


@pytest.mark.parametrize(
    "url", ["amqp://guest:hunter2@127.0.0.1:{port}/%2F", "amqp://guest:guest@127.0.0.1:{port}/none"]
)
def test_a_rabbitmq_that_refuses_is_named_without_the_password(rabbitmq_server, url):
    with pytest.raises(outside.LetNobodyIn, match="RABBITMQ_URL") as caught:
        outside.ask(rabbitmq_url=url.format(port=rabbitmq_server.port), redis_url="")

    assert "hunter2" not in str(caught.value)


def test_a_redis_that_refuses_is_named_without_the_password(redis_server):
    with pytest.raises(outside.LetNobodyIn, match="REDIS_URL") as caught:
        outside.ask(
            rabbitmq_url="", redis_url=f"redis://nobody:hunter2@127.0.0.1:{redis_server.port}/0"
        )

    assert "hunter2" not in str(caught.value)
